package cli

import (
	"fmt"
	"strings"
	"time"

	"limpid/app/session"
)

// watch shows a run until it ends: a moving bar on a terminal, else a line per
// phase and per tenth.
func watch(e *Env, run *session.Run, quiet bool) {
	if quiet {
		<-run.Done()
		return
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last string
	show := func() {
		st := run.Status()
		line := bar(st)
		if e.Terminal {
			if line != last {
				fmt.Fprintf(e.Err, "\r\x1b[K%s", line)
			}
			last = line
			return
		}
		key := fmt.Sprint(st.Phase, int(10*st.Fraction()))
		if key != last {
			fmt.Fprintln(e.Err, line)
		}
		last = key
	}
	for {
		select {
		case <-run.Done():
			show()
			if e.Terminal {
				fmt.Fprintln(e.Err)
			}
			return
		case <-tick.C:
			show()
		}
	}
}

const barWidth = 28

// bar is one line: phase, bar, counts, time left.
func bar(st session.Status) string {
	full := int(st.Fraction() * barWidth)
	line := fmt.Sprintf("%-21s [%s%s] %d/%d", st.Phase, strings.Repeat("█", full), strings.Repeat("·", barWidth-full), st.Done, st.Total)
	if st.Left > 0 {
		line += fmt.Sprintf("  %s left", round(st.Left))
	}
	line += fmt.Sprintf("  %s", round(st.Elapsed))
	if st.Chi2 == st.Chi2 {
		line += fmt.Sprintf("  χ²/px %.2f", st.Chi2)
	}
	return line
}

func round(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	if d < time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
