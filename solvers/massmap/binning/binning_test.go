package binning_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
)

// field makes n galaxies in a square of the given side, degrees, without lensing.
func field(n int, ra, dec, side float64) binning.Rows {
	g := rand.New(rand.NewPCG(1, 2))
	var r binning.Rows
	for range n {
		d := dec + side*(g.Float64()-0.5)
		a := ra + side*(g.Float64()-0.5)/math.Cos(d*math.Pi/180)
		r.RA, r.Dec = append(r.RA, math.Mod(a+360, 360)), append(r.Dec, d)
		r.E1, r.E2 = append(r.E1, 0.3*g.NormFloat64()), append(r.E2, 0.3*g.NormFloat64())
	}
	for i := range r.E1 { // shapes stay within what is possible
		r.E1[i], r.E2[i] = math.Max(-1, math.Min(1, r.E1[i])), math.Max(-1, math.Min(1, r.E2[i]))
	}
	return r
}

// tangential puts pure tangential shear, e = −0.1 e^{2iφ}, about a centre, in the frame
// of the sky: x to the west, y to the north.
func tangential(r binning.Rows, ra, dec float64) {
	p := massmap.Projection{Kind: massmap.Gnomonic, RA0: ra, Dec0: dec, Arcmin: 1}
	for i := range r.RA {
		x, y, c, s, _ := p.Place(r.RA[i], r.Dec[i])
		phi := math.Atan2(y+0.5, x+0.5)
		a, b := -0.1*math.Cos(2*phi), -0.1*math.Sin(2*phi) // in the plane about the centre
		r.E1[i], r.E2[i] = a*c+b*s, -a*s+b*c               // turned to the local north
	}
}

// meanTangential averages −Re(g e^{−2iφ}) about the middle of a map, beyond 5 pixels.
func meanTangential(f *massmap.Field) (tan, cross float64) {
	n := 0.0
	for i := range f.H * f.W {
		if f.Masked(i) {
			continue
		}
		x, y := float64(i%f.W)-float64(f.W)/2+0.5, float64(i/f.W)-float64(f.H)/2+0.5
		if math.Hypot(x, y) < 5 {
			continue
		}
		phi := math.Atan2(y, x)
		g1, g2 := float64(f.Shear.Pix[i]), float64(f.Shear.Pix[f.H*f.W+i])
		tan += -(g1*math.Cos(2*phi) + g2*math.Sin(2*phi))
		cross += g1*math.Sin(2*phi) - g2*math.Cos(2*phi)
		n++
	}
	return tan / n, cross / n
}

