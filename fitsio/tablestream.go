package fitsio

import (
	"context"
	"fmt"
	"runtime"

	"limpid/fitsio/internal/pixels"
)

// streamBytes is how much of a table one block of Stream holds.
const streamBytes = 2 << 20

// Stream reads numeric columns of one number per row block by block, in order, so that
// a table may be larger than memory: do gets the index of the first row and one slice
// per name, values as Float64 gives them. The slices are valid during the call only.
// Blocks are decoded on other goroutines while do works; do itself is called from this
// one, block after block. An error of do ends the reading and is returned as it is.
// ASCII tables and tables packed by fpack are read as a whole first.
func (t *Table) Stream(ctx context.Context, names []string, do func(first int, cols [][]float64) error) error {
	cols := make([]*Column, len(names))
	for i, name := range names {
		c, err := t.column(name)
		if err != nil {
			return err
		}
		if _, _, _, number := c.numeric(); c.Var != 0 || c.Repeat != 1 || (!number && c.Type != 'L') || c.Type == 'C' || c.Type == 'M' {
			if t.h.Kind != ASCIITable || c.Type == 'A' {
				return t.fail(c, fmt.Errorf("format %s is not one number per row: %w", c.Form, ErrUnsupported))
			}
		}
		cols[i] = c
	}
	if t.h.Kind == ASCIITable || t.packed != nil {
		return t.streamWhole(ctx, names, do)
	}
	return t.streamBlocks(ctx, cols, do)
}

// streamWhole serves tables that have no rows of plain bytes.
func (t *Table) streamWhole(ctx context.Context, names []string, do func(int, [][]float64) error) error {
	all := make([][]float64, len(names))
	for i, name := range names {
		var err error
		if all[i], err = t.Float64(ctx, name); err != nil {
			return err
		}
	}
	if t.Rows == 0 {
		return nil
	}
	return do(0, all)
}

// block is a run of rows on its way from a decoder.
type block struct {
	first, rows int
	raw         []byte
	scratch     []byte // one column's bytes
	cols        [][]float64
	err         error
	ready       chan struct{}
}

func (t *Table) streamBlocks(ctx context.Context, cols []*Column, do func(int, [][]float64) error) error {
	h := t.h
	if h.rowLen == 0 || t.Rows == 0 {
		return nil
	}
	per := max(1, streamBytes/int(h.rowLen))
	workers := h.file.opt.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	free, todo, order := make(chan *block, workers+1), make(chan *block), make(chan *block, workers+1)
	done := make(chan struct{}, workers+1)
	defer func() { // no goroutine outlives the call
		cancel()
		for range workers + 1 {
			<-done
		}
	}()
	for range workers + 1 {
		b := &block{raw: make([]byte, per*int(h.rowLen)), ready: make(chan struct{}, 1)}
		for range cols {
			b.cols = append(b.cols, make([]float64, per))
		}
		free <- b
	}
	go func() {
		defer func() { done <- struct{}{} }()
		defer close(order)
		defer close(todo)
		for first := 0; first < t.Rows; first += per {
			select {
			case b := <-free:
				b.first, b.rows = first, min(per, t.Rows-first)
				order <- b
				select {
				case todo <- b:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	for range workers {
		go func() {
			defer func() { done <- struct{}{} }()
			for b := range todo {
				b.err = t.decodeBlock(b, cols)
				b.ready <- struct{}{}
			}
		}()
	}
	return t.deliver(ctx, order, free, do)
}

// deliver hands blocks out in order.
func (t *Table) deliver(ctx context.Context, order, free chan *block, do func(int, [][]float64) error) error {
	cut := [][]float64{}
	for b := range order {
		select {
		case <-b.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if b.err != nil {
			return t.h.fail(b.err)
		}
		cut = cut[:0]
		for _, c := range b.cols {
			cut = append(cut, c[:b.rows])
		}
		if err := do(b.first, cut); err != nil {
			return err
		}
		free <- b
	}
	return ctx.Err()
}

// decodeBlock reads the rows of b and converts its columns.
func (t *Table) decodeBlock(b *block, cols []*Column) error {
	rowLen := int(t.h.rowLen)
	raw := b.raw[:b.rows*rowLen]
	if err := t.h.readAt(raw, int64(b.first)*t.h.rowLen); err != nil {
		return err
	}
	for i, c := range cols {
		b.scratch = c.gather(b.scratch[:0], raw, t.h.rowLen)
		if c.Type == 'L' {
			v, err := c.floats(b.scratch, b.rows)
			if err != nil {
				return err
			}
			copy(b.cols[i], v)
			continue
		}
		bitpix, _, s, _ := c.numeric()
		pixels.Decode(b.cols[i][:b.rows], b.scratch, bitpix, s)
	}
	return nil
}
