// Package limpid holds the few words every other package shares: the version
// of the program and the Finding, which is how anything doubtful in a user's
// data reaches that user. It imports nothing.
package limpid

// Version is written into every file Limpid makes.
const Version = "0.1.0"

// Severity says how much a Finding matters to the result.
type Severity string

// Info is worth knowing; Warning may bias the result; Problem stops the work
// or makes its result wrong unless the user acts.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Problem Severity = "problem"
)

// Finding is one thing the user should know about their data or their run.
// What states the fact with numbers and units, Where names the file, HDU, pixel
// or setting, and Advice says what to do. Code is a short stable name
// ("psf.sum", "noise.guessed") by which the window attaches a fix button and
// tests recognise the finding.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	What     string   `json:"what"`
	Where    string   `json:"where"`
	Advice   string   `json:"advice"`
}

// String gives "warning: What (Where). Advice".
func (f Finding) String() string {
	s := string(f.Severity) + ": " + f.What
	if f.Where != "" {
		s += " (" + f.Where + ")"
	}
	if f.Advice != "" {
		s += ". " + f.Advice
	}
	return s
}
