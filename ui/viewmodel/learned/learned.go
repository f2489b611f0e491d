// Package learned is the page of priors without its widgets: which learned priors there
// are, what their cards say, images drawn from them without any data, and the training
// of new ones. A Model belongs to the window's goroutine.
package learned

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"limpid"
	"limpid/app/figure"
	"limpid/app/session"
	"limpid/app/training"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/work"
)

// Options are what a Model is made from.
type Options struct {
	Session *session.Session
	Post    func(func())
	Changed func()
}

// Model is the state of the page.
type Model struct {
	o    Options
	run  *work.Runner
	list []training.Entry
	at   int

	drawing context.CancelFunc // nil: nothing is drawn
	said    string
	picture *figure.Image
	limits  figure.Limits

	train   context.CancelFunc
	status  training.Status
	points  []training.Point
	outcome string
}

// Drawn images: so many in a row and column, of so many pixels.
const (
	across = 3
	side   = 48
)

// New makes the page.
func New(o Options) *Model {
	m := &Model{o: o, run: work.NewRunner(o.Post)}
	m.Reload()
	return m
}

// Close cancels what is under way and waits for it; a training's state is saved.
func (m *Model) Close() { m.run.Close() }

func (m *Model) changed() {
	if m.o.Changed != nil {
		m.o.Changed()
	}
}

// usual is the prior that is looked at first.
const usual = "galaxies"

// Reload looks for priors again.
func (m *Model) Reload() {
	first := len(m.list) == 0
	m.list = training.List()
	if i := slices.IndexFunc(m.list, func(e training.Entry) bool { return e.Name == usual }); first && i >= 0 {
		m.at = i
	}
	m.at = min(m.at, max(0, len(m.list)-1))
}

// Names are those of the priors.
func (m *Model) Names() []string {
	var out []string
	for _, e := range m.list {
		out = append(out, e.Name)
	}
	return out
}

// Chosen is the number of the one looked at.
func (m *Model) Chosen() int { return m.at }

// Choose looks at another.
func (m *Model) Choose(i int) {
	if i != m.at && i >= 0 && i < len(m.list) {
		m.StopDrawing()
		m.at, m.picture, m.said = i, nil, ""
		m.changed()
	}
}

// Card is what the prior says of itself.
func (m *Model) Card() []viewmodel.Row {
	if len(m.list) == 0 {
		return nil
	}
	e := m.list[m.at]
	if e.Problem != "" {
		return []viewmodel.Row{{Label: "This prior cannot be used", Value: form.Plain(e.Problem)}}
	}
	c := e.Card
	var out []viewmodel.Row
	add := func(label, value string) {
		if value = strings.TrimSpace(value); value != "" {
			out = append(out, viewmodel.Row{Label: label, Value: value})
		}
	}
	add("", c.About)
	add("Trained on", c.Scenes)
	add("Holds for", c.Validity)
	if c.LowSNR > 0 && c.HighSNR > 0 {
		add("Peak signal to noise", fmt.Sprintf("%.4g – %.4g", c.LowSNR, c.HighSNR))
	}
	add("File", e.Path)
	return out
}

// Picture is what was drawn: a mosaic; nil: nothing yet.
func (m *Model) Picture() (*figure.Image, figure.Limits) { return m.picture, m.limits }

// Said is how the drawing stands.
func (m *Model) Said() string { return m.said }

// Drawing says whether images are being drawn.
func (m *Model) Drawing() bool { return m.drawing != nil }

// StopDrawing cancels it.
func (m *Model) StopDrawing() {
	if m.drawing != nil {
		m.drawing()
	}
}

// Draw draws images from the prior without any data: what it believes.
func (m *Model) Draw() {
	if m.drawing != nil || len(m.list) == 0 || m.list[m.at].Problem != "" {
		return
	}
	e, at := m.list[m.at], m.at
	ctx, cancel := context.WithCancel(context.Background())
	m.drawing, m.said = cancel, fmt.Sprintf("drawing %d images …", across*across)
	m.changed()
	began := time.Now()
	m.run.Go(func(stop context.Context) func() {
		defer context.AfterFunc(stop, cancel)()
		pix, err := e.Sample(ctx, m.o.Session.Device(), training.Draw{N: across * across, Side: side})
		var im *figure.Image
		if err == nil {
			im, err = mosaic(pix)
		}
		return func() {
			m.drawing = nil
			cancel()
			switch {
			case errors.Is(err, context.Canceled):
				m.said = "cancelled"
			case err != nil:
				m.said = form.Plain(session.Problem(err).What)
			case at == m.at:
				m.picture = im
				q := im.Quantiles(0.02, 0.995)
				m.limits = figure.Limits{Lo: q[0], Hi: q[1]}
				m.said = fmt.Sprintf("%d images of %d × %d pixels, drawn without data in %s", across*across, side, side, viewmodel.Seconds(time.Since(began)))
			}
			m.changed()
		}
	})
}

