// Command limpid is the window.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"limpid"
	"limpid/app/cmd/internal/devices"
	"limpid/app/session"
	"limpid/engine/cpu"
	"limpid/ui/view"
	"limpid/ui/viewmodel/store"
	"limpid/ui/widget"
	"limpid/ui/widget/tr"
)

func main() {
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "limpid: %v\n\n%s", err, usage)
		os.Exit(session.ExitUsage)
	case o.version:
		fmt.Println("limpid", limpid.Version)
		return
	}
	if !hasDisplay() {
		fmt.Fprintln(os.Stderr, "limpid: no display: neither DISPLAY nor WAYLAND_DISPLAY is set\n  → limpid-cli does the same without a window: limpid-cli help")
		os.Exit(session.ExitUsage)
	}
	if os.Getenv("LANG") == "" {
		os.Setenv("LANG", "C.UTF-8") // Fyne asks for it
	}
	session.BoundMemory()
	run(o)
}

func hasDisplay() bool {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return true
	}
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}

// openDevices leaves one processor to the window and takes less of the others when
// they are wanted elsewhere.
func openDevices(name string, threads int) (session.Devices, error) {
	if threads < 1 {
		threads = max(1, runtime.GOMAXPROCS(0)-1)
	}
	return devices.Open(context.Background(), name, cpu.Options{Workers: threads, Nice: 10})
}

func run(o options) {
	st := store.Open()
	tr.Use(st.Language)
	name := o.device
	if name == "" {
		name = st.Device
	}
	if name == "" {
		name = "auto"
	}
	dev, err := openDevices(name, st.Threads)
	if err != nil && o.device == "" { // the one of the settings is gone
		fmt.Fprintln(os.Stderr, "limpid:", err)
		dev, err = openDevices("auto", st.Threads)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "limpid:", err)
		os.Exit(session.ExitUsage)
	}
	defer dev.Main.Close()
	ses := session.NewOn(dev)
	defer ses.Close()
	ses.KeepStates(session.StatesOfStopped)
	w := view.New(newApp(), view.Options{
		Session: ses, Store: st, Theme: widget.Mode(o.theme), Scale: float32(o.scale), Frame: frameLog(o.frames), Recovery: recovery(),
	})
	m := w.Model()
	if err := withoutDepth(); err != nil {
		fmt.Fprintf(os.Stderr, "limpid: %v\n  → DISPLAY is %q and WAYLAND_DISPLAY %q: is it there, and may you use it? limpid-cli does the same without a window\n", err, os.Getenv("DISPLAY"), os.Getenv("WAYLAND_DISPLAY"))
		os.Exit(session.ExitUsage)
	}
	w.Show()
	space, _ := view.SpaceByName(o.space)
	w.SetSpace(space)
	switch {
	case o.run != "":
		m.OpenAndRun(o.run)
		w.OpenPaths(o.files...)
	case o.sample:
		w.RunSample(o.space)
	default:
		w.OpenPaths(o.files...)
	}
	w.Run()
}

// recovery is the folder in which the state of windows is kept against a crash.
func recovery() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "limpid", "recovery")
}

// frameLog writes the time of every picture to a file, in microseconds; nil
// without one.
func frameLog(path string) func() {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "limpid:", err)
		return nil
	}
	return func() { fmt.Fprintln(f, time.Now().UnixMicro()) }
}
