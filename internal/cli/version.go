package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what the Go linker wrote down of this program.
type build struct {
	doc
	Version    string `json:"version"`
	Commit     string `json:"commit"`
	CommitTime string `json:"commit_time"`
	Modified   bool   `json:"modified"`
	Go         string `json:"go"`
	OS         string `json:"os"`
	Arch       string `json:"arch"`
}

func readBuild() build {
	b := build{doc: newDoc("version"), Version: "devel", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.CommitTime = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (a *app) versionCommand() *cobra.Command {
	return a.command(spec{
		use: "version", short: "Print the version of this program", doc: build{},
		run: func(context.Context, []string) error { return a.printVersion() },
	})
}

func (a *app) printVersion() error {
	b := readBuild()
	if a.asJSON() {
		return a.json(b)
	}
	commit := ""
	if len(b.Commit) >= 12 {
		commit = "commit " + b.Commit[:12] + ", "
		if b.Modified {
			commit = "commit " + b.Commit[:12] + " with changes, "
		}
	}
	return a.line("milena %s (%s%s %s/%s)", b.Version, commit, b.Go, b.OS, b.Arch)
}

// versionFlag lets the program say its version as most do: --version is version.
func (a *app) versionFlag(root *cobra.Command) {
	asked := root.Flags().Bool("version", false, "print the version of this program")
	other := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error {
		if *asked && len(args) == 0 {
			return a.printVersion()
		}
		return other(c, args)
	}
}
