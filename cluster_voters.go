package milena

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// votersFile is where a cluster with a directory keeps its voters, as controller.quorum.voters has them: their addresses stand in the
// metadata log, so that the next start has to take the same ports.
const votersFile = "voters"

// controllers are the addresses of controllers: those of the last start, or any.
func (c *Cluster) controllers() ([]string, error) {
	out := slices.Repeat([]string{"127.0.0.1:0"}, c.config.Nodes)
	if c.config.Dir == "" {
		return out, nil
	}
	text, err := checkpoint.Load(disk.NewOS(), filepath.ToSlash(filepath.Join(c.config.Dir, votersFile)), 4096)
	if err != nil {
		return nil, fmt.Errorf("milena: start: %w", err)
	}
	if len(text) == 0 {
		return out, nil
	}
	voters := strings.Split(strings.TrimSpace(string(text)), ",")
	if len(voters) != c.config.Nodes {
		return nil, fmt.Errorf("milena: %s holds a cluster of %d nodes, and %d were asked for", c.config.Dir, len(voters), c.config.Nodes)
	}
	for i, v := range voters {
		_, out[i], _ = strings.Cut(v, "@")
	}
	return out, nil
}

// note keeps the voters for the next start.
func (c *Cluster) note(voters []string) error {
	if c.config.Dir == "" {
		return nil
	}
	files, dir := disk.NewOS(), filepath.ToSlash(c.config.Dir)
	err := files.MkdirAll(dir)
	if err == nil {
		err = checkpoint.Replace(files, dir, votersFile, []byte(strings.Join(voters, ",")+"\n"))
	}
	if err != nil {
		return fmt.Errorf("milena: start: %w", err)
	}
	return nil
}
