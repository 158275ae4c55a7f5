package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// enoughFree is the free memory below which the page cache counts as full.
const enoughFree = 500 << 20

// filler keeps the page cache full with files of its own. On a virtual machine the first touch of a page costs several
// times what a write costs; without the filler whoever is measured first pays for the pages the others then find.
type filler struct {
	dir   string
	files int
	next  int // which to read back next
	off   bool
}

// top writes files until next to no memory is free. They stay until the run is over. When they are as large as memory,
// what the kernel dropped of them is read back instead, so that a long run does not fill the disk.
func (f *filler) top(ctx context.Context) error {
	if f.off {
		return nil
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	total, err := meminfo("MemTotal")
	if err != nil {
		return err
	}
	chunk := make([]byte, 64<<20)
	for again := 0; again <= f.files; {
		free, err := memFree()
		if err != nil || free < enoughFree {
			return err
		}
		if int64(f.files)*int64(len(chunk)) < total {
			err = os.WriteFile(filepath.Join(f.dir, strconv.Itoa(f.files)), chunk, 0o644)
			f.files++
		} else {
			err = readThrough(filepath.Join(f.dir, strconv.Itoa(f.next%f.files)), chunk)
			f.next++
			again++
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil // everything is cached, and there is room left: more than files of this size can fill
}

// calm waits until the disk has everything: what one contestant wrote, and the filler, must not slow down the next.
func calm() { unix.Sync() }

func readThrough(path string, buf []byte) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.ReadFull(file, buf)
	return err
}

func memFree() (int64, error) { return meminfo("MemFree") }

// meminfo is one line of the kernel's account of memory, in bytes.
func meminfo(name string) (int64, error) {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(info), "\n") {
		if strings.HasPrefix(line, name+":") {
			kib, err := strconv.ParseInt(strings.Fields(line)[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/meminfo has no %s", name)
}
