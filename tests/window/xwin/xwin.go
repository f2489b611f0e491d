// Package xwin drives the built window from outside, as a person does: on a screen
// of its own (Xvfb), with real keys and clicks (xdotool), real drops (XDND) and
// pictures of the screen. It is for tests and for the screenshots of the
// documentation.
package xwin

import (
	"bufio"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Missing lists the programs that are needed and not there.
func Missing() []string {
	var out []string
	for _, name := range []string{"Xvfb", "xdotool", "xwd", "cc"} {
		if _, err := exec.LookPath(name); err != nil {
			out = append(out, name)
		}
	}
	return out
}

// Display is a screen.
type Display struct {
	Name string // ":99"
	W, H int
	// Scale is that of the window's letters and lines; 0: 1. Work is the folder that
	// programs run in; "": that of the helpers.
	Scale int
	Work  string
	dir   string // of helpers and of what the window remembers
	xvfb  *exec.Cmd
	drop  string // the drag-and-drop helper
}

//go:embed xdnd/xdnd.c
var dropSource []byte

// Start opens a screen of w × h pixels and builds the helper for drops in dir. A screen
// that does not answer is given up for another one, once.
func Start(dir string, w, h int) (*Display, error) {
	d, err := start(dir, w, h)
	if err != nil {
		d, err = start(dir, w, h)
	}
	return d, err
}

func start(dir string, w, h int) (*Display, error) {
	d := &Display{W: w, H: h, dir: dir, drop: filepath.Join(dir, "xdnd")}
	source := filepath.Join(dir, "xdnd.c")
	if err := os.WriteFile(source, dropSource, 0o644); err != nil {
		return nil, err
	}
	if out, err := exec.Command("cc", "-O1", "-o", d.drop, source, "-lX11").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("xwin: cc: %w: %s", err, out)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	d.xvfb = exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", w, h), "-nolisten", "tcp")
	d.xvfb.ExtraFiles = []*os.File{write}
	if err := d.xvfb.Start(); err != nil {
		write.Close()
		return nil, fmt.Errorf("xwin: Xvfb: %w", err)
	}
	write.Close()
	line, err := bufio.NewReader(read).ReadString('\n') // ends with Xvfb, too
	number, convErr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || convErr != nil {
		d.Close()
		return nil, errors.New("xwin: Xvfb did not start")
	}
	d.Name = fmt.Sprintf(":%d", number)
	if err := d.answers(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// answers waits until programs can open the screen: another server that ends takes the
// socket of the same number away.
func (d *Display) answers() error {
	var out []byte
	var err error
	for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(100 * time.Millisecond) {
		ask := exec.Command("xdotool", "getdisplaygeometry")
		ask.Env = d.env()
		if out, err = ask.CombinedOutput(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("xwin: the screen %s does not answer: %w: %s", d.Name, err, out)
}

// Close ends the screen.
func (d *Display) Close() {
	if d.xvfb.Process != nil {
		_ = d.xvfb.Process.Kill()
		_ = d.xvfb.Wait()
	}
}

// env is the environment of programs on this screen: what the window remembers
// stays in the helper's folder.
func (d *Display) env() []string {
	var out []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "DISPLAY", "WAYLAND_DISPLAY", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "LANG", "FYNE_SCALE":
		default:
			out = append(out, e)
		}
	}
	if d.Scale > 1 {
		out = append(out, fmt.Sprintf("FYNE_SCALE=%d", d.Scale))
	}
	return append(out, "DISPLAY="+d.Name, "LANG=C.UTF-8",
		"XDG_CONFIG_HOME="+filepath.Join(d.dir, "config"), "XDG_CACHE_HOME="+filepath.Join(d.dir, "cache"), "XDG_RUNTIME_DIR="+d.dir)
}

// Remember writes what the window has stored from an earlier session, at least its
// size: that of the screen.
func (d *Display) Remember(more string) error {
	dir := filepath.Join(d.dir, "config", "limpid")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(d.dir, "cache"), 0o755); err != nil {
		return err
	}
	scale := max(1, d.Scale)
	text := fmt.Sprintf(`{"width":%d,"height":%d%s}`, d.W/scale, d.H/scale, more)
	return os.WriteFile(filepath.Join(dir, "window.json"), []byte(text), 0o644)
}

// Do runs a program on the screen and gives back what it printed.
func (d *Display) Do(name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Env = d.env()
	out, err := c.Output()
	if err != nil {
		text := ""
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			text = string(exit.Stderr)
		}
		return "", fmt.Errorf("xwin: %s %s: %w %s", name, strings.Join(args, " "), err, text)
	}
	return strings.TrimSpace(string(out)), nil
}

// App is a running window.
type App struct {
	d    *Display
	cmd  *exec.Cmd
	Log  string // file of what it printed
	done chan struct{}
	err  error
	id   string
}

// settle is how long a window gets to show what was done to it before the next
// thing is done; people are slower.
const settle = 250 * time.Millisecond

// patience is how long anything may take on a busy machine.
const patience = 240 * time.Second

// Start starts the binary and waits for nothing.
func (d *Display) Start(binary string, args ...string) (*App, error) {
	a := &App{d: d, Log: filepath.Join(d.dir, "log"), done: make(chan struct{})}
	log, err := os.Create(a.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	a.cmd = exec.Command(binary, args...)
	a.cmd.Env, a.cmd.Stdout, a.cmd.Stderr, a.cmd.Dir = d.env(), log, log, cmp.Or(d.Work, d.dir)
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { a.err = a.cmd.Wait(); close(a.done) }()
	return a, nil
}

// Launch starts the binary and waits for its window and its first picture. On a crowded machine
// a screen that answers may still refuse a program: it is then asked once more.
func (d *Display) Launch(binary string, args ...string) (*App, error) {
	a, err := d.launch(binary, args...)
	if err != nil && strings.Contains(err.Error(), "Failed to detect any supported platform") {
		if d.answers() == nil {
			a, err = d.launch(binary, args...)
		}
	}
	return a, err
}

func (d *Display) launch(binary string, args ...string) (*App, error) {
	a, err := d.Start(binary, args...)
	if err != nil {
		return nil, err
	}
	err = a.Wait("the window", func() bool {
		ids, err := d.Do("xdotool", "search", "--onlyvisible", "--name", "Limpid")
		if err != nil || ids == "" {
			return false
		}
		a.id = strings.Fields(ids)[0]
		return true
	})
	if err != nil {
		a.Kill()
		return nil, err
	}
	err = a.Wait("its first picture", func() bool {
		im, err := d.Shot()
		return err == nil && Colours(im, im.Rect) > 8
	})
	if err != nil {
		a.Kill()
		return nil, err
	}
	time.Sleep(2 * settle)
	return a, a.Move(d.W/2, d.H/2)
}

// Wait waits until a condition holds, or the program ends.
func (a *App) Wait(what string, cond func() bool) error {
	end := time.Now().Add(patience)
	for !cond() {
		select {
		case <-a.done:
			text, _ := os.ReadFile(a.Log)
			return fmt.Errorf("xwin: it ended (%v) while waiting for %s: %s", a.err, what, text)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			return fmt.Errorf("xwin: waited %v for %s; the title is %q", patience, what, a.Title())
		}
	}
	return nil
}

// Title is the window's.
func (a *App) Title() string {
	s, _ := a.d.Do("xdotool", "getwindowname", a.id)
	return s
}

// WaitTitle waits until the title satisfies a condition.
func (a *App) WaitTitle(what string, cond func(string) bool) error {
	err := a.Wait(what, func() bool { return cond(a.Title()) })
	time.Sleep(settle)
	return err
}

// WaitFile waits until a file is there.
func (a *App) WaitFile(path string) error {
	err := a.Wait(path, func() bool { _, err := os.Stat(path); return err == nil })
	time.Sleep(settle)
	return err
}

// Key presses keys as xdotool names them: "ctrl+o", "Escape".
func (a *App) Key(names ...string) error {
	for _, n := range names {
		if _, err := a.d.Do("xdotool", "key", n); err != nil {
			return err
		}
		time.Sleep(settle)
	}
	return nil
}

// Type types text.
func (a *App) Type(text string) error {
	_, err := a.d.Do("xdotool", "type", "--delay", "15", text)
	time.Sleep(settle)
	return err
}

// Move puts the mouse somewhere.
func (a *App) Move(x, y int) error {
	_, err := a.d.Do("xdotool", "mousemove", strconv.Itoa(x), strconv.Itoa(y))
	time.Sleep(settle)
	return err
}

// Click clicks somewhere.
func (a *App) Click(x, y int) error {
	if err := a.Move(x, y); err != nil {
		return err
	}
	_, err := a.d.Do("xdotool", "click", "1")
	time.Sleep(settle)
	return err
}

// Drag presses at a place, moves in steps to another and lets go.
func (a *App) Drag(x0, y0, x1, y1, steps int, pause time.Duration) error {
	if err := a.Move(x0, y0); err != nil {
		return err
	}
	if _, err := a.d.Do("xdotool", "mousedown", "1"); err != nil {
		return err
	}
	var moves []string // of one program: a thousand starts would be measured with the window
	for i := 1; i <= steps; i++ {
		x, y := x0+(x1-x0)*i/steps, y0+(y1-y0)*i/steps
		moves = append(moves, "mousemove", strconv.Itoa(x), strconv.Itoa(y), "sleep", fmt.Sprintf("%.3f", pause.Seconds()))
	}
	_, err := a.d.Do("xdotool", append(moves, "mouseup", "1")...)
	return err
}

// Drop drops files on a place of the window.
func (a *App) Drop(x, y int, paths ...string) error {
	args := []string{strconv.Itoa(x), strconv.Itoa(y)}
	for _, p := range paths {
		args = append(args, (&url.URL{Scheme: "file", Path: p}).String())
	}
	_, err := a.d.Do(a.d.drop, args...)
	time.Sleep(settle)
	return err
}

// CPU is the processor time the program has used, from /proc.
func (a *App) CPU() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", a.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime
		v, _ := strconv.ParseInt(f, 10, 64)
		ticks += v
	}
	const perSecond = 100 // USER_HZ
	return time.Duration(ticks) * time.Second / perSecond
}

