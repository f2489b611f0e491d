package view

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"limpid/app/session"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
	"limpid/ui/widget/tr"
)

// settingsDialog shows what holds for every image: where to compute, looks, units.
func (w *Window) settingsDialog() {
	s := w.m.Store()
	label := func(text string, o fyne.CanvasObject) fyne.CanvasObject {
		return control.NewRow(10, []float32{120, -1}, control.NewText(text, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder), o)
	}
	small := func(text string) *control.Text {
		return control.NewText(text, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	}
	devices := control.NewColumn(2, 0, small("Computes on "+w.m.Device()+"."))
	device := control.NewEntry(func(v string) { s.Device = strings.TrimSpace(v) })
	device.SetPlaceHolder("auto")
	device.Set(s.Device, false)
	said := small("auto, cpu, gpu, cuda or webgpu:N. Holds from the next start.")
	threads := control.NewEntry(nil)
	threads.SetPlaceHolder(fmt.Sprintf("all but one of %d", runtime.GOMAXPROCS(0)))
	if s.Threads > 0 {
		threads.Set(strconv.Itoa(s.Threads), false)
	}
	threads.Commit = func(v string) {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if v != "" && (err != nil || n < 1 || n > 4096) {
			threads.Set(v, true)
			return
		}
		s.Threads = n
	}
	look := control.NewSelect("", func(v string) { w.switchTheme(widget.Mode(v)) })
	look.Set([]control.Option{{Value: string(widget.Dark), Label: tr.T("Dark")}, {Value: string(widget.Light), Label: tr.T("Light")}}, string(w.mode))
	var languages []control.Option
	for _, l := range tr.Languages() {
		languages = append(languages, control.Option{Value: l.Code, Label: l.Name})
	}
	language := control.NewSelect("", func(v string) { s.Language = v })
	language.Set(languages, tr.Current())
	degrees := control.NewCheck("positions on the sky in degrees", "else hours, minutes, seconds", func(on bool) { s.Degrees = on; w.stat.update() })
	degrees.ShowChecked(s.Degrees)
	fromOne := control.NewCheck("pixels count from 1, as in FITS and DS9", "else from 0", func(on bool) { s.FromOne = on; w.stat.update() })
	fromOne.ShowChecked(s.FromOne)

	test := control.NewButton("Test and measure devices", "a self-test of every device and its speed; takes seconds", nil, nil)
	ok := control.NewButton("Close", "", nil, nil)
	d := w.open("Settings", 600, control.NewColumn(8, 0,
		heading("Computing"), devices, container.NewHBox(test), label("Device", device), control.Inset(130, 0, 0, 4, said), label("Threads", threads),
		control.Inset(0, 8, 0, 0, heading("Window")), label("Colours", look), label("Language", language), small("The language holds from the next start."),
		control.Inset(0, 8, 0, 0, heading("Units")), degrees, fromOne,
	), ok)
	test.OnTapped = func() {
		test.Disable()
		devices.Objects = []fyne.CanvasObject{small("Testing …")}
		d.refit()
		ctx, cancel := context.WithCancel(context.Background())
		d.closed = cancel
		go func() {
			list := w.o.Session.DeviceReports(ctx)
			w.o.Post(func() {
				cancel()
				if w.modal != d {
					return
				}
				devices.Objects = nil
				for _, r := range list {
					devices.Add(small(deviceLine(r)))
				}
				test.Enable()
				d.refit()
			})
		}()
	}
	ok.OnTapped = d.close
	w.win.Canvas().Focus(ok)
}

// deviceLine says what a device is and how its test went.
func deviceLine(r session.DeviceReport) string {
	text := r.ID + ": " + r.Name
	if r.Detail != "" {
		text += " (" + r.Detail + ")"
	}
	if r.Memory > 0 {
		text += fmt.Sprintf(", %.1f GiB", float64(r.Memory)/(1<<30))
	}
	switch {
	case r.Problem != "":
		text += ". Failed its self-test: " + r.Problem
	case r.Speed > 0:
		text += fmt.Sprintf(". Passed its self-test: %.3g GFLOPS in convolutions, %.3g transforms of 256² per second", r.Speed, r.Fourier)
	default:
		text += ". In use"
	}
	if r.Software {
		text += "; in software, used on request only"
	}
	return text
}
