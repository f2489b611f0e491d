package calibration_test

import (
	"math"
	"testing"

	"limpid/app/calibration"
	"limpid/engine/cpu"
	"limpid/solvers/calibrate"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// Pairs that are kept have the S/N that was asked for, of the scene before the PSF, and the draws that their mean is of.
func TestRun_SceneSNR_KeptPairs(t *testing.T) {
	psf, err := observe.AnalyticPSF(observe.PSFGaussian, 2.5, 0, 7)
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	const snr, draws = 40.0, 8
	kept := 0
	o := calibration.Options{
		Prior: "galaxies", PSF: psf, Side: 16, Margin: 2, Pairs: calibrate.LeastPairs, Draws: draws, Budget: deconv.Quick,
		Single: true, SceneSNR: true, LowSNR: snr, HighSNR: snr, Seed: 5,
		Keep: func(k calibration.Kept) {
			kept++
			var square float64
			for i, v := range k.Truth {
				square += float64(v) * float64(v)
				var mean float64
				for _, d := range k.Draws {
					mean += float64(d[i]) / draws
				}
				if math.Abs(mean-float64(k.Mean[i])) > 1e-4*(1+math.Abs(mean)) {
					t.Fatalf("pair %d, pixel %d: mean %g of draws that average %g", kept, i, k.Mean[i], mean)
				}
			}
			if got := math.Sqrt(square); len(k.Draws) != draws || math.Abs(got/snr-1) > 1e-4 {
				t.Errorf("pair %d: %d draws, S/N %.3f", kept, len(k.Draws), got)
			}
		},
	}
	rep, err := calibration.Run(t.Context(), dev, o, func(calibration.Status) {})
	if err != nil {
		t.Fatal(err)
	}
	if kept != o.Pairs || !rep.Scene || rep.Shapes == nil || !(rep.Shapes.Modulus > 0) {
		t.Errorf("%d of %d pairs, %+v", kept, o.Pairs, rep.Shapes)
	}
	o.TotalSNR = true
	if _, err := calibration.Run(t.Context(), dev, o, nil); err == nil {
		t.Error("S/N of the scene and of its image was taken")
	}
}
