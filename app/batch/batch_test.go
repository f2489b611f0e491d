package batch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"limpid/app/recipe"
	"limpid/app/session"
)

// touch writes files that look like images from outside.
func touch(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(dir, n), []byte(n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func items(t *testing.T, n int) []Item {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		touch(t, dir, fmt.Sprintf("im%02d.fits", i))
	}
	list, err := List(dir)
	if err != nil || len(list) != n {
		t.Fatalf("%d items, %v", len(list), err)
	}
	return list
}

// writer is work that writes its output like an export does.
func writer(runs *atomic.Int64, fail func(image string) error) work {
	return func(ctx context.Context, r recipe.Recipe, fits string) (Record, error) {
		runs.Add(1)
		if fail != nil {
			if err := fail(r.Input.File); err != nil {
				return Record{}, err
			}
		}
		return Record{Files: []string{fits}, Draws: r.Draw.Samples}, session.WriteFile(fits, r.JSON())
	}
}

func logLines(t *testing.T, out string) []Record {
	t.Helper()
	f, err := os.Open(filepath.Join(out, LogFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []Record
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var r Record
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			t.Fatalf("%q: %v", sc.Text(), err)
		}
		all = append(all, r)
	}
	return all
}

func TestRun_FailureAndRetry_OthersStandAndLogTells(t *testing.T) {
	list, out := items(t, 5), t.TempDir()
	o := Options{Out: out, Recipe: recipe.Default("x.fits")}
	var runs atomic.Int64
	broken := true
	do := writer(&runs, func(image string) error {
		if broken && strings.HasSuffix(image, "im02.fits") {
			return fmt.Errorf("session: %w", session.ErrShape)
		}
		return nil
	})
	count, err := run(t.Context(), list, o, do)
	if !errors.Is(err, session.ErrPartial) || session.ExitCode(err) != session.ExitPartial || count.Made != 4 || count.Failed != 1 {
		t.Fatalf("%+v, %v", count, err)
	}
	log := logLines(t, out)
	if len(log) != 5 || log[2].Status != Failed || log[2].Exit != session.ExitInput || log[2].Error == nil || log[3].Status != Done {
		t.Fatalf("log %+v", log)
	}
	broken = false
	if count, err = run(t.Context(), list, o, do); !errors.Is(err, session.ErrPartial) || count.Before != 4 || runs.Load() != 5 {
		t.Errorf("a failed image was done again without being asked: %+v, %v, %d runs", count, err, runs.Load())
	}
	o.Retry = true
	if count, err = run(t.Context(), list, o, do); err != nil || count.Made != 1 || count.Before != 4 || runs.Load() != 6 {
		t.Errorf("retry: %+v, %v, %d runs", count, err, runs.Load())
	}
}

func TestRun_Cancelled_GoesOnWhereItEnded(t *testing.T) {
	list, out := items(t, 6), t.TempDir()
	var runs atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	do := writer(&runs, nil)
	stopping := func(c context.Context, r recipe.Recipe, fits string) (Record, error) {
		if runs.Load() == 2 {
			cancel()
			return Record{}, session.ErrCancelled
		}
		return do(c, r, fits)
	}
	o := Options{Out: out, Recipe: recipe.Default("x.fits")}
	if _, err := run(ctx, list, o, stopping); !errors.Is(err, session.ErrCancelled) {
		t.Fatalf("error %v", err)
	}
	if n := len(logLines(t, out)); n != 2 {
		t.Errorf("%d lines after the cancellation, 2 images were done", n)
	}
	if left, _ := filepath.Glob(filepath.Join(out, StateFolder, "*.claim")); len(left) != 0 {
		t.Errorf("claims left: %v", left)
	}
	count, err := run(t.Context(), list, o, do)
	if err != nil || count.Before != 2 || count.Made != 4 || runs.Load() != 6 {
		t.Errorf("%+v, %v, %d runs", count, err, runs.Load())
	}
}

func TestRun_ManyProcesses_EachImageOnce(t *testing.T) {
	const images, processes = 40, 6
	list, out := items(t, images), t.TempDir()
	var runs atomic.Int64
	slow := func(ctx context.Context, r recipe.Recipe, fits string) (Record, error) {
		time.Sleep(2 * time.Millisecond)
		return writer(&runs, nil)(ctx, r, fits)
	}
	var wait sync.WaitGroup
	for range processes {
		wait.Go(func() {
			if _, err := run(t.Context(), list, Options{Out: out, Recipe: recipe.Default("x.fits"), Stale: time.Minute}, slow); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if runs.Load() != images {
		t.Errorf("%d runs of %d images", runs.Load(), images)
	}
	if n := len(logLines(t, out)); n != images {
		t.Errorf("%d lines in the log", n)
	}
}

func TestRun_ClaimOfTheDead_IsTakenOver(t *testing.T) {
	list, out := items(t, 1), t.TempDir()
	st, err := openState(out, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	claim := st.path(list[0].Name, ".claim")
	touch(t, st.dir, list[0].Name+".claim")
	var runs atomic.Int64
	o := Options{Out: out, Recipe: recipe.Default("x.fits"), Stale: time.Hour}
	if count, err := run(t.Context(), list, o, writer(&runs, nil)); err != nil || count.Elsewhere != 1 || runs.Load() != 0 {
		t.Fatalf("a live claim: %+v, %v, %d runs", count, err, runs.Load())
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(claim, old, old); err != nil {
		t.Fatal(err)
	}
	if count, err := run(t.Context(), list, o, writer(&runs, nil)); err != nil || count.Made != 1 {
		t.Errorf("a dead claim: %+v, %v", count, err)
	}
}

func TestRun_OtherRecipe_IsSaidAndRedone(t *testing.T) {
	list, out := items(t, 2), t.TempDir()
	var runs atomic.Int64
	o := Options{Out: out, Recipe: recipe.Default("x.fits")}
	if _, err := run(t.Context(), list, o, writer(&runs, nil)); err != nil {
		t.Fatal(err)
	}
	o.Recipe.Draw.Seed = 2
	if count, err := run(t.Context(), list, o, writer(&runs, nil)); err == nil || count.OtherRecipe != 2 || runs.Load() != 2 {
		t.Errorf("%+v, %v", count, err)
	}
	o.Redo = true
	if count, err := run(t.Context(), list, o, writer(&runs, nil)); err != nil || count.Made != 2 || runs.Load() != 4 {
		t.Errorf("redo: %+v, %v", count, err)
	}
}

func TestClaim_Held_IsTouched(t *testing.T) {
	st, err := openState(t.TempDir(), 400*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	release, ok, err := st.claim("a")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	time.Sleep(900 * time.Millisecond)
	if _, ok, _ := st.claim("a"); ok {
		t.Error("a claim that is held was taken over")
	}
	release()
	if release, ok, err := st.claim("a"); err != nil || !ok {
		t.Error("a released claim cannot be taken")
	} else {
		release()
	}
}

func TestManifest_Cells_BecomeSettings(t *testing.T) {
	dir := t.TempDir()
	touch(t, dir, "a.fits", "b.fits", "psf.fits")
	path := filepath.Join(dir, "list.csv")
	if err := os.WriteFile(path, []byte("\ufeffImage, psf, noise, cutout, seed, name\n# comment\na.fits,psf.fits[1],sigma:2.5,\"0:30,5:40\",7,first\nb.fits,,,,,\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := List(path)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	r, err := list[0].Recipe(recipe.Default("z"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Input.File != filepath.Join(dir, "a.fits") || r.PSF.File != filepath.Join(dir, "psf.fits") || r.PSF.HDU == nil || *r.PSF.HDU != 1 ||
		r.Noise.Sigma != 2.5 || r.Input.Cutout == nil || *r.Input.Cutout != [4]int{0, 30, 5, 40} || r.Draw.Seed != 7 || list[0].Name != "first" {
		t.Errorf("recipe %+v", r)
	}
	if list[1].Name != "b-posterior" {
		t.Errorf("name %q", list[1].Name)
	}
}

func TestManifest_Bad_SaysWhereAndWhat(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "no header line"},
		{"file\nx.fits\n", "column \"file\""},
		{"psf\nnone\n", "no column \"image\""},
		{"image,image\na,b\n", "two columns"},
		{"image\n", "lists no image"},
		{"image,seed\na.fits,-1\n", "line 2: seed \"-1\""},
		{"image,cutout\na.fits,9\n", "line 2: cutout"},
		{"image,name\na.fits,../b\n", "without folders"},
		{"image,seed\na.fits\n", "wrong number of fields"},
		{"image\nx/a.fits\ny/a.fits\n", "would both be written"},
	} {
		path := filepath.Join(t.TempDir(), "m.csv")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := List(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, recipe.ErrInvalid) {
			t.Errorf("%q: %v, wanted %q", c.text, err, c.want)
		}
	}
}

func TestShard_Shares_AreDisjointAndComplete(t *testing.T) {
	list := items(t, 11)
	seen := map[string]int{}
	for k := range 4 {
		for _, it := range Shard(list, k, 4) {
			seen[it.Name]++
		}
	}
	if len(seen) != 11 {
		t.Errorf("%d of 11", len(seen))
	}
}
