package deconv

import (
	"context"
	"errors"
	"fmt"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/mcmc"
	"limpid/solvers/mcmc/anneal"
	"limpid/solvers/operator"
)

// Sides of tiles that are accepted.
const (
	SmallestTile = 128
	LargestTile  = 4096
)

// MostTiledResolution is the widest target resolution, in pixels, that scenes are smoothed
// to tile by tile: three times it must lie within what tiles share.
const MostTiledResolution = 20

// ErrTile marks tiles that cannot be.
var ErrTile = errors.New("tiles")

// Tiles reports whether a method can work tile by tile.
func (m Method) Tiles() bool { return m == Gaussian || m == Learned || m == Wiener }

// overlapOf is what tiles of side pixels share of the data: within half of it from a tile's
// edge its scene lacks what the neighbour sees.
func overlapOf(side int, psf solvers.Image) int {
	return min(max(96, 2*max(psf.H, psf.W)), side/2)
}

// tilingOf cuts an image of c × h × w pixels; align is what the sides of grids are multiples of.
func tilingOf(h, w, side int, psf solvers.Image, align int) (*operator.Tiling, error) {
	grid := func(h, w int) operator.Grid {
		return operator.NewGrid(psf.C, h, w, psf.H, psf.W).Aligned(align)
	}
	t, err := operator.NewTiling(h, w, side, overlapOf(side, psf), grid)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTile, err)
	}
	return t, nil
}

// batchOf is how many scenes of a tiled image are held at once.
func batchOf(m Method, t *operator.Tiling) int {
	const pixels = 1 << 27 // of whole scenes
	most := max(pixels/t.Whole.Domain().Len(), 2)
	if m == Learned {
		return min(BatchOf(t.Tile.Domain()), most)
	}
	return min(max(mcmc.DrawsPerStep(t.Tile.Domain()), 4), most)
}

// TileMemory is Memory, and ColourMemory where noise is correlated, for tiles of side pixels: those of one tile, and of whole
// scenes and images. In bytes.
func TileMemory(m Method, h, w int, psf solvers.Image, side int, correlated bool) (int64, error) {
	t, err := tilingOf(h, w, side, psf, 1)
	if err != nil {
		return 0, err
	}
	whole, tile := int64(t.Whole.Domain().Len())*4, int64(t.Tile.Domain().Len())*4
	b := int64(batchOf(m, t))
	one := Memory(m, psf.C, t.Tile.ImgH, t.Tile.ImgW, psf.H, psf.W)
	if m != Learned {
		one += tile * 10 * b
	}
	if correlated {
		one += colourMemory(t.Tile.Range().Len(), int(b)) + colourMemory(t.Whole.Range().Len(), 1)
	}
	return (b+7)*whole + one, nil // the batch, the mean, and what residuals take
}

// tiled draws scenes of an image tile by tile. The noise that a draw is made of belongs to
// the image's pixels, so that tiles which overlap make the same draw there but for what
// each sees alone of the data; in the middle of the overlap one passes into the other.
//
// The first step is the mean under a Gaussian prior. Of every later step each is one
// tile of a batch of draws, which the last of them completes.
type tiled struct {
	p      *Problem
	set    Settings
	t      *operator.Tiling
	noise  *operator.Noise
	prior  LearnedPrior // nil: Gaussian
	psf    *operator.Convolution
	share  *engine.Tensor // (H, W) of a tile
	sum    *engine.Tensor // (draws, C, H, W) of the whole grid
	mean   *engine.Tensor // (C, H, W)
	refs   []string
	key    engine.Key // of the batch
	tile   int        // −1: the mean comes next
	state  solvers.State
	stream engine.Stream
}

