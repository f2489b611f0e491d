package training

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"limpid/engine/cpu"
	"limpid/priors/train"
)

// The test runs itself as the program that is killed.
const childEnv = "LIMPID_TEST_TRAINING"

func options(dir string) Options {
	return Options{
		Sims: "galaxies", Side: 16, Batch: 2, Channels: []int{4, 8}, Out: filepath.Join(dir, "w.safetensors"),
		Train: train.Config{Steps: 60, Seed: 5}, Save: time.Nanosecond, Name: "test",
	}
}

func TestMain(m *testing.M) {
	measureScenes, errorScenes, typicalTiles = 2, 3, 100
	dir := os.Getenv(childEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	dev := cpu.New(cpu.Options{Workers: 1})
	f, err := os.OpenFile(filepath.Join(dir, "losses"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		err = Run(context.Background(), dev, options(dir), func(s Status) {
			if s.Loss > 0 {
				fmt.Fprintf(f, "%d %.9g\n", s.Step, s.Loss)
				time.Sleep(5 * time.Millisecond) // so that the kill meets it at work
			}
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child starts a training in dir.
func child(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), childEnv+"="+dir)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// read gives the last loss written for every step.
func read(t *testing.T, dir string) map[int]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "losses"))
	if err != nil {
		return nil
	}
	out := map[int]string{}
	for line := range strings.Lines(string(text)) {
		step, loss, ok := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(step); err == nil && ok && strings.HasSuffix(line, "\n") {
			if old, seen := out[n]; seen && old != loss {
				t.Fatalf("step %d: loss %s before the kill, %s when done again", n, old, loss)
			}
			out[n] = loss
		}
	}
	return out
}

// Killed with SIGKILL twice and started again with the same options, a training has
// the losses, to the last digit, and the weights, to the last bit, of one that was
// left alone.
func TestRun_Killed_SameLossesAndWeights(t *testing.T) {
	alone, killed := t.TempDir(), t.TempDir()
	if err := child(t, alone).Wait(); err != nil {
		t.Fatal(err)
	}
	for _, until := range []int{12, 31} {
		c := child(t, killed)
		for start := time.Now(); len(read(t, killed)) < until; time.Sleep(2 * time.Millisecond) {
			if time.Since(start) > time.Minute {
				t.Fatal("the training makes no steps")
			}
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if c.Wait() == nil {
			t.Fatal("the training was done before it was killed")
		}
	}
	if err := child(t, killed).Wait(); err != nil {
		t.Fatal(err)
	}
	want, got := read(t, alone), read(t, killed)
	if len(want) != 60 || len(got) != 60 {
		t.Fatalf("%d and %d steps, want 60", len(want), len(got))
	}
	for i := 1; i <= 60; i++ {
		if want[i] != got[i] {
			t.Fatalf("step %d: loss %s, left alone %s", i, got[i], want[i])
		}
	}
	a, err := os.ReadFile(filepath.Join(alone, "w.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(killed, "w.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Error("the weights differ")
	}
}
