package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// confirm asks before something is lost for good: at a terminal for the name, of several for their number. Without a
// terminal nobody can answer, so --yes has to say it.
func (a *app) confirm(ctx context.Context, yes bool, what string, items []string) error {
	if yes {
		return nil
	}
	if !a.InTerminal {
		return usage("deleting is final: repeat with --yes")
	}
	want, question := items[0], fmt.Sprintf("This deletes %s %s for good. Type its name to go on: ", what, items[0])
	if len(items) > 1 {
		want = fmt.Sprint(len(items))
		question = fmt.Sprintf("This deletes %ss %s for good. Type their number to go on: ", what, strings.Join(items, ", "))
	}
	answer, err := a.ask(ctx, question)
	switch {
	case ctx.Err() != nil:
		return err
	case answer != want || answer == "" && err != nil:
		return failed("NOT_CONFIRMED", "nothing was deleted")
	}
	return nil
}

// agree asks for a yes. Without a terminal nobody can say it, so --yes has to.
func (a *app) agree(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if !a.InTerminal {
		return usage("nobody is there to ask: repeat with --yes, or with --dry-run to look only")
	}
	answer, err := a.ask(ctx, question+" [y/N] ")
	if answer = strings.ToLower(answer); answer == "y" || answer == "yes" {
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	return &failure{exit: exitFailed, code: "NOT_CONFIRMED", message: "nothing was changed", cause: err}
}

// ask returns the line that is typed after a question. A signal ends the waiting; the reader is left behind with the process.
func (a *app) ask(ctx context.Context, question string) (string, error) {
	if err := a.out.flush(); err != nil { // what is asked about stands there
		return "", err
	}
	fmt.Fprint(a.Err, question)
	type line struct {
		text string
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(a.In).ReadString('\n')
		typed <- line{strings.TrimSpace(text), err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		fmt.Fprintln(a.Err)
		return "", ctx.Err()
	}
}
