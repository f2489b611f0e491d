package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid"
	"limpid/app/session"
	"limpid/engine"
	"limpid/engine/cpu"
)

// brittle gives so many tensors and then fails as a lost card does.
type brittle struct {
	engine.Device
	left int
}

func (b *brittle) Info() engine.Info { return engine.Info{Kind: "test", Name: "brittle card"} }

func (b *brittle) Alloc(s engine.Shape) (*engine.Tensor, error) {
	if b.left--; b.left < 0 {
		return nil, &engine.DeviceError{Device: "brittle card", Err: errors.New("gone")}
	}
	return b.Device.Alloc(s)
}

// rig is an environment whose device fails after so many tensors; −1: with the processor
// alone.
func rig(left int) (*Env, *bytes.Buffer) {
	var log bytes.Buffer
	return &Env{Out: &log, Err: &log, Devices: func(context.Context, string) (session.Devices, error) {
		d := session.Devices{CPU: cpu.New(cpu.Options{})}
		d.Main = d.CPU
		if left >= 0 {
			d.Main = &brittle{cpu.New(cpu.Options{}), left}
			d.Findings = []limpid.Finding{{Severity: limpid.Warning, What: "chosen with a word"}}
		}
		return d, nil
	}}, &log
}

// What a device that fails at any time leaves to the processor comes out as if the
// processor had done all.
func TestPriorSample_DeviceFails_ProcessorDoesItAgain(t *testing.T) {
	dir := t.TempDir()
	draws := func(name string, left int) ([]byte, string) {
		t.Helper()
		out := filepath.Join(dir, name)
		e, log := rig(left)
		args := []string{"prior", "sample", "galaxies", "-n", "2", "--size", "32", "--levels", "4", "-o", out}
		if code := Run(context.Background(), e, args); code != session.ExitOK {
			t.Fatalf("after %d tensors: code %d: %s", left, code, log)
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return text, log.String()
	}
	want, _ := draws("want.fits", -1)
	for _, left := range []int{0, 30} {
		got, log := draws("got.fits", left)
		for _, words := range []string{"chosen with a word", "brittle card failed: ", "again on " + cpu.New(cpu.Options{}).Info().Name} {
			if !strings.Contains(log, words) {
				t.Errorf("after %d tensors nothing says %q: %s", left, words, log)
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("after %d tensors the files differ", left)
		}
	}
}

// A mistake of the user's is not the device's: it is not tried twice.
func TestOnDevice_OtherFailure_IsNotRepeated(t *testing.T) {
	e, log := rig(0)
	n := 0
	err := e.onDevice(context.Background(), "", func(engine.Device) error {
		n++
		return errors.New("no such file")
	})
	if err == nil || n != 1 || strings.Contains(log.String(), "again") {
		t.Errorf("%d tries, error %v, %s", n, err, log)
	}
}
