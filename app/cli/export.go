package cli

import (
	"context"
	"fmt"

	"limpid/app/session"
)

// export draws the figure of a result file again.
func export(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "export")
	fig := f.String("figure", "", "")
	f.StringVar(fig, "o", "", "")
	band := f.Int("band", 0, "")
	if err := f.parse(args, 1, "one result file"); err != nil {
		return err
	}
	if *fig == "" {
		return usageError{"name the figure: --figure OUT.png, .pdf or .svg, OUT.tif (the mean in 16 bits) or OUT.gif (the samples)"}
	}
	if err := session.FigureOf(ctx, f.operands[0], *band, *fig); err != nil {
		return err
	}
	fmt.Fprintln(e.Out, "wrote", *fig)
	return nil
}
