package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/milena-io/milena/test/compat/volume"
)

// slots is how many runs may be at one machine at once: each has a network of its own.
const slots = 200

// slot is a run's number. Everything of it that is not a file carries the number in its name, and the file that is locked for as long as
// the run lives says where the files are: so the next run finds what one that was killed has left behind, and takes it away.
type slot struct {
	number int
	file   *os.File
}

// takeSlot takes the first number that nobody has, and cleans up after everybody who is gone.
func takeSlot(registry string, o Options) (*slot, error) {
	if err := os.MkdirAll(registry, 0o755); err != nil {
		return nil, err
	}
	var mine *slot
	for n := 1; n <= slots; n++ {
		path := filepath.Join(registry, strconv.Itoa(n))
		if _, err := os.Stat(path); err != nil && mine != nil {
			continue
		}
		s, err := lock(path, n)
		if err != nil {
			return nil, errors.Join(err, mine.release())
		}
		if s == nil {
			continue // its run lives
		}
		if err := s.sweep(); err != nil {
			return nil, errors.Join(err, mine.release(), s.release())
		}
		if mine == nil {
			mine = s
			continue
		}
		if err := s.release(); err != nil {
			return nil, errors.Join(err, mine.release())
		}
	}
	if mine == nil {
		return nil, fmt.Errorf("%d runs are under way", slots)
	}
	return mine, mine.note(o.Dir + "\n" + o.Images)
}

// lock returns nil when another process has it.
func lock(path string, n int) (*slot, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, err
	}
	return &slot{n, f}, nil
}

// note says where the files are, before there are any.
func (s *slot) note(text string) error {
	if err := s.file.Truncate(0); err != nil {
		return err
	}
	_, err := s.file.WriteAt([]byte(text), 0)
	return err
}

// sweep ends and removes what a run with this number left: processes in its namespaces, then these, its bridge, and its volumes.
func (s *slot) sweep() error {
	for id := 1; id <= maxNodes; id++ {
		name := s.namespace(id)
		pids, err := exec.Command("ip", "netns", "pids", name).Output()
		if err != nil {
			continue // there is none
		}
		for _, text := range strings.Fields(string(pids)) {
			if pid, err := strconv.Atoi(text); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
		}
		if err := command("ip", "netns", "del", name); err != nil {
			return err
		}
	}
	if exec.Command("ip", "link", "show", s.bridge()).Run() == nil {
		if err := command("ip", "link", "del", s.bridge()); err != nil {
			return err
		}
	}
	note := make([]byte, 8192)
	n, _ := s.file.ReadAt(note, 0) // an empty file notes nothing
	dir, images, noted := strings.Cut(string(note[:n]), "\n")
	if !noted {
		return nil
	}
	if err := volume.Release(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(images); err != nil {
		return err
	}
	return s.note("")
}

func (s *slot) release() error {
	if s == nil {
		return nil
	}
	return errors.Join(os.Remove(s.file.Name()), s.file.Close())
}

func (s *slot) namespace(id int) string { return fmt.Sprintf("milena-chaos-%d-%d", s.number, id) }
func (s *slot) bridge() string          { return fmt.Sprintf("mchaos%d", s.number) }
func (s *slot) veth(id int) string      { return fmt.Sprintf("mchaos%dn%d", s.number, id) }
func (s *slot) address(id int) string   { return fmt.Sprintf("10.231.%d.%d", s.number, id) }

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
