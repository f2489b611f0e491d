package view

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/fitsio/regions"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/project"
	"limpid/ui/viewmodel/store"
)

var kills = flag.Int("kills", 3, "how many windows TestKill kills")

const killDir = "LIMPID_KILL_DIR"

// TestKillChild is the window that is killed: it draws regions, runs, exports and saves
// without end, and says how many regions there are.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("started by TestKill only")
	}
	dev := cpu.New(cpu.Options{Workers: 1})
	ses := session.New(dev)
	b := &bench{t: t, posted: make(chan func(), 10000)}
	b.Window = New(test.NewTempApp(t), Options{
		Session: ses, Store: store.OpenFile(filepath.Join(dir, "window.json")), Recovery: filepath.Join(dir, "recovery"),
		Post: func(f func()) { b.posted <- f },
	})
	b.win.Resize(fyne.NewSize(1200, 800))
	b.Drop(filepath.Join(dir, "galaxy.fits.gz"))
	b.until("the picture", func() bool { return len(b.m.Tiles()) == 1 && b.m.Tiles()[0].Picture != nil })
	b.m.Set(form.Cutout, "60:124,60:124")
	b.m.Set(form.Samples, "6")
	b.saving.path = filepath.Join(dir, "work"+ProjectSuffix)
	for n := 1; ; n++ {
		b.m.AddRegion(regions.Region{Shape: "circle", System: "image", Points: [][2]float64{{float64(n%190 + 1), 50}}, Sizes: []regions.Size{{Value: 5}}})
		fmt.Printf("regions %d\n", n)
		if b.m.Active() == nil {
			if e := b.m.Entry(); e != nil && e.Result != nil && !b.m.Exporting().Busy {
				p := b.m.Plan(e)
				p.Dir = dir
				for _, id := range []string{"pdf", "svg", "tiff", "film"} {
					p.Switch(id, true)
				}
				b.m.Export(e, p)
			}
			b.m.Run()
		}
		if n%3 == 0 {
			if err := b.m.SaveRecipe(filepath.Join(dir, "work.recipe.json")); err != nil {
				t.Fatal(err)
			}
			if err := b.m.SaveRegions(filepath.Join(dir, "work.reg")); err != nil {
				t.Fatal(err)
			}
		}
		for end := time.After(40 * time.Millisecond); end != nil; {
			select {
			case f := <-b.posted:
				f()
			case <-end:
				end = nil
			}
		}
	}
}

// Windows killed at random moments leave no file half-written, and what was kept can be
// recovered: every region drawn some seconds before.
func TestKill_AtRandomMoments_NothingIsHalfWrittenAndTheStateIsKept(t *testing.T) {
	if runtime.GOOS == "windows" || testing.Short() {
		t.Skip("kills processes")
	}
	wrote := map[string]int{}
	recovered := 0
	for i := range *kills {
		dir := t.TempDir()
		drawn, before := killOne(t, dir, rand.N(6*time.Second))
		checkWhole(t, dir, wrote)
		path, p, ok := project.Left(filepath.Join(dir, "recovery"))
		switch {
		case !ok && before > 0:
			t.Errorf("kill %d: nothing was kept, %d regions had been drawn", i, before)
		case ok:
			recovered++
			n := 0
			if len(p.Files) == 1 {
				list, _, err := regions.Parse(strings.NewReader(p.Files[0].Regions))
				if err != nil {
					t.Errorf("kill %d: %v", i, err)
				}
				n = len(list)
			}
			if len(p.Files) != 1 || n < before || n > drawn {
				t.Errorf("kill %d: %s has %d files with %d regions; %d were drawn long before, %d in all", i, path, len(p.Files), n, before, drawn)
			} else if c := p.Files[0].Typed[form.Cutout]; n > 0 && c != "60:124,60:124" { // which was typed before the first region
				t.Errorf("kill %d: %s has %d regions and the cut-out %q", i, path, n, c)
			}
		}
		if i == 0 && ok {
			recoverInto(t, p)
		}
	}
	t.Logf("%d windows killed, state of %d recovered; whole files found: %v", *kills, recovered, wrote)
}