// tiles makes the kernel that works tile by tile.
func (p *Problem) tiles(ctx context.Context, set Settings) error {
	if !set.Method.Tiles() || set.Tile < SmallestTile || set.Tile > LargestTile {
		return fmt.Errorf("%w of %d pixels with method %s: gaussian, learned and wiener take tiles of %d to %d", ErrTile, set.Tile, set.Method, SmallestTile, LargestTile)
	}
	if p.Obs.Field.Nodes != nil {
		return fmt.Errorf("%w: tiles take one PSF", ErrOperator)
	}
	if p.Obs.Exposures != nil {
		return fmt.Errorf("%w: tiles take one image: work on a cut-out", ErrExposures)
	}
	k := &tiled{p: p, set: set, stream: p.stream}
	p.Kernel = k
	align := 1
	if set.Method == Learned {
		if set.Load == nil {
			return fmt.Errorf("deconv: no learned prior was given")
		}
		prior, err := set.Load(p.dev, p.stream)
		if err != nil {
			return err
		}
		p.closers = append(p.closers, prior.Close)
		k.prior, align = prior, prior.Align()
	} else {
		p.Findings = append(p.Findings, gaussianFinding(set.Method))
	}
	var err error
	if k.t, err = tilingOf(p.Obs.Data.H, p.Obs.Data.W, set.Tile, p.Obs.PSF, align); err != nil {
		return err
	}
	p.tiling, p.Grid, p.draws = k.t, k.t.Whole, batchOf(set.Method, k.t)
	op, err := operator.NewTiled(p.dev, p.stream, p.Obs.PSF, k.t)
	if err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	p.Op = op
	if err := p.whiten(k.t.Tile, 1); err != nil {
		return err
	}
	if err := p.fitSpectra(ctx, set, p.Obs); err != nil {
		return err
	}
	if k.psf, err = operator.NewConvolutionOn(p.dev, p.stream, p.Obs.PSF, k.t.Tile, p.draws); err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	if k.noise, err = operator.NewNoise(p.dev); err != nil {
		return fmt.Errorf("deconv: %w", err)
	}
	g := k.t.Tile
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{
		{&k.share, engine.Shape{g.H, g.W}},
		{&k.sum, append(engine.Shape{p.draws}, p.Grid.Domain()...)},
		{&k.mean, p.Grid.Domain()},
	} {
		if *a.t, err = p.dev.Alloc(a.shape); err != nil {
			return fmt.Errorf("deconv: tiles of a %d×%d image: %w", p.Grid.ImgW, p.Grid.ImgH, err)
		}
	}
	return p.misfit.init(p)
}

// TileCount is the rows and columns of tiles, 1 for one grid, and the pixels that they share.
func (p *Problem) TileCount() (rows, cols, overlap int) {
	if p.tiling == nil {
		return 1, 1, 0
	}
	return len(p.tiling.Rows), len(p.tiling.Cols), p.tiling.Overlap
}

// StepsPerBatch is the number of tiles.
func (k *tiled) StepsPerBatch() int { return k.t.Count() }

// Init begins with the mean.
func (k *tiled) Init(context.Context, *engine.Tensor) (*solvers.State, error) {
	k.tile = -1
	k.state = solvers.State{Stream: k.stream}
	return &k.state, k.stream.Err()
}

// Step is the mean, or one tile.
func (k *tiled) Step(ctx context.Context, key engine.Key, st *solvers.State) (solvers.Info, error) {
	if k.tile < 0 {
		info, err := k.means(ctx)
		st.X, st.Count, st.Kind = k.mean.Reshape(append(engine.Shape{1}, k.mean.Shape()...)...), 1, solvers.Estimate
		if k.prior != nil {
			st.Kind = solvers.Preview
		}
		k.tile = 0
		return info, err
	}
	if k.tile == 0 {
		k.key = key
		k.stream.Fill(k.sum, 0)
		if err := k.stream.Sync(ctx); err != nil {
			return solvers.Info{}, err
		}
	}
	st.X, st.Count, st.Kind = k.sum, k.p.draws, solvers.Warmup
	info, err := k.draw(ctx, k.tile)
	if err != nil {
		return info, err
	}
	if k.tile++; k.tile == k.t.Count() {
		k.tile, st.Kind = 0, solvers.Draw
		if k.prior == nil {
			k.stream.Add(k.sum, k.sum, k.mean)
		}
	}
	return info, k.stream.Sync(ctx)
}

// means fills mean.
func (k *tiled) means(ctx context.Context) (solvers.Info, error) {
	var all solvers.Info
	k.stream.Fill(k.mean, 0)
	if err := k.stream.Sync(ctx); err != nil {
		return all, err
	}
	for i := range k.t.Count() {
		kernel, err := k.exact(ctx, i, true)
		if err != nil {
			return all, err
		}
		info, err := k.place(ctx, kernel, i, k.mean)
		if err != nil {
			return all, err
		}
		all.Iterations, all.Residual = max(all.Iterations, info.Iterations), max(all.Residual, info.Residual)
	}
	return all, k.stream.Sync(ctx)
}

// draw adds a tile of the batch to sum.
func (k *tiled) draw(ctx context.Context, i int) (solvers.Info, error) {
	kernel, err := k.sampler(ctx, i)
	if err != nil {
		return solvers.Info{}, err
	}
	return k.place(ctx, kernel, i, k.sum)
}

// sampler draws a batch of tile i.
func (k *tiled) sampler(ctx context.Context, i int) (solvers.Kernel, error) {
	if k.prior == nil {
		return k.exact(ctx, i, false)
	}
	o, err := k.cut(i)
	if err != nil {
		return nil, err
	}
	cfg := k.p.walk(k.set, k.prior, o.op, k.t.Tile, &o.Observation)
	cfg.White, cfg.NoPreview = k.white(i), true
	kernel, err := anneal.NewBridge(k.p.dev, cfg)
	if err != nil {
		o.free()
		return nil, fmt.Errorf("deconv: %w", err)
	}
	return freeing{kernel, o.free}, nil
}

