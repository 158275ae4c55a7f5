package cli

import (
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/migrate"
	"github.com/milena-io/milena/internal/node"
)

// logDirs is how a command is told of the log directories of a node: by name, or by the configuration.
type logDirs struct{ config []string }

func (l *logDirs) flag(c *cobra.Command) {
	c.Flags().StringArrayVarP(&l.config, "config", "c", nil, "take log.dirs from this properties `file`, and check it too; repeatable")
}

// dirsFound are the log directories of a node, and which of them has the metadata log.
type dirsFound struct {
	all      []string
	metadata string
	values   *config.Values // of a configuration
}

func (d dirsFound) withMetadata() []string {
	if slices.Contains(d.all, d.metadata) {
		return d.all
	}
	return append(slices.Clone(d.all), d.metadata)
}

// find reads the arguments. Without a configuration the metadata log is in the directory that has it.
func (l *logDirs) find(a *app, args []string) (dirsFound, error) {
	var d dirsFound
	switch {
	case len(args) == 0 && len(l.config) == 0:
		return d, usage("which log directory?").try("name all log.dirs of the node, or its --config server.properties")
	case len(args) > 0 && len(l.config) > 0:
		return d, usage("log directories or --config, not both")
	case len(args) > 0:
		for _, dir := range args {
			d.all = append(d.all, path.Clean(filepath.ToSlash(dir)))
		}
	default:
		if err := d.configured(a, l.config); err != nil {
			return d, err
		}
	}
	for _, dir := range d.all {
		if _, err := a.seams.FS.Stat(dir); err != nil {
			return d, failed("NO_DIRECTORY", "%s: %v", dir, err)
		}
		if _, err := a.seams.FS.Stat(dir + "/__cluster_metadata-0"); err == nil && d.metadata == "" {
			d.metadata = dir
		}
	}
	if d.metadata == "" {
		d.metadata = d.all[0]
	}
	return d, nil
}

// configured takes the directories from properties files.
func (d *dirsFound) configured(a *app, files []string) error {
	in := config.Input{Env: a.Env}
	for _, name := range files {
		text, err := a.wholeFile(filepath.ToSlash(name))
		if err != nil {
			return failed("NO_CONFIG", "%s: %v", name, err)
		}
		in.Files = append(in.Files, config.File{Name: name, Text: text})
	}
	loaded, err := config.Load(in)
	if err != nil {
		return failed("INVALID_CONFIG", "%v", err)
	}
	d.values = &loaded.Values
	all := loaded.Values.List("log.dirs")
	if len(all) == 0 {
		all = loaded.Values.List("log.dir")
	}
	for _, dir := range all {
		d.all = append(d.all, path.Clean(filepath.ToSlash(dir)))
	}
	if dir := loaded.Values.Text("metadata.log.dir"); dir != "" {
		d.metadata = path.Clean(filepath.ToSlash(dir))
	}
	return nil
}

// check holds the configuration against what was found.
func (d dirsFound) check(f *migrate.Found) []migrate.Finding {
	if d.values == nil {
		return nil
	}
	var out []migrate.Finding
	if err := node.CheckConfig(*d.values); err != nil {
		text := err.Error()
		if m := fault.MessageOf(err); m != nil {
			text = *m
		}
		out = append(out, migrate.Finding{Code: "CONFIGURATION", Message: text, Try: "change the properties file"})
	}
	if id := kafka.NodeID(d.values.Int("node.id")); id != f.Node {
		out = append(out, migrate.Finding{Code: "NODE_ID", Message: fmt.Sprintf("node.id is %d and the directory belongs to node %d", id, f.Node),
			Try: "start as the node that it belongs to"})
	}
	return out
}

// maxProperties is far above any properties file, bytes.
const maxProperties = 16 << 20

func (a *app) wholeFile(name string) (string, error) {
	f, err := a.seams.FS.Open(name, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	n, err := f.Size()
	if err != nil {
		return "", err
	}
	if n > maxProperties {
		return "", fmt.Errorf("%d bytes are no properties file", n)
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return string(b), nil
}