// killOne starts a window, kills it after a while, and says how many regions it had
// drawn, and how many of them longer ago than it takes to keep them.
func killOne(t *testing.T, dir string, after time.Duration) (drawn, before int) {
	t.Helper()
	b := &bench{t: t}
	text, err := os.ReadFile(b.galaxy())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "galaxy.fits.gz"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillChild$", "-test.v")
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var count atomic.Int64
	ready, done := make(chan bool, 1), make(chan bool)
	const keeping = 2500 * time.Millisecond // the rest, the writing, and a busy machine
	var times []time.Time
	go func() {
		defer close(done)
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			var n int
			if _, err := fmt.Sscanf(sc.Text(), "regions %d", &n); err == nil {
				count.Store(int64(n))
				times = append(times, time.Now())
				if n == 1 {
					ready <- true
				}
			}
		}
	}()
	select {
	case <-ready:
	case <-time.After(patience):
		t.Error("the window did not start")
	}
	time.Sleep(after)
	killed := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-done
	_ = cmd.Wait()
	for _, at := range times {
		if killed.Sub(at) > keeping {
			before++
		}
	}
	return int(count.Load()) + 1, before // the next may have been drawn before its line was read
}

// checkWhole reads every file that a window wrote under its own name.
func checkWhole(t *testing.T, dir string, wrote map[string]int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") || d.Name() == "galaxy.fits.gz" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		kind := filepath.Ext(path)
		wrote[kind]++
		switch kind {
		case ".fits":
			err = wholeFITS(path)
		case ".json":
			if strings.HasSuffix(path, ".recipe.json") {
				_, err = recipe.Load(path)
			} else if !json.Valid(text) {
				err = fmt.Errorf("not JSON")
			}
		case ProjectSuffix:
			_, err = project.Read(path)
		case ".reg":
			_, _, err = regions.Parse(strings.NewReader(string(text)))
		case ".png":
			err = ends(text, "IEND\xaeB`\x82")
		case ".pdf":
			err = ends(text, "%%EOF")
		case ".svg":
			err = ends(text, "</svg>")
		case ".bib":
			err = ends(text, "}")
		}
		if err != nil {
			t.Errorf("%s is half-written: %v", filepath.Base(path), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func ends(text []byte, want string) error {
	if !strings.HasSuffix(strings.TrimSpace(string(text)), want) {
		return fmt.Errorf("it does not end with %q", want)
	}
	return nil
}

func wholeFITS(path string) error {
	f, err := fitsio.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if len(f.Findings) > 0 {
		return fmt.Errorf("%v", f.Findings)
	}
	if f.Find("MASK", 1) == nil {
		return fmt.Errorf("HDUs are missing")
	}
	for _, h := range f.HDUs {
		if h.Kind == fitsio.BinaryTable || h.Kind == fitsio.ASCIITable {
			continue
		}
		if _, err := h.ReadFloat32(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

// recoverInto opens a recovered project in a new window.
func recoverInto(t *testing.T, p project.Project) {
	t.Helper()
	b := newBench(t)
	b.restore(p)
	b.until("the recovered image", func() bool {
		f := b.m.File()
		return f != nil && len(b.m.Tiles()) == 1 && b.m.Tiles()[0].Picture != nil
	})
	if n := len(b.m.Marked()); n == 0 && p.Files[0].Regions != "" {
		t.Error("the regions were not recovered")
	}
	b.until("the recipe", func() bool { s := b.m.Steps(); return len(s) == 5 && s[0].Level >= viewmodel.Fine })
	if c, ok := b.m.Cutout(); !ok || c != [4]int{60, 124, 60, 124} {
		t.Errorf("cut-out %v %v", c, ok)
	}
}
