// Package devices brings the backends of this build and the session together.
package devices

import (
	"context"
	"errors"
	"fmt"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/engine/cpu"
	"limpid/gpu/choose"
)

// Open finds the device that request asks for (see choose.Chooser). The processor stands
// by.
func Open(ctx context.Context, request string, o cpu.Options) (session.Devices, error) {
	c := &choose.Chooser{CPU: cpu.New(o), Cache: choose.CacheFile()}
	c.Backends = choose.All(c.CPU.Info().Memory)
	got, err := c.Choose(ctx, request)
	if err != nil {
		c.CPU.Close()
		if !errors.Is(err, ctx.Err()) || ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", recipe.ErrInvalid, err)
		}
		return session.Devices{}, err
	}
	return session.Devices{
		Main: got.Device, CPU: c.CPU, Findings: append([]limpid.Finding(nil), got.Findings...),
		Survey: func(ctx context.Context) []session.DeviceReport {
			var list []session.DeviceReport
			for _, r := range c.Survey(ctx) {
				list = append(list, session.DeviceReport(r))
			}
			return list
		},
	}, nil
}
