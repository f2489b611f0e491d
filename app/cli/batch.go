package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"limpid/app/batch"
	"limpid/app/recipe"
	"limpid/app/session"
)

const batchHelp = `
What
  MANIFEST.csv          a table with a header line: image (path), and if wanted name (of
                        the result), hdu, plane, cutout, psf, noise, sky, mask,
                        saturation, samples, seed, in the words of deconvolve; an empty
                        cell leaves the recipe's setting
  FOLDER                every FITS image in it
  RECIPE.json           as written beside every result; its own image is not used
Output
  -o DIR                NAME.fits and the files beside it; batch.jsonl, a line of JSON
                        for every image; .limpid-batch, what is done and being done
  --fits-only, --no-samples, --device D   as for deconvolve
How
  --shard K/N           only every N-th image from the K-th on (from 0); auto: as a Slurm
                        array task or a Kubernetes indexed job says
  --retry               try images again that failed
  --redo                do images again that were made with another recipe
  --stale D             a claim untouched for so long belonged to a process that died
                        (default 2m)
  --json                a line of JSON for every image on standard output; --quiet
Call it again after an interruption: it goes on where it ended. Any number of processes
may share DIR; each image is done once.
`

func runBatch(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "batch")
	var o outputFlags
	o.register(f)
	shard := f.String("shard", "", "")
	retry, redo := f.Bool("retry", false, ""), f.Bool("redo", false, "")
	stale := f.Duration("stale", 2*time.Minute, "")
	if err := f.parse(args, 2, "a manifest or folder, and a recipe"); err != nil {
		return err
	}
	switch {
	case o.out == "":
		return usageError{"name the folder of the results: -o DIR"}
	case *stale < time.Second:
		return usageError{fmt.Sprintf("--stale %v: at least 1s", *stale)}
	}
	items, err := batch.List(f.operands[0])
	if err != nil {
		return err
	}
	if items, err = shardOf(items, *shard); err != nil {
		return err
	}
	r, err := recipe.Load(f.operands[1])
	if err != nil {
		return err
	}
	if o.device != "" {
		r.Device = o.device
	}
	for _, it := range items { // before anything is computed
		if _, err := it.Recipe(r); err != nil {
			return err
		}
	}
	dev, err := e.devices(ctx, r.Device)
	if err != nil {
		return err
	}
	defer closeDevices(dev)
	s := session.NewOn(dev)
	defer s.Close()
	count, err := batch.Run(ctx, s, items, batch.Options{
		Out: o.out, Recipe: r, Retry: *retry, Redo: *redo, FITSOnly: o.fitsOnly, NoSamples: o.noSamples, Stale: *stale,
		Report: func(ev batch.Event) { reportItem(e, o, ev) },
	})
	if !o.json && (err == nil || errors.Is(err, session.ErrPartial) || errors.Is(err, session.ErrCancelled)) {
		fmt.Fprintf(e.Out, "%d images: %d done now, %d before, %d failed, %d with other processes\n",
			count.Items, count.Made, count.Before, count.Failed, count.Elsewhere)
	}
	return err
}

// reportItem prints an image's end.
func reportItem(e *Env, o outputFlags, ev batch.Event) {
	r := ev.Record
	if o.json {
		if ev.New {
			if line, err := json.Marshal(r); err == nil {
				fmt.Fprintln(e.Out, string(line))
			}
		}
		return
	}
	if o.quiet || r != nil && !ev.New && r.Status == batch.Done {
		return
	}
	head := fmt.Sprintf("[%d/%d] %s: ", ev.Number, ev.Of, ev.Item.Name)
	switch {
	case r == nil:
		fmt.Fprintln(e.Err, head+"another process is at it")
	case r.Status == batch.Failed && !ev.New:
		fmt.Fprintln(e.Err, head+"failed before: "+r.Error.What)
	case r.Status == batch.Failed:
		fmt.Fprintln(e.Err, head+"failed: "+r.Error.What)
	default:
		fmt.Fprintf(e.Err, "%s%s (%.1f s)\n", head, r.Sentence, r.Seconds)
	}
}

// shardOf keeps the share of a process: "K/N", "auto" or "".
func shardOf(items []batch.Item, shard string) ([]batch.Item, error) {
	k, n := 0, 1
	switch shard {
	case "":
		return items, nil
	case "auto":
		k, n = clusterShard()
	default:
		a, b, ok := strings.Cut(shard, "/")
		var err, err2 error
		k, err = strconv.Atoi(a)
		n, err2 = strconv.Atoi(b)
		if !ok || err != nil || err2 != nil {
			return nil, usageError{fmt.Sprintf("--shard %q: expected K/N, as 0/8, or auto", shard)}
		}
	}
	if n < 1 || k < 0 || k >= n {
		return nil, usageError{fmt.Sprintf("--shard %d/%d: K must lie between 0 and N − 1", k, n)}
	}
	return batch.Shard(items, k, n), nil
}

// clusterShard reads what Slurm tells the tasks of an array, or Kubernetes the pods
// of an indexed job (whose number of pods it does not tell: LIMPID_SHARDS does).
func clusterShard() (k, n int) {
	number := func(name string) (int, bool) {
		v, err := strconv.Atoi(os.Getenv(name))
		return v, err == nil
	}
	if id, ok := number("SLURM_ARRAY_TASK_ID"); ok {
		if first, ok := number("SLURM_ARRAY_TASK_MIN"); ok {
			if n, ok := number("SLURM_ARRAY_TASK_COUNT"); ok {
				step := 1
				if v, ok := number("SLURM_ARRAY_TASK_STEP"); ok && v > 0 {
					step = v
				}
				return (id - first) / step, n
			}
		}
	}
	if id, ok := number("JOB_COMPLETION_INDEX"); ok {
		if n, ok := number("LIMPID_SHARDS"); ok {
			return id, n
		}
	}
	return 0, 1
}
