package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
)

// Options of Run.
type Options struct {
	Out       string // folder of the results
	Recipe    recipe.Recipe
	Retry     bool // try images again that failed before
	Redo      bool // do images again that were made with another recipe
	FITSOnly  bool
	NoSamples bool
	// Stale is the age from which an untouched claim belongs to a dead process;
	// default 2 minutes.
	Stale time.Duration
	// Report is told of every image that this call ended, and of what it passed
	// over; may be nil.
	Report func(Event)
}

// Event is news of one image.
type Event struct {
	Number, Of int // of the batch, from 1
	Item       Item
	Record     *Record // nil: another process is at it
	New        bool    // made by this call
}

// Count says how a batch stands when Run returns.
type Count struct {
	Items, Made, Before, Failed, Elsewhere int
	OtherRecipe                            int // done before, with another recipe
}

const defaultStale = 2 * time.Minute

// work turns a recipe into files; a field of its own for tests.
type work func(ctx context.Context, r recipe.Recipe, fits string) (Record, error)

// Run carries the recipe out on every item that is not done yet. An image that
// fails is recorded and the next one begins; Run then returns an error that wraps
// session.ErrPartial. After a cancellation, or a crash, the same call goes on where
// it ended.
func Run(ctx context.Context, s *session.Session, items []Item, o Options) (Count, error) {
	return run(ctx, items, o, func(ctx context.Context, r recipe.Recipe, fits string) (Record, error) {
		return carryOut(ctx, s, r, fits, o)
	})
}

func run(ctx context.Context, items []Item, o Options, do work) (Count, error) {
	count := Count{Items: len(items)}
	if o.Stale == 0 {
		o.Stale = defaultStale
	}
	st, err := openState(o.Out, o.Stale)
	if err != nil {
		return count, err
	}
	for i, it := range items {
		if err = ctx.Err(); err != nil {
			err = session.ErrCancelled
			break
		}
		ev := Event{Number: i + 1, Of: len(items), Item: it}
		if err = one(ctx, st, it, o, do, &ev); err != nil {
			break
		}
		count.add(ev, o)
		if o.Report != nil {
			o.Report(ev)
		}
	}
	if logErr := st.writeLog(); err == nil {
		err = logErr
	}
	switch {
	case err != nil:
		return count, err
	case count.Failed > 0:
		return count, fmt.Errorf("batch: %w: %d of %d; see %s", session.ErrPartial, count.Failed, count.Items, filepath.Join(o.Out, LogFile))
	case count.OtherRecipe > 0:
		return count, fmt.Errorf("batch: %w: %d of %d results were made with another recipe, image or version: --redo makes them again", session.ErrPartial, count.OtherRecipe, count.Items)
	}
	return count, nil
}

func (c *Count) add(ev Event, o Options) {
	switch r := ev.Record; {
	case r == nil:
		c.Elsewhere++
	case r.Status == Failed:
		c.Failed++
	case ev.New:
		c.Made++
	default:
		c.Before++
		want, err := ev.Item.Recipe(o.Recipe)
		if err == nil && r.Made != fingerprint(want) {
			c.OtherRecipe++
		}
	}
}

// one does an item, or finds that there is nothing to do.
func one(ctx context.Context, st *state, it Item, o Options, do work, ev *Event) error {
	r, err := it.Recipe(o.Recipe)
	if err != nil {
		return err // said before anything runs, so never here
	}
	made := fingerprint(r)
	if ev.Record = st.record(it.Name); settled(ev.Record, made, o) {
		return nil
	}
	release, ok, err := st.claim(it.Name)
	if err != nil {
		return err
	}
	if !ok {
		ev.Record = nil
		return nil
	}
	defer release()
	if now := st.record(it.Name); settled(now, made, o) && (ev.Record == nil || now.Finished.After(ev.Record.Finished)) {
		ev.Record = now // ended while we asked
		return nil
	}
	began := time.Now()
	rec, err := do(ctx, r, filepath.Join(o.Out, it.Name+".fits"))
	if err != nil && (ctx.Err() != nil || errors.Is(err, session.ErrCancelled)) {
		return session.ErrCancelled
	}
	rec.Status = Done
	if err != nil {
		f := session.Problem(err)
		rec.Status, rec.Error, rec.Exit = Failed, &f, session.ExitCode(err)
		if errors.Is(err, session.ErrOutput) {
			return err // a full disk fails everything
		}
	}
	rec.Name, rec.Image, rec.Made = it.Name, it.Image, made
	rec.Seconds, rec.Finished = time.Since(began).Seconds(), time.Now().UTC().Truncate(time.Millisecond)
	rec.Host, _ = os.Hostname()
	rec.PID = os.Getpid()
	ev.Record, ev.New = &rec, true
	return st.keep(rec)
}

// settled says whether a record leaves nothing to do.
func settled(r *Record, made string, o Options) bool {
	switch {
	case r == nil:
		return false
	case r.Status == Failed:
		return !o.Retry && r.Made == made
	}
	return r.Made == made || !o.Redo
}

// carryOut runs a recipe and writes its files.
func carryOut(ctx context.Context, s *session.Session, r recipe.Recipe, fits string, o Options) (Record, error) {
	job, err := s.Start(ctx, r)
	if err != nil {
		return Record{}, err
	}
	if err := job.Wait(); err != nil {
		return Record{}, err
	}
	res := job.Result()
	files := session.Beside(fits)
	if o.FITSOnly {
		files = session.ExportOptions{FITS: fits}
	}
	files.NoSamples = o.NoSamples
	written, err := s.Export(ctx, res, files)
	if err != nil {
		return Record{}, err
	}
	rec := Record{Files: written, Draws: res.Draws, Sentence: res.Sentence()}
	for _, f := range res.Findings {
		if f.Severity != limpid.Info {
			rec.Findings = append(rec.Findings, f)
		}
	}
	for c, fit := range res.Fits {
		chi := fit.Chi2Draws
		if res.Draws == 0 {
			chi = fit.Chi2
		}
		rec.Chi2, rec.Flux = append(rec.Chi2, Number(chi)), append(rec.Flux, Number(fit.FluxScene))
		if res.Draws > 1 {
			rec.FluxStd = append(rec.FluxStd, Number(res.FluxStd[c]))
		}
	}
	return rec, nil
}
