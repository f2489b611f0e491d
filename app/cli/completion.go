package cli

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"limpid"
)

var optionWord = regexp.MustCompile(`(^|[\s\[,|(])(--?[a-z][a-z-]*)`)

// options are the options a command's help names.
func (c command) options() []string {
	var out []string
	for _, m := range optionWord.FindAllStringSubmatch(c.args+"\n"+helpTexts()[c.name], -1) {
		if !slices.Contains(out, m[2]) {
			out = append(out, m[2])
		}
	}
	slices.Sort(out)
	return out
}

// completion prints a shell's script, made of the same texts as the help.
func completion(_ context.Context, e *Env, args []string) error {
	f := newFlags(e, "completion")
	if err := f.parse(args, 1, "one of bash, zsh, fish"); err != nil {
		return err
	}
	write := map[string]func(io.Writer){"bash": bashScript, "zsh": zshScript, "fish": fishScript}[f.operands[0]]
	if write == nil {
		return usageError{fmt.Sprintf("no completion for %q: one of bash, zsh, fish", f.operands[0])}
	}
	write(e.Out)
	return nil
}

func names() []string {
	var out []string
	for _, c := range commands() {
		out = append(out, c.name)
	}
	return append(out, "help")
}

func bashScript(w io.Writer) {
	fmt.Fprint(w, `# bash completion of limpid-cli: limpid-cli completion bash
_limpid_cli() {
	local word=${COMP_WORDS[COMP_CWORD]} options=
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ] || [ "$COMP_CWORD" -eq 2 -a "${COMP_WORDS[1]}" = help ]; then
		COMPREPLY=($(compgen -W "`+strings.Join(names(), " ")+`" -- "$word"))
		return
	fi
	case ${COMP_WORDS[1]} in
`)
	for _, c := range commands() {
		if o := c.options(); len(o) > 0 {
			fmt.Fprintf(w, "\t%s) options=%q ;;\n", c.name, strings.Join(o, " "))
		}
	}
	fmt.Fprint(w, `	esac
	case $word in
	-*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
	*) COMPREPLY=($(compgen -f -- "$word")) ;;
	esac
}
complete -o filenames -F _limpid_cli limpid-cli
`)
}

func zshScript(w io.Writer) {
	fmt.Fprint(w, "#compdef limpid-cli\n# zsh completion of limpid-cli: limpid-cli completion zsh\n_limpid_cli() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "\t\t'%s:%s'\n", c.name, strings.NewReplacer("'", "'\\''", ":", "\\:").Replace(c.about))
	}
	fmt.Fprint(w, "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tlocal -a options\n\tcase $words[2] in\n")
	for _, c := range commands() {
		if o := c.options(); len(o) > 0 {
			fmt.Fprintf(w, "\t%s) options=(%s) ;;\n", c.name, strings.Join(o, " "))
		}
	}
	fmt.Fprint(w, "\tesac\n\tif [[ $PREFIX == -* ]]; then\n\t\tcompadd -- $options\n\telse\n\t\t_files\n\tfi\n}\n_limpid_cli \"$@\"\n")
}

func fishScript(w io.Writer) {
	fmt.Fprintln(w, "# fish completion of limpid-cli: limpid-cli completion fish")
	for _, c := range commands() {
		fmt.Fprintf(w, "complete -c limpid-cli -n __fish_use_subcommand -f -a %s -d '%s'\n", c.name, strings.ReplaceAll(c.about, "'", "\\'"))
		for _, o := range c.options() {
			flag := "-l " + strings.TrimPrefix(o, "--")
			if !strings.HasPrefix(o, "--") {
				flag = "-s " + o[1:]
			}
			fmt.Fprintf(w, "complete -c limpid-cli -n '__fish_seen_subcommand_from %s' %s\n", c.name, flag)
		}
	}
}

// manual prints limpid-cli(1) in the man macros of troff.
func manual(_ context.Context, e *Env, args []string) error {
	f := newFlags(e, "man")
	if err := f.parse(args, 0, "no operand"); err != nil {
		return err
	}
	w := e.Out
	fmt.Fprintf(w, ".TH LIMPID-CLI 1 \"\" \"Limpid %s\" \"User commands\"\n.SH NAME\nlimpid-cli \\- Bayesian image inference for astronomy\n", limpid.Version)
	fmt.Fprint(w, ".SH SYNOPSIS\n.B limpid-cli\n.I command\n[options]\n.SH DESCRIPTION\nWhat the window limpid does, without a window: denoising, deconvolution and more of FITS images, with posterior samples and uncertainties.\n.SH COMMANDS\n")
	for _, c := range commands() {
		fmt.Fprintf(w, ".SS limpid-cli %s %s\n%s.\n", troff(c.name), troff(c.args), troff(c.about))
		if help := strings.Trim(helpTexts()[c.name], "\n"); help != "" {
			fmt.Fprintf(w, ".PP\n.nf\n%s\n.fi\n", troff(help))
		}
	}
	fmt.Fprintf(w, ".SH EXIT STATUS\n%s\n.SH SEE ALSO\nlimpid(1)\n", troff(exitCodes))
	return nil
}

// troff escapes text so that it prints as it is.
func troff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