func bin(t *testing.T, r binning.Rows, o binning.Options) *massmap.Field {
	t.Helper()
	f, err := binning.Bin(context.Background(), rows(r), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestBin_FieldAcrossRAZero_IsOneField(t *testing.T) {
	here := bin(t, field(20000, 10, 5, 1), binning.Options{Arcmin: 2})
	for _, o := range []binning.Options{{Arcmin: 2}, {Arcmin: 2, Projection: massmap.FlatEast}} {
		there := bin(t, field(20000, 0, 5, 1), o)
		if there.W > here.W+2 || there.Galaxies != 20000 {
			t.Errorf("%s: %d × %d pixels with %d galaxies; away from 0 it is %d × %d", o.Projection, there.W, there.H, there.Galaxies, here.W, here.H)
		}
		ra, dec, _ := there.Projection.ToSky(float64(there.W)/2-0.5, float64(there.H)/2-0.5)
		if ra > 180 {
			ra -= 360
		}
		if math.Abs(ra) > 0.02 || math.Abs(dec-5) > 0.02 {
			t.Errorf("%s: the middle is (%.3f, %.3f)", o.Projection, ra, dec)
		}
	}
}

func TestBin_RAInHours_IsAskedForAndRead(t *testing.T) {
	r := field(20000, 150, 2, 1)
	want := bin(t, r, binning.Options{Arcmin: 2})
	for i := range r.RA {
		r.RA[i] /= 15
	}
	_, err := binning.Bin(context.Background(), rows(r), binning.Options{Arcmin: 2})
	if !errors.Is(err, massmap.ErrSetting) || !strings.Contains(err.Error(), "hours") {
		t.Errorf("hours taken for degrees: %v", err)
	}
	f := bin(t, r, binning.Options{Arcmin: 2, RAUnit: binning.Hours})
	if f.W != want.W || f.H != want.H || math.Abs(f.Projection.RA0-150) > 0.01 {
		t.Errorf("%d × %d about RA %g, want %d × %d about 150", f.W, f.H, f.Projection.RA0, want.W, want.H)
	}
	f = bin(t, r, binning.Options{Arcmin: 0.5, RAUnit: binning.Degrees}) // the user insists
	if f.H < 10*f.W {
		t.Errorf("%d × %d pixels for a field 15 times as high as wide", f.W, f.H)
	}
}

func TestBin_BadRows_AreLeftOutAndCounted(t *testing.T) {
	r := field(1000, 150, 2, 0.3)
	r.Weight, r.Z = make([]float64, 1000), make([]float64, 1000)
	for i := range r.Weight {
		r.Weight[i], r.Z[i] = 1, 0.5
	}
	r.RA[0], r.Dec[1], r.E1[2], r.E2[3] = math.NaN(), math.NaN(), math.Inf(1), math.NaN()
	r.Weight[4], r.Weight[5], r.E1[6], r.Dec[7], r.Z[8], r.Z[9] = 0, math.NaN(), -99, 95, 3, math.NaN()
	f := bin(t, r, binning.Options{Arcmin: 2, ZMin: 0.1, ZMax: 2})
	if f.Galaxies != 990 {
		t.Errorf("%d galaxies, want 990: %v", f.Galaxies, f.Dropped)
	}
	total := 0
	for _, n := range f.Dropped {
		total += n
	}
	if total != 10 || len(f.Dropped) != 5 {
		t.Errorf("dropped %v, want 10 for 5 reasons", f.Dropped)
	}
}

func TestBin_NothingUsable_SaysWhy(t *testing.T) {
	r := field(100, 150, 2, 0.3)
	for i := range r.E1 {
		r.E1[i] = math.NaN()
	}
	_, err := binning.Bin(context.Background(), rows(r), binning.Options{})
	if !errors.Is(err, massmap.ErrEmpty) || !strings.Contains(err.Error(), "100 with a value that is not a number") {
		t.Errorf("all NaN: %v", err)
	}
	if _, err = binning.Bin(context.Background(), rows(binning.Rows{}), binning.Options{}); !errors.Is(err, massmap.ErrEmpty) {
		t.Errorf("no rows: %v", err)
	}
	r = field(100, 150, 2, 0.3)
	if _, err = binning.Bin(context.Background(), rows(r), binning.Options{Arcmin: 1, W: 20, H: 20, Center: &[2]float64{10, 10}}); !errors.Is(err, massmap.ErrEmpty) {
		t.Errorf("map elsewhere: %v", err)
	}
	if _, err = binning.Bin(context.Background(), rows(r), binning.Options{Arcmin: 2, MinGalaxies: 1000}); !errors.Is(err, massmap.ErrEmpty) {
		t.Errorf("all masked: %v", err)
	}
}

// Over 20° the tangential shear about the middle stays tangential (the turn of north is
// followed), and the flatness is said.
func TestBin_FieldOf20Degrees_RotatesShearAndWarns(t *testing.T) {
	for _, dec := range []float64{0, 60, -75} {
		r := field(40000, 30, dec, 20)
		if dec != 0 {
			r = field(40000, 30, dec, 10)
		}
		tangential(r, 30, dec)
		f := bin(t, r, binning.Options{Arcmin: 15, Center: &[2]float64{30, dec}, W: 80, H: 80})
		tan, cross := meanTangential(f)
		if math.Abs(tan-0.1) > 0.002 || math.Abs(cross) > 0.0005 {
			t.Errorf("Dec %g: tangential shear %.4f, cross %.4f, want 0.1 and 0", dec, tan, cross)
		}
		warned := false
		for _, x := range f.Findings {
			warned = warned || x.Code == "shear.flat"
		}
		if !warned {
			t.Errorf("Dec %g: nothing said of the flat sky", dec)
		}
	}
	if _, err := binning.Bin(context.Background(), rows(field(1000, 30, 0, 100)), binning.Options{Arcmin: 30}); !errors.Is(err, massmap.ErrSetting) {
		t.Errorf("100°: %v", err)
	}
}

// The same shear on the sky in every frame of catalogues gives the same tangential shear.
func TestBin_Frames_AgreeOnTheSky(t *testing.T) {
	west := field(20000, 150, 2, 1)
	tangential(west, 150, 2)
	for frame, sign := range map[binning.Frame][2]float64{binning.West: {1, 1}, binning.East: {1, -1}, binning.IAU: {-1, -1}} {
		for _, kind := range []massmap.ProjectionKind{massmap.Gnomonic, massmap.FlatEast} {
			r := west
			r.E1, r.E2 = make([]float64, len(west.E1)), make([]float64, len(west.E2))
			for i := range r.E1 {
				r.E1[i], r.E2[i] = sign[0]*west.E1[i], sign[1]*west.E2[i]
			}
			f := bin(t, r, binning.Options{Arcmin: 1, Projection: kind, Frame: frame, Center: &[2]float64{150, 2}, W: 60, H: 60})
			if tan, cross := meanTangential(f); math.Abs(tan-0.1) > 0.002 || math.Abs(cross) > 0.0005 {
				t.Errorf("%s, %s: tangential %.4f, cross %.4f", frame, kind, tan, cross)
			}
		}
	}
}

func TestBin_Weights_GiveTheNoiseOfTheMean(t *testing.T) {
	r := field(60000, 150, 2, 1)
	r.Weight = make([]float64, len(r.RA))
	for i := range r.Weight {
		r.Weight[i] = 0.2 + float64(i%7)
		r.E1[i] *= 1 / math.Sqrt(r.Weight[i]) // weights are inverse variances, up to a factor
		r.E2[i] *= 1 / math.Sqrt(r.Weight[i])
	}
	for _, noise := range []binning.Noise{binning.FromWeights, binning.InverseVariance} {
		f := bin(t, r, binning.Options{Arcmin: 2, Noise: noise})
		var chi2, n float64
		for i, w := range f.Weights.Pix {
			if w > 0 {
				chi2, n = chi2+float64(w)*math.Pow(float64(f.Shear.Pix[i]), 2), n+1
			}
		}
		want := 1.0
		if noise == binning.InverseVariance {
			want = 0.09 // the shapes have 0.3²/weight
		}
		// weights that differ within a pixel make σ² common to all an approximation
		if math.Abs(chi2/n/want-1) > 0.12 {
			t.Errorf("%s: χ²/n %.3f, want %.3f", noise, chi2/n, want)
		}
	}
}

func TestBin_ImpossibleOptions_AreErrors(t *testing.T) {
	r := field(100, 150, 2, 0.3)
	for name, o := range map[string]binning.Options{
		"projection": {Projection: "mollweide"},
		"frame":      {Frame: "up"},
		"noise":      {Noise: "none"},
		"unit":       {RAUnit: "rad"},
		"pixel":      {Arcmin: -1},
		"NaN":        {Arcmin: math.NaN()},
		"size":       {W: 1 << 20},
		"redshift":   {ZMin: 2, ZMax: 1},
		"fine":       {Arcmin: 1e-4},
	} {
		if _, err := binning.Bin(context.Background(), rows(r), o); !errors.Is(err, massmap.ErrSetting) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProjection_ThereAndBack_Agree(t *testing.T) {
	for _, p := range []massmap.Projection{
		{Kind: massmap.Gnomonic, RA0: 359.9, Dec0: 70, Arcmin: 1, W: 300, H: 200},
		{Kind: massmap.FlatEast, RA0: 0.1, Dec0: -3, Arcmin: 0.5, W: 300, H: 201},
	} {
		for _, q := range [][2]float64{{0, 0}, {299, 199}, {149.5, 99.5}, {10, 150}} {
			ra, dec, ok := p.ToSky(q[0], q[1])
			x, y, ok2 := p.ToPixel(ra, dec)
			if !ok || !ok2 || math.Abs(x-q[0]) > 1e-6 || math.Abs(y-q[1]) > 1e-6 {
				t.Errorf("%s: %v → (%g, %g) → (%g, %g)", p.Kind, q, ra, dec, x, y)
			}
		}
	}
}

// The turn of north, against differences along the meridian.
func TestProjection_North_TurnsAsTheMeridianDoes(t *testing.T) {
	p := massmap.Projection{Kind: massmap.Gnomonic, RA0: 100, Dec0: 60, Arcmin: 1, W: 10, H: 10}
	for _, q := range [][2]float64{{110, 62}, {90, 55}, {100, 65}, {130, 70}} {
		x0, y0, _ := p.ToPixel(q[0], q[1]-1e-4)
		x1, y1, _ := p.ToPixel(q[0], q[1]+1e-4)
		alpha := math.Atan2(-(x1 - x0), y1-y0) // of e_x against the columns
		_, _, c, s, _ := p.Place(q[0], q[1])
		if math.Abs(c-math.Cos(2*alpha)) > 1e-6 || math.Abs(s-math.Sin(2*alpha)) > 1e-6 {
			t.Errorf("%v: (%.6f, %.6f), want (%.6f, %.6f)", q, c, s, math.Cos(2*alpha), math.Sin(2*alpha))
		}
	}
}

// Rows are placed and summed by as many goroutines as there are processors; no bit of the
// map depends on how many.
func TestBin_OneOrThreeProcessors_SameBits(t *testing.T) {
	r := field(20000, 150, 2, 1)
	r.Weight = make([]float64, len(r.RA))
	for i := range r.Weight {
		r.Weight[i] = 0.1 + float64(i%7)
	}
	r.E1[5] = math.NaN()
	var maps []*massmap.Field
	for _, n := range []int{1, 3} {
		old := runtime.GOMAXPROCS(n)
		maps = append(maps, bin(t, r, binning.Options{Arcmin: 1}))
		runtime.GOMAXPROCS(old)
	}
	a, b := maps[0], maps[1]
	if a.Galaxies != 19999 || a.Galaxies != b.Galaxies || a.SigmaE != b.SigmaE || !slices.Equal(a.Count, b.Count) {
		t.Errorf("%d and %d galaxies, dispersions %v and %v", a.Galaxies, b.Galaxies, a.SigmaE, b.SigmaE)
	}
	if !slices.Equal(a.Shear.Pix, b.Shear.Pix) || !slices.Equal(a.Weights.Pix, b.Weights.Pix) {
		t.Error("the maps differ")
	}
}
