package cli

import (
	"bufio"
	"fmt"
	"strings"
)

// confirm asks before something is lost for good: at a terminal for the name, of several for their number. Without a
// terminal nobody can answer, so --yes has to say it.
func (a *app) confirm(yes bool, what string, items []string) error {
	if yes {
		return nil
	}
	if !a.InTerminal {
		return usage("deleting is final: repeat with --yes")
	}
	want := items[0]
	if len(items) > 1 {
		want = fmt.Sprint(len(items))
		fmt.Fprintf(a.Err, "This deletes %ss %s for good. Type their number to go on: ", what, strings.Join(items, ", "))
	} else {
		fmt.Fprintf(a.Err, "This deletes %s %s for good. Type its name to go on: ", what, want)
	}
	answer, err := bufio.NewReader(a.In).ReadString('\n')
	if strings.TrimSpace(answer) != want || answer == "" && err != nil {
		return failed("NOT_CONFIRMED", "nothing was deleted")
	}
	return nil
}
