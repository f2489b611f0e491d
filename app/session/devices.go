package session

import (
	"context"
	"errors"
	"fmt"

	"limpid"
	"limpid/engine"
	"limpid/solvers"
)

// Device is the engine's, for those who only hand it on.
type Device = engine.Device

// Devices is where a session computes.
type Devices struct {
	Main     engine.Device
	CPU      engine.Device    // where runs go on when Main fails or is too small; nil: nowhere
	Findings []limpid.Finding // what is to be said of the choice of Main
	// Survey tests and measures every device there is; nil where only Main is known.
	Survey func(ctx context.Context) []DeviceReport
}

// DeviceReport is a line of the page of settings that lists devices.
type DeviceReport struct {
	ID       string  `json:"id"` // what --device takes
	Kind     string  `json:"kind"`
	Name     string  `json:"name"`
	Detail   string  `json:"detail,omitempty"`
	Memory   int64   `json:"memory,omitempty"`   // bytes, 0: unknown
	Software bool    `json:"software,omitempty"` // used on request only
	Problem  string  `json:"problem,omitempty"`  // "": it passed the self-test
	Speed    float64 `json:"gflops"`             // of 3×3 convolutions
	Fourier  float64 `json:"fft_per_second"`     // of 256×256 transforms, there and back
}

// NewOn makes a session on devices, which stay the caller's.
func NewOn(d Devices) *Session {
	s := New(d.Main)
	s.devices = d
	return s
}

// DeviceReports lists the devices with the results of their tests, which take seconds.
func (s *Session) DeviceReports(ctx context.Context) []DeviceReport {
	if s.devices.Survey != nil {
		return s.devices.Survey(ctx)
	}
	i := s.dev.Info()
	return []DeviceReport{{ID: i.Kind, Kind: i.Kind, Name: i.Name, Detail: i.Detail, Memory: i.Memory}}
}

// deviceFailed says whether err is a device's fault, so that work can go on elsewhere.
func deviceFailed(err error) bool {
	var d *engine.DeviceError
	var m *engine.MemoryError
	return errors.As(err, &d) || errors.As(err, &m)
}

// Spare is where work that failed with err on Main can be done again, and what is to be
// said of it; nil where the failure is not the device's or there is nothing else.
func (d Devices) Spare(err error) (engine.Device, limpid.Finding) {
	if d.CPU == nil || d.CPU == d.Main || !deviceFailed(err) {
		return nil, limpid.Finding{}
	}
	return d.CPU, limpid.Finding{
		Severity: limpid.Warning, Code: "device.moved", Where: "device",
		What:   fmt.Sprintf("%s failed: %s. The work is done again on %s", d.Main.Info().Name, plain(err.Error()), d.CPU.Info().Name),
		Advice: "the result is as valid as without the failure; --device cpu avoids the device",
	}
}

// OnDevice does work that is not resumed step by step on the session's device and, where
// that fails, again from its beginning on the processor, with a finding.
func (s *Session) OnDevice(ctx context.Context, work func(engine.Device) error) ([]limpid.Finding, error) {
	d := s.devices
	d.Main = s.dev
	err := work(s.dev)
	spare, finding := d.Spare(err)
	if spare == nil || ctx.Err() != nil {
		return nil, err
	}
	return []limpid.Finding{finding}, work(spare)
}

// spare is the device to go on with when dev fails, nil if there is none.
func (s *Session) spare(dev engine.Device) engine.Device {
	if s.devices.CPU == nil || s.devices.CPU == dev {
		return nil
	}
	return s.devices.CPU
}

// moved tells of a change of device.
func moved(err error, from, to engine.Device, step int) limpid.Finding {
	at := "before the first step"
	if step > 0 {
		at = fmt.Sprintf("at step %d; the steps before it were kept", step)
	}
	return limpid.Finding{
		Severity: limpid.Warning, Code: "device.moved", Where: "device",
		What:   fmt.Sprintf("%s failed %s: %s. The run went on on %s", from.Info().Name, at, plain(err.Error()), to.Info().Name),
		Advice: "the result is as valid as without the failure; --device cpu avoids the device",
	}
}

// progress is how far a run is, so that it can go on on another device.
type progress struct {
	draws     bool // the kernel draws; else it iterates
	next      int  // step
	partial   int  // draws of step next that are in already
	meanFirst bool // the kernel's first step computes a mean
	batch     int  // of the kernel: steps from a batch of draws to the next; 0: any step may be the first
	findings  []limpid.Finding
}

// start is where the kernel begins: at the step at which another device failed, whose
// randomness depends on its number alone. A kernel that first computes a mean does so
// again.
func (p *progress) start() solvers.Options {
	first := p.next
	switch {
	case p.batch > 0 && first > 0: // a kernel of batches begins each with a preview, or in its place
		first = (first - 1) / p.batch * p.batch
	case p.meanFirst && first > 0:
		first--
	}
	return solvers.Options{First: first}
}

// take takes a step in.
func (w *work) take(step solvers.Step) error {
	st := *step.State
	step.State = &st
	given, all, before := 0, st.Count, w.sum.Draws()
	if w.draws && st.Kind == solvers.Draw {
		if step.Index == w.next && w.partial > 0 {
			n := min(w.partial, st.Count)
			given = n
			st.X, st.Count = st.X.Slice(n, st.X.Shape()[0]), st.Count-n
		}
		st.Count = min(st.Count, w.total-w.sum.Draws())
	}
	if err := w.sum.Add(step); err != nil {
		w.partial += w.sum.Draws() - before
		return err
	}
	if step.Index >= w.next { // else a batch that is walked again
		w.next, w.partial = step.Index+1, 0
	}
	if taken := given + w.sum.Draws() - before; w.draws && st.Kind == solvers.Draw && taken < all {
		w.next, w.partial = step.Index, taken // the rest of the batch is for who goes on
	}
	w.meanFirst = w.meanFirst || w.draws && step.Index == 0 && st.Kind == solvers.Estimate
	return w.problem.AddDraws(step)
}

// lastEstimate is the state an iteration goes on from, nil at the beginning and for
// kernels that draw.
func (w *work) lastEstimate() (*engine.Tensor, error) {
	if w.next == 0 || w.draws {
		return nil, nil
	}
	x, err := w.dev.Alloc(w.problem.Op.Domain())
	if err != nil {
		return nil, err
	}
	s := w.dev.NewStream()
	s.Upload(x, w.sum.GridMean())
	return x, s.Sync(context.Background())
}
