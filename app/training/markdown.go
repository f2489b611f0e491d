package training

import (
	"fmt"
	"strings"

	"limpid/priors/card"
)

// Markdown is a model card for people.
func Markdown(c card.Card) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", c.Name, c.About)
	fmt.Fprintf(&b, "| | |\n|---|---|\n| kind | %s |\n| learned from | %s |\n", c.Kind, c.Scenes)
	for _, t := range c.Trained {
		fmt.Fprintf(&b, "| trained by | `%s` |\n", t)
	}
	fmt.Fprintf(&b, "| seed, steps | %d, %d |\n| network | U-Net, channels %v, %d block(s) per level |\n", c.Seed, c.Steps, c.UNet.Channels, c.UNet.Blocks)
	fmt.Fprintf(&b, "| loss on held-out scenes | %.4f |\n", c.Loss)
	switch c.Kind {
	case card.Score:
		fmt.Fprintf(&b, "| peak signal to noise of the training | %g to %g, in any unit |\n", c.LowSNR, c.HighSNR)
	case card.Mean, card.Median:
		fmt.Fprintf(&b, "| peak signal to noise of the training | %g to %g, in any unit |\n| point spread | Gaussian, FWHM %g pixels |\n", c.LowSNR, c.HighSNR, c.FWHM)
	case card.Shear:
		fmt.Fprintf(&b, "| noise of the training | %g to %g, of a component of the shear in a pixel |\n| pixel | %g′ |\n", c.Low, c.High, c.Arcmin)
	case card.Hybrid:
		fmt.Fprintf(&b, "| noise of the training | %g to %g, in the unit of the map |\n| pixel | %g′ |\n", c.Low, c.High, c.Arcmin)
	}
	fmt.Fprintf(&b, "\n## Range of validity\n\n%s\n", c.Validity)
	if len(c.Measured) > 0 {
		fmt.Fprintf(&b, "\n## Denoising\n\nMean square error over σ² on held-out scenes. The Wiener filter has the true power spectrum; starlet and TV have, at each noise level, the threshold that does best on these scenes.\n\n| σ / std of the image | Wiener | starlet | TV | learned |\n|---|---|---|---|---|\n")
		for _, r := range c.Measured {
			fmt.Fprintf(&b, "| %g | %.4f | %.4f | %.4f | **%.4f** |\n", r.Level, r.Wiener, r.Starlet, r.TV, r.Learned)
		}
	}
	if e := c.Errors; e != nil {
		fmt.Fprintf(&b, "\n## Errors beside what the derivative says\n\nOn %d held-out scenes: the mean square error over the local mean of the diagonal of σ² ∂D/∂x, by the latter over σ² and how bright the denoised pixel is. Samplers use it.\n\n| believed, of σ² |", e.Scenes)
		for _, v := range e.Bright {
			fmt.Fprintf(&b, " %.2g σ |", v)
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(e.Bright)) + "\n")
		for i, v := range e.Believed {
			if v > 0.001 && v < 1 {
				fmt.Fprintf(&b, "| %.2g |", v)
				for _, row := range e.Variance {
					fmt.Fprintf(&b, " %.2f |", row[i])
				}
				b.WriteString("\n")
			}
		}
		if len(e.Rough) > 0 {
			fmt.Fprintf(&b, "\nBesides, by how rough the denoised scene is there (mean square of what blurring by 1.7 px takes away, over the mean square), at scales coarser and finer than 0.2 cycles per pixel:\n\n| roughness | faint, coarse | faint, fine | bright, coarse | bright, fine |\n|---|---|---|---|---|\n")
			for i, v := range e.Rough {
				fmt.Fprintf(&b, "| %.2g | %.2f | %.2f | %.2f | %.2f |\n", v, e.Coarse[0][i], e.Fine[0][i], e.Coarse[1][i], e.Fine[1][i])
			}
		}
	}
	if c.Typical != nil {
		fmt.Fprintf(&b, "\n## Test for images unlike these\n\nOn tiles of 64 pixels; one of a hundred tiles like the training's fails. Statistics at 1, 50 and 99 %% of the tiles:\n\n")
		for i, n := range c.Typical.Names {
			q := c.Typical.Values[i]
			at := func(p float64) float64 { return q[int(p*float64(len(q)-1)+0.5)] }
			fmt.Fprintf(&b, "- %s: %.3g, %.3g, %.3g\n", n, at(0.01), at(0.5), at(0.99))
		}
	}
	return b.String()
}
