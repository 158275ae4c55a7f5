package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// StartOptions are what the command line says about a server.
type StartOptions struct {
	ConfigFiles []string // properties files, later ones win
	Overrides   []string // key=value, over the files and the environment
	Env         []string // KEY=value, for the KAFKA_* variables
	Out         io.Writer
	Err         io.Writer
	LogFormat   string // kafka, json or pretty; empty is the configuration's choice, or the terminal's
	LogLevel    string // debug, info, warn or error; empty is the configuration's choice
	Terminal    bool   // Err is a terminal
}

// StartFunc runs a server until ctx ends and returns after its clean stop, nil when that was clean. An error before that
// says why it could not start or go on. cmd/milena provides it.
type StartFunc func(ctx context.Context, opts StartOptions) error

func (a *app) startCommand() *cobra.Command {
	var o StartOptions
	c := a.command(spec{
		use: "start [SERVER.PROPERTIES…]", short: "Run a server: broker and controller in one process",
		long: `Runs a server until Ctrl-C or SIGTERM, which stop it cleanly.

Without any configuration it is broker and controller of a cluster of its own on 127.0.0.1:9092 with its data in
./milena-data, which is formatted by itself. Keys are Apache Kafka's: from properties files, KAFKA_* environment
variables and --override, the later winning.

Exit codes: 0 after a clean stop, 1 when it could not start or had to give up, 5 when the data directory is in use or
belongs to another node or cluster.`,
		example: `  milena start
  milena start server.properties --override num.partitions=3`,
		args: func([]string) error { return nil },
		run: func(ctx context.Context, args []string) error {
			if a.seams.Start == nil {
				return failed("NO_SERVER", "this program was built without a server")
			}
			if err := checkStart(o); err != nil {
				return err
			}
			o.ConfigFiles = append(o.ConfigFiles, args...)
			o.Env, o.Out, o.Err, o.Terminal = a.Env, a.Out, a.Err, a.ErrTerminal
			return startFailure(a.seams.Start(ctx, o))
		},
	})
	f := c.Flags()
	f.StringArrayVarP(&o.ConfigFiles, "config", "c", nil, "properties `file`, as an argument is; repeatable")
	f.StringArrayVar(&o.Overrides, "override", nil, "`key=value` over files and environment; repeatable")
	f.StringVar(&o.LogFormat, "log-format", "", "`form` of log lines: kafka, json or pretty (default: pretty on a terminal, else kafka)")
	f.StringVar(&o.LogLevel, "log-level", "", "least `level` of log lines: debug, info, warn or error")
	return c
}

func checkStart(o StartOptions) error {
	switch o.LogFormat {
	case "", "kafka", "json", "pretty":
	default:
		return usage("--log-format %q: kafka, json or pretty", o.LogFormat)
	}
	switch o.LogLevel {
	case "", "debug", "info", "warn", "error":
	default:
		return usage("--log-level %q: debug, info, warn or error", o.LogLevel)
	}
	for _, kv := range o.Overrides {
		if _, _, err := keyValue("--override", kv); err != nil {
			return err
		}
	}
	return nil
}

// startFailure gives a directory that is not ours its own exit code: a supervisor must not restart into it for ever.
func startFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, disk.ErrLocked):
		f := &failure{exit: exitLocked, code: "LOCKED", message: err.Error(), cause: err}
		return f.try("stop the other process, or give this one another log.dirs")
	case fault.CodeOf(err) == kafka.ErrInconsistentClusterId:
		f := &failure{exit: exitLocked, code: "INCONSISTENT_CLUSTER_ID", message: err.Error(), cause: err}
		return f.try("%s", notOurs(f.message))
	case fault.CodeOf(err) == kafka.ErrKafkaStorageError && notWritable(err):
		f := &failure{exit: exitFailed, code: "START_FAILED", message: err.Error(), cause: err}
		return f.try("the data directory must be one that this user can make and write; another one: --override log.dirs=/some/where/else")
	}
	return &failure{exit: exitFailed, code: "START_FAILED", message: err.Error(), cause: err}
}

// notOurs says what to do about a directory that has another node's data, or another cluster's.
func notOurs(message string) string {
	if _, whose, found := strings.Cut(message, "belongs to node.id "); found {
		id, _, _ := strings.Cut(whose, ",")
		return fmt.Sprintf("start as the node that it belongs to: --override node.id=%s; or use another directory: --override log.dirs=…", id)
	}
	return "use another directory: --override log.dirs=…, or unset CLUSTER_ID"
}

// notWritable reports whether the file system refused a path for what it is or whose it is.
func notWritable(err error) bool {
	for _, e := range []error{fs.ErrPermission, fs.ErrNotExist, fs.ErrExist, syscall.ENOTDIR, syscall.EROFS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
