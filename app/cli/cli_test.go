package cli_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"limpid/app/cli"
	"limpid/app/session"
	"limpid/engine"
	"limpid/engine/cpu"
)

func TestRun_WrongArguments_NamesTheHelpOfTheCommand(t *testing.T) {
	for _, args := range [][]string{{"calibrate", "--jsn"}, {"calibrate", "--pairs", "5"}, {"calibrate", "--keep-draws"}, {"massmap"}, {"deconvolve", "--nonsense"}} {
		var out, problems bytes.Buffer
		e := &cli.Env{Out: &out, Err: &problems, NewDevice: func(string) (engine.Device, error) { return cpu.New(cpu.Options{}), nil }}
		if code := cli.Run(context.Background(), e, args); code != session.ExitUsage {
			t.Errorf("%v: exit %d", args, code)
		}
		if want := "limpid-cli help " + args[0]; !strings.Contains(problems.String(), want) {
			t.Errorf("%v: %q does not say %q", args, problems.String(), want)
		}
	}
}