// Times is the processor time of a program by what its threads are for.
type Times struct {
	Window   time.Duration // the window's own thread
	GL       time.Duration // those that draw in software for it
	Computed time.Duration // all others: what runs compute, files, the collector of garbage
}

// Sub is what was used since an earlier look.
func (t Times) Sub(u Times) Times {
	return Times{t.Window - u.Window, t.GL - u.GL, t.Computed - u.Computed}
}

// Times looks at every thread there is, in /proc; those that ended are not counted.
func (a *App) Times() Times {
	pid := strconv.Itoa(a.cmd.Process.Pid)
	var t Times
	tasks, _ := filepath.Glob("/proc/" + pid + "/task/*")
	for _, task := range tasks {
		name, _ := os.ReadFile(task + "/comm")
		text, _ := os.ReadFile(task + "/schedstat") // nanoseconds on a processor, and two more numbers
		used, _, _ := strings.Cut(string(text), " ")
		ns, _ := strconv.ParseInt(used, 10, 64)
		switch d := time.Duration(ns); {
		case filepath.Base(task) == pid:
			t.Window += d
		case strings.HasPrefix(string(name), "llvmpipe"):
			t.GL += d
		default:
			t.Computed += d
		}
	}
	return t
}

// Peak is the most memory that the program has had, in bytes, from /proc.
func (a *App) Peak() int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.cmd.Process.Pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kB << 10
		}
	}
	return 0
}

// Exited waits for the program to end by itself and gives its error.
func (a *App) Exited() error {
	select {
	case <-a.done:
		return a.err
	case <-time.After(patience):
		return errors.New("xwin: it does not end")
	}
}

// Kill ends the program.
func (a *App) Kill() {
	if a.cmd.Process != nil {
		_ = a.cmd.Process.Kill()
		<-a.done
	}
}
