// Command limpid-cli is Limpid without a window.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"limpid/app/cli"
	"limpid/app/cmd/internal/devices"
	"limpid/app/session"
	"limpid/engine"
	"limpid/engine/cpu"
)

func main() {
	session.BoundMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := &cli.Env{Out: os.Stdout, Err: os.Stderr, Terminal: isTerminal(os.Stderr), NewDevice: newDevice, Devices: openDevices}
	os.Exit(run(ctx, env))
}

// run keeps a bug of ours from looking like a crash of the machine.
func run(ctx context.Context, env *cli.Env) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(os.Stderr, "limpid-cli: internal error: %v\n  → please report this with the command you ran\n", r)
			code = session.ExitInternal
		}
	}()
	return cli.Run(ctx, env, os.Args[1:])
}

func openDevices(ctx context.Context, name string) (session.Devices, error) {
	return devices.Open(ctx, name, cpu.Options{})
}

func newDevice(name string) (engine.Device, error) {
	d, err := openDevices(context.Background(), name)
	return d.Main, err
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
