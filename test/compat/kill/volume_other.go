//go:build !linux

package kill

import "errors"

// volume is a file system whose power can be cut; there is none here.
type volume struct{}

var errNoVolume = errors.New("cutting the power of a file system needs Linux")

func newVolume(string, string) (*volume, error) { return nil, errNoVolume }
func (*volume) cut() error                      { return errNoVolume }
func (*volume) restore() error                  { return errNoVolume }
func (*volume) close() error                    { return nil }