// mosaic puts images beside each other with a seam between them.
func mosaic(pix []float32) (*figure.Image, error) {
	const w = across*side + across - 1
	out := make([]float32, w*w)
	for i := range out {
		out[i] = float32(math.NaN())
	}
	for k := range across * across {
		ox, oy := (k%across)*(side+1), (k/across)*(side+1)
		for y := range side {
			copy(out[(oy+y)*w+ox:], pix[(k*side+y)*side:(k*side+y+1)*side])
		}
	}
	return figure.NewImage(figure.Plane{Data: out, W: w, H: w})
}

// Presets are the simulations that can be learned.
func Presets() []string { return training.Presets() }

// Folder is where a user's priors are kept; "": it cannot be told.
func Folder() string {
	dir, err := training.Folder()
	if err != nil {
		return ""
	}
	return dir
}

// Training says whether one is under way.
func (m *Model) Training() bool { return m.train != nil }

// Train starts a training, or goes on with one of the same name. what is one of Presets,
// or a folder of FITS images.
func (m *Model) Train(name, what string, steps int) {
	dir := Folder()
	switch {
	case m.train != nil:
		return
	case dir == "":
		m.outcome = "there is no folder for priors on this system"
	case name == "" || filepath.Base(name) != name:
		m.outcome = "give it a name, without a folder"
	case steps < 1:
		m.outcome = "give a number of steps"
	default:
		m.start(training.Options{Name: name, Out: filepath.Join(dir, name+".safetensors")}, what, steps)
		return
	}
	m.changed()
}

func (m *Model) start(o training.Options, what string, steps int) {
	o.Train.Steps = steps
	o.Data = what
	for _, p := range Presets() {
		if p == what {
			o.Sims, o.Data = what, ""
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.train, m.outcome, m.points, m.status = cancel, "", nil, training.Status{}
	m.changed()
	m.run.Go(func(stop context.Context) func() {
		defer context.AfterFunc(stop, cancel)()
		var last time.Time
		began := time.Now()
		show := func(s training.Status) {
			if time.Since(last) < 300*time.Millisecond && s.Step < s.Steps {
				return
			}
			last = time.Now()
			m.run.Answer(func() {
				m.status = s
				m.points = append(m.points, s.Point)
				m.changed()
			})
		}
		moved, err := m.o.Session.OnDevice(ctx, func(dev session.Device) error {
			return training.Run(ctx, dev, o.Resuming(began), show)
		})
		return func() {
			m.train = nil
			cancel()
			switch {
			case errors.Is(err, training.ErrPaused) || errors.Is(err, context.Canceled):
				m.outcome = "paused; the same name goes on where it stopped"
			case err != nil:
				m.outcome = form.Plain(session.Problem(err).What)
			default:
				m.outcome = "finished: " + o.Out
				for _, f := range moved {
					m.outcome += "\n" + f.What
				}
			}
			m.Reload()
			m.changed()
		}
	})
}

// Pause stops the training; its state is saved.
func (m *Model) Pause() {
	if m.train != nil {
		m.train()
	}
}

// Progress says how the training stands, and the losses so far.
func (m *Model) Progress() (done, total int, text string, steps, loss, held []float64) {
	s := m.status
	for _, p := range m.points {
		steps, loss = append(steps, float64(p.Step)), append(loss, p.Loss)
		h := math.NaN()
		if p.HeldOut > 0 {
			h = p.HeldOut
		}
		held = append(held, h)
	}
	switch {
	case m.train == nil:
		text = m.outcome
	case s.Steps == 0:
		text = "starting …"
	default:
		text = fmt.Sprintf("step %d of %d, loss %.4g", s.Step, s.Steps, s.Loss)
		if s.PerSecond > 0 {
			text += ", about " + viewmodel.Seconds(time.Duration(float64(s.Steps-s.Step)/s.PerSecond*float64(time.Second))) + " left"
		}
	}
	return s.Step, s.Steps, text, steps, loss, held
}

// Findings of the training.
func (m *Model) Findings() []limpid.Finding { return m.status.Findings }