// white gives tile i the noise of its pixels, to scenes and to images.
func (k *tiled) white(i int) solvers.White {
	row, col := k.t.At(i)
	return func(s engine.Stream, dst *engine.Tensor, key engine.Key) {
		k.noise.Row, k.noise.Col = row, col
		if d := dst.Shape(); d[len(d)-2] == k.t.Tile.H && d[len(d)-1] == k.t.Tile.W {
			k.noise.Row, k.noise.Col = row-k.t.Tile.Row, col-k.t.Tile.Col
		}
		k.noise.Fill(s, dst, key)
	}
}

// cutOut is what kernels see of a tile: data and weights (C, h, w) of its pixels through op, made white where their noise is
// correlated.
type cutOut struct {
	solvers.Observation
	op   operator.Powered
	free func() // once the kernel is closed
}

func (k *tiled) cut(i int) (cutOut, error) {
	all := k.p.Obs
	o := cutOut{
		Observation: solvers.Observation{Data: k.t.Cut(all.Data, i), Weights: k.t.Cut(all.Weights, i)},
		op:          k.psf, free: func() {},
	}
	if all.Colour == nil {
		return o, nil
	}
	w, err := operator.NewWhitening(o.Weights, all.Colour)
	if err != nil {
		return o, fmt.Errorf("deconv: tile %d: %w", i+1, err)
	}
	op, err := operator.NewWhitened(k.p.dev, k.psf, k.t.Tile, w, o.Weights, all.Colour, k.p.draws)
	if err != nil {
		return o, fmt.Errorf("deconv: tile %d: %w", i+1, err)
	}
	w.Apply(o.Data.Pix, o.Data.Pix)
	o.Weights, o.op, o.free = w.White, op, op.Close
	return o, nil
}

// exact gives the mean of tile i under a Gaussian prior, or draws of what is about it.
func (k *tiled) exact(ctx context.Context, i int, mean bool) (solvers.Kernel, error) {
	o, err := k.cut(i)
	if err != nil {
		return nil, err
	}
	batch, white := 1, solvers.White(nil)
	if !mean {
		batch, white = k.p.draws, k.white(i)
	}
	if k.p.Obs.Colour != nil {
		kernel, free, err := k.p.latentOf(ctx, o.op, mcmc.LatentExactConfig{Data: o.Data, Weights: o.Weights, Batch: batch, White: white, Deviations: !mean})
		if err != nil {
			o.free()
			return nil, fmt.Errorf("deconv: %w", err)
		}
		return freeing{kernel, func() { free(); o.free() }}, nil
	}
	kernel, err := mcmc.NewExact(k.p.dev, k.psf, mcmc.ExactConfig{
		Data: o.Data, Weights: o.Weights, Spectra: k.p.Spectra, Batch: batch, White: white, Deviations: !mean,
	})
	if err != nil {
		return nil, fmt.Errorf("deconv: %w", err)
	}
	return kernel, nil
}

// freeing is a kernel that frees what it was made of when it is closed.
type freeing struct {
	solvers.Kernel
	free func()
}

// Close frees the kernel, and then that.
func (k freeing) Close() {
	k.Kernel.Close()
	k.free()
}

// place runs a kernel of tile i until it gives scenes and adds them, weighted, to dst; it
// closes the kernel.
func (k *tiled) place(ctx context.Context, kernel solvers.Kernel, i int, dst *engine.Tensor) (solvers.Info, error) {
	defer kernel.Close()
	if k.refs == nil || dst == k.sum {
		k.refs = kernel.References()
	}
	st, err := kernel.Init(ctx, nil)
	if err != nil {
		return solvers.Info{}, err
	}
	for step := uint64(0); ; step++ {
		info, err := kernel.Step(ctx, k.key.Fold(step), st)
		if err != nil {
			return info, err
		}
		if st.Kind == solvers.Warmup {
			continue
		}
		s := st.Stream
		row, col := k.t.At(i)
		s.Upload(k.share, k.t.Weights(i))
		s.Mul(st.X, st.X, k.share)
		s.AddWindow(dst.Reshape(append(engine.Shape{st.Count}, k.p.Grid.Domain()...)...), st.X.Slice(0, st.Count), row, col)
		return info, s.Sync(ctx)
	}
}

// References are those of the kernel within a tile.
func (k *tiled) References() []string { return k.refs }

// Close frees the kernel's tensors.
func (k *tiled) Close() {
	if k.psf != nil {
		k.psf.Close()
	}
	if k.noise != nil {
		k.noise.Close()
	}
	for _, t := range []*engine.Tensor{k.share, k.sum, k.mean} {
		t.Free()
	}
}
