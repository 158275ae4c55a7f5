//go:build !linux

package listen

import (
	"net"

	"github.com/milena-io/milena/internal/disk"
)

// outlet is shut where sections of files cannot be sent without copying.
type outlet struct{}

func (*outlet) open(net.Conn, func(int)) {}

func (*outlet) takes(disk.File) bool { return false }

func (*outlet) more([]byte) (bool, error) { return false, nil }

func (*outlet) section(disk.File, int64, int64) (int64, error) { return 0, nil }
