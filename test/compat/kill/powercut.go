package kill

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/offline"
	"github.com/milena-io/milena/test/compat/suite"
	"github.com/milena-io/milena/test/compat/volume"
)

// volumeBytes is more than a suite writes.
const volumeBytes = 1 << 30

// powerCuts runs the broker on a small ext4 file system and cuts its power, again and again, with requests in flight: what
// was not synced is gone with the page cache, as the kernel and its journal leave it. Each cut is judged.
func powerCuts(ctx context.Context, s *suite.Session) error {
	n, err := asked("POWERCUTS", 20)
	if err != nil {
		return err
	}
	disk, err := volume.New(filepath.Join(s.Dir, "volume"), filepath.Join(s.Dir, "broker", "data"), volumeBytes)
	if err != nil {
		s.Case("a file system whose power can be cut", func() error { return suite.Skip("%v", err) })
		return nil
	}
	defer func() { _ = disk.Close() }()
	node, err := newNode(s)
	if err != nil {
		return err
	}
	defer node.Kill9() // before the volume goes
	return survive(ctx, s, node, end{name: "a power cut", times: n, acks: 200, judge: 1, read: offline.ReadCut, come: func() error {
		return cutPower(node, disk)
	}})
}

// cutPower ends the process and the file system under it, and boots the latter. The process is stopped first: a sync that is
// under way when ext4 is shut down may answer success (in 3 of 89 cuts of a bare loop of write and fdatasync), and on a machine
// without power nobody would be left to acknowledge anything.
func cutPower(node broker.Broker, disk *volume.Volume) error {
	if err := volume.Halt(node.Pid()); err != nil {
		return err
	}
	if err := errors.Join(disk.Cut(), node.Kill9()); err != nil {
		return err
	}
	return disk.Restore()
}
