// Package cli is the command line: it reads arguments, calls app/session and
// prints. Everything the window can do to data can be done here.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"limpid"
	"limpid/app/calibration"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/engine"
)

// Env is what a command runs in.
type Env struct {
	Out, Err  io.Writer
	Terminal  bool // Err is a terminal: draw a moving progress bar
	NewDevice func(name string) (engine.Device, error)
	// Devices finds the device that a name asks for, what takes over when it fails, and
	// what else there is; nil: NewDevice is all.
	Devices func(ctx context.Context, name string) (session.Devices, error)
}

type command struct {
	name, args, about string
	run               func(ctx context.Context, e *Env, args []string) error
}

func commands() []command {
	return []command{
		{"info", "FILE [--hdu N] [--header] [--json]", "what is in a FITS file", info},
		{"deconvolve", "FILE… [options] -o OUT.fits", "posterior mean, samples and uncertainty of an image, or of several exposures", deconvolve},
		{"massmap", "CATALOGUE [options] -o OUT.fits", "a map of the projected mass from a shear catalogue", massMap},
		{"deblend", "FILE... [options] -o OUT.fits", "separate overlapping sources, with fluxes and their errors", deblendCommand},
		{"run", "RECIPE.json -o OUT.fits", "carry out a recipe, as written beside every result", runRecipe},
		{"batch", "MANIFEST.csv|FOLDER RECIPE.json -o DIR [options]", "a recipe on many images: resumable, by many processes at once", runBatch},
		{"export", "RESULT.fits --figure OUT.png|pdf|svg|tif|gif", "draw a result file: panel, 16-bit mean, film of samples", export},
		{"sample", "[--out DIR]", "deconvolve the sample image that ships with Limpid", sample},
		{"calibrate", "[--prior P] [--psf P] [options]", "whether error bars hold, by simulation", calibrateCommand},
		{"train", "--sims S|--data FOLDER [options]", "learn a prior from simulations or images", trainPrior},
		{"prior", "list | show NAME | sample NAME -o OUT.fits | predict …", "learned priors: which there are, their model cards, what they believe", prior},
		{"completion", "bash|zsh|fish", "print a script that completes commands and options", completion},
		{"man", "", "print the manual page", manual},
		{"devices", "[--json]", "test and measure what can be computed on", listDevices},
		{"version", "", "print the version", version},
	}
}

// helpTexts are the options of the commands that have many.
func helpTexts() map[string]string {
	return map[string]string{"deconvolve": deconvolveHelp, "train": trainHelp, "prior": priorHelp, "batch": batchHelp, "calibrate": calibrateHelp, "deblend": deblendHelp, "massmap": massmapHelp}
}

// Run carries out one command and returns the exit code.
func Run(ctx context.Context, e *Env, args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(e.Out, args)
		return session.ExitOK
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, e, args[1:])
		return report(e, args, err)
	}
	return report(e, args, usageError{fmt.Sprintf("unknown command %q: limpid-cli help lists them", args[0])})
}

// usageError is a mistake in the arguments.
type usageError struct{ msg string }

func (u usageError) Error() string { return u.msg }
func (u usageError) Unwrap() error { return recipe.ErrInvalid }

// report prints an error for people or, with --json, for programs.
func report(e *Env, args []string, err error) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return session.ExitOK
	}
	code, f := session.ExitCode(err), session.Problem(err)
	var wrong usageError
	if errors.As(err, &wrong) || errors.Is(err, calibration.ErrInvalid) {
		for _, c := range commands() {
			if len(args) > 0 && c.name == args[0] {
				f.Advice = "see limpid-cli help " + c.name
			}
		}
	}
	for _, a := range args {
		if a == "--json" || a == "-json" {
			out, _ := json.Marshal(map[string]any{"error": f, "exit": code})
			fmt.Fprintln(e.Out, string(out))
			return code
		}
	}
	what := f.What
	if f.Where != "" && !strings.Contains(what, f.Where) {
		what = f.Where + ": " + what
	}
	fmt.Fprintf(e.Err, "limpid-cli: %s\n", what)
	if f.Advice != "" {
		fmt.Fprintf(e.Err, "  → %s\n", f.Advice)
	}
	return code
}

const exitCodes = `0 done, 1 internal error, 2 wrong arguments or recipe, 3 a file cannot be read,
4 image, PSF or noise unusable, 5 output cannot be written, 6 not enough memory,
7 some images of a batch failed, 130 cancelled.`

func usage(w io.Writer, args []string) {
	if len(args) > 1 {
		for _, c := range commands() {
			if c.name == args[1] {
				fmt.Fprintf(w, "limpid-cli %s %s\n  %s\n", c.name, c.args, c.about)
				fmt.Fprint(w, helpTexts()[c.name])
				return
			}
		}
	}
	fmt.Fprintf(w, "limpid-cli %s: Bayesian image inference for astronomy\n\n", limpid.Version)
	for _, c := range commands() {
		fmt.Fprintf(w, "  limpid-cli %-10s %s\n  %22s%s\n", c.name, c.args, "", c.about)
	}
	fmt.Fprintf(w, "\nExit codes: %s\nlimpid-cli help COMMAND lists its options.\n", exitCodes)
}

func version(_ context.Context, e *Env, _ []string) error {
	fmt.Fprintln(e.Out, "limpid", limpid.Version)
	return nil
}

// flagSet reads flags that may stand before or after the operands.
type flagSet struct {
	*flag.FlagSet
	operands []string
}

func newFlags(e *Env, name string) *flagSet {
	f := &flagSet{FlagSet: flag.NewFlagSet("limpid-cli "+name, flag.ContinueOnError)}
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	return f
}

// parse collects operands between flags; want is how many there must be, −1 any.
func (f *flagSet) parse(args []string, want int, what string) error {
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return usageError{err.Error()}
		}
		rest := f.Args()
		if len(rest) == 0 {
			break
		}
		f.operands = append(f.operands, rest[0])
		args = rest[1:]
	}
	if want >= 0 && len(f.operands) != want {
		return usageError{fmt.Sprintf("expected %s, got %d operand(s): %s", what, len(f.operands), strings.Join(f.operands, " "))}
	}
	return nil
}

// parseAtLeast is parse for a number of operands that is not fixed.
func (f *flagSet) parseAtLeast(args []string, least int, what string) error {
	err := f.parse(args, -1, what)
	if err == nil && len(f.operands) < least {
		return usageError{"expected " + what}
	}
	return err
}

// optionalInt is a flag that may be absent.
type optionalInt struct{ v *int }

func (o *optionalInt) String() string { return "" }
func (o *optionalInt) Set(s string) error {
	var n int
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil || fmt.Sprint(n) != s || n < 0 {
		return fmt.Errorf("must be a whole number from 0")
	}
	o.v = &n
	return nil
}

func absent(path string) bool {
	_, err := os.Stat(path)
	return err != nil
}
