package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"limpid/app/session"
	"limpid/engine"
)

// devices finds the device a name asks for.
func (e *Env) devices(ctx context.Context, name string) (session.Devices, error) {
	if e.Devices != nil {
		return e.Devices(ctx, name)
	}
	dev, err := e.NewDevice(name)
	return session.Devices{Main: dev}, err
}

func closeDevices(d session.Devices) {
	d.Main.Close()
	if d.CPU != nil && d.CPU != d.Main {
		d.CPU.Close()
	}
}

// onDevice does work that is not resumed step by step on the device a name asks for and,
// where that fails, again from its beginning on the processor. What is to be said of the
// device goes to e.Err.
func (e *Env) onDevice(ctx context.Context, name string, work func(engine.Device) error) error {
	d, err := e.devices(ctx, name)
	if err != nil {
		return err
	}
	defer closeDevices(d)
	for _, f := range d.Findings {
		fmt.Fprintln(e.Err, f)
	}
	err = work(d.Main)
	spare, finding := d.Spare(err)
	if spare == nil || ctx.Err() != nil {
		return err
	}
	fmt.Fprintln(e.Err, finding)
	return work(spare)
}

// listDevices tests and measures every device.
func listDevices(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "devices")
	asJSON := f.Bool("json", false, "")
	if err := f.parse(args, 0, "no operand"); err != nil {
		return err
	}
	d, err := e.devices(ctx, "cpu")
	if err != nil {
		return err
	}
	defer closeDevices(d)
	list := session.NewOn(d).DeviceReports(ctx)
	if *asJSON {
		text, err := json.MarshalIndent(list, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(e.Out, string(text))
		return nil
	}
	for _, r := range list {
		fmt.Fprintf(e.Out, "%-10s %s\n", r.ID, r.Name)
		if r.Detail != "" {
			fmt.Fprintf(e.Out, "%10s %s\n", "", r.Detail)
		}
		memory := "memory unknown"
		if r.Memory > 0 {
			memory = engine.Bytes(r.Memory)
		}
		switch {
		case r.Problem != "":
			fmt.Fprintf(e.Out, "%10s not used: %s\n", "", r.Problem)
		default:
			fmt.Fprintf(e.Out, "%10s %s · self-test passed · convolutions %.3g GFLOP/s · %.3g transforms of 256²/s\n", "", memory, r.Speed, r.Fourier)
		}
		if r.Software && r.Problem == "" {
			fmt.Fprintf(e.Out, "%10s a processor that plays a graphics card: used with --device %s only\n", "", r.ID)
		}
	}
	return nil
}
