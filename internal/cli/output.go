package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"unicode/utf8"
)

// errPipe says that the reader of standard output is gone, as after `| head`: the command has nothing more to do.
var errPipe = errors.New("standard output was closed")

// output is standard output. After the first error it takes nothing more.
type output struct {
	w   *bufio.Writer
	err error
}

func newOutput(w io.Writer) *output { return &output{w: bufio.NewWriterSize(w, 64<<10)} }

// Write is io.Writer's.
func (o *output) Write(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(b)
	return n, o.fail(err)
}

func (o *output) flush() error {
	if o.err != nil {
		return o.err
	}
	return o.fail(o.w.Flush())
}

func (o *output) fail(err error) error {
	if err != nil && (errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)) {
		err = errPipe
	}
	o.err = err
	return err
}

// line prints one line of text.
func (a *app) line(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}

// note prints one line for the person at the terminal, on standard error, after what was printed before it.
func (a *app) note(format string, args ...any) {
	if !a.flags.quiet {
		_ = a.out.flush() // which keeps its error for the end of the command
		fmt.Fprintf(a.Err, format+"\n", args...)
	}
}

// json prints a value as one line.
func (a *app) json(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// asJSON reports whether machines read the output.
func (a *app) asJSON() bool { return a.flags.output == "json" }

// doc begins every JSON document: which command wrote it, and in which version of its form.
type doc struct {
	Command string `json:"_command"`
	Version int    `json:"_version"`
}

func newDoc(command string) doc { return doc{Command: command, Version: 1} }

// table prints rows under a header, columns aligned; numbers, whose column name begins with a space, to the right.
func (a *app) table(header []string, rows [][]string) error {
	width := make([]int, len(header))
	for i, h := range header {
		width[i] = utf8.RuneCountInString(strings.TrimPrefix(h, " "))
	}
	for _, r := range rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	print := func(cells []string) error {
		var b strings.Builder
		for i, c := range cells {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if strings.HasPrefix(header[i], " ") {
				c, pad = pad+c, ""
			}
			b.WriteString(c)
			if i < len(cells)-1 {
				b.WriteString(pad + "  ")
			}
		}
		return a.line("%s", strings.TrimRight(b.String(), " "))
	}
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = strings.TrimPrefix(h, " ")
	}
	if err := print(names); err != nil {
		return err
	}
	for _, r := range rows {
		if err := print(r); err != nil {
			return err
		}
	}
	return nil
}
