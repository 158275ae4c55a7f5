package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// globals are the flags that every command takes.
type globals struct {
	brokers string
	output  string
	timeout time.Duration
	quiet   bool
	verbose int
	schema  bool
}

// defaultBroker is where `milena start` listens.
const defaultBroker = "127.0.0.1:9092"

// root builds the tree of commands.
func (a *app) root() *cobra.Command {
	root := a.group("milena", "Apache Kafka's log, in one binary",
		a.devCommand(), a.startCommand(), a.readyCommand(), a.versionCommand(), a.topicCommand(), a.produceCommand(), a.consumeCommand(),
		a.groupCommand(), a.clusterCommand(), a.reassignCommand(), a.explainCommand(), a.logCommand(), a.migrateCommand(), a.benchCommand())
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(a.out)
	root.SetErr(a.Err)
	root.SetIn(a.In)
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = true
	a.versionFlag(root)
	f := root.PersistentFlags()
	f.StringVarP(&a.flags.brokers, "bootstrap-server", "b", a.env("MILENA_BOOTSTRAP_SERVER", defaultBroker), "brokers to ask first, `host:port[,...]` (env MILENA_BOOTSTRAP_SERVER)")
	f.StringVarP(&a.flags.output, "output", "o", a.env("MILENA_OUTPUT", "table"), "`form` of the output: table, json or, of lists, name (env MILENA_OUTPUT)")
	f.DurationVar(&a.flags.timeout, "timeout", 10*time.Second, "how long to wait for the cluster")
	f.BoolVarP(&a.flags.quiet, "quiet", "q", false, "no progress, summaries or hints on standard error")
	f.CountVarP(&a.flags.verbose, "verbose", "v", "show what the client does; -vv shows every request")
	f.BoolVar(&a.flags.schema, "schema", false, "print the JSON Schema of this command's -o json, and do nothing")
	return root
}

// env returns a variable, or the value that stands when it is not set.
func (a *app) env(name, otherwise string) string {
	for _, kv := range a.Env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok && v != "" {
			otherwise = v
		}
	}
	return otherwise
}

// group is a command that only has commands below it.
func (a *app) group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	c.AddCommand(commands...)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		f := usage("unknown command %q for %q", args[0], c.CommandPath())
		var names []string
		for _, sub := range c.Commands() {
			names = append(names, sub.Name())
		}
		if near := nearest(args[0], names); near != "" {
			return f.try("did you mean: %s %s", c.CommandPath(), near)
		}
		return f.try("%s --help lists the commands", c.CommandPath())
	}
	return c
}

// spec is one command.
type spec struct {
	use     string
	short   string
	long    string
	example string
	args    func(args []string) error // nil takes none
	doc     any                       // what -o json prints; nil when it has no JSON form
	name    bool                      // has -o name
	run     func(ctx context.Context, args []string) error
}

// command makes a cobra command of a spec.
func (a *app) command(s spec) *cobra.Command {
	c := &cobra.Command{Use: s.use, Short: s.short, Long: s.long, Example: s.example, Args: cobra.ArbitraryArgs}
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.flags.schema {
			return a.printSchema(c, s.doc)
		}
		if err := a.checkOutput(s); err != nil {
			return err
		}
		if s.args != nil {
			if err := s.args(args); err != nil {
				return err
			}
		} else if len(args) > 0 {
			return usage("%s takes no argument, %q is one too many", c.CommandPath(), args[0])
		}
		return s.run(c.Context(), args)
	}
	return c
}

func (a *app) printSchema(c *cobra.Command, doc any) error {
	if doc == nil {
		return usage("%s has no JSON output", c.CommandPath())
	}
	return a.json(schemaOf(c.CommandPath(), reflect.TypeOf(doc)))
}

func (a *app) checkOutput(s spec) error {
	switch o := a.flags.output; {
	case o == "table":
		return nil
	case o == "json" && s.doc != nil, o == "name" && s.name:
		return nil
	case o == "json" || o == "name":
		return usage("%q has no output form %q", strings.Fields(s.use)[0], o)
	default:
		return usage("unknown output form %q: table, json or name", o).try("-o is the form of the output; an offset is --from")
	}
}

// names takes one argument or more.
func names(what string) func([]string) error {
	return func(args []string) error {
		if len(args) == 0 {
			return usage("which %s?", what)
		}
		return noEmpty(what, args)
	}
}

// oneName takes exactly one argument.
func oneName(what string) func([]string) error {
	return func(args []string) error {
		switch len(args) {
		case 0:
			return usage("which %s?", what)
		case 1:
			return noEmpty(what, args)
		}
		return usage("one %s at a time: %q is one too many", what, args[1])
	}
}

func noEmpty(what string, args []string) error {
	if slices.Contains(args, "") {
		return usage("the name of a %s is empty", what)
	}
	return nil
}

// wanted tells what a flag's value would have to be, in our own words where the type says it all.
func wanted(bad *pflag.InvalidValueError) string {
	switch bad.GetFlag().Value.Type() {
	case "int", "int16", "int32", "int64", "count", "int32Slice":
		return "a whole number is wanted, and not too large a one"
	case "float64":
		return "a number is wanted"
	case "duration":
		return "a time such as 500ms, 10s or 5m is wanted"
	case "bool":
		return "true or false is wanted"
	}
	return bad.Unwrap().Error()
}

// flagError tells a flag that is unknown or has a bad value, with the nearest one there is.
func flagError(c *cobra.Command, err error) error {
	text := err.Error()
	f := usage("%s", text)
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		f.message = fmt.Sprintf("--%s %q: %s", bad.GetFlag().Name, bad.GetValue(), wanted(bad))
	}
	at := strings.Index(text, "unknown flag: --")
	if at < 0 {
		return f.try("%s --help lists the flags", c.CommandPath())
	}
	name := text[at+len("unknown flag: --"):]
	f.message = "unknown flag --" + name
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := nearest(name, known); near != "" {
		return f.try("did you mean --%s", near)
	}
	return f.try("%s --help lists the flags", c.CommandPath())
}
