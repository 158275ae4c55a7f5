//go:build !linux

package disk

import "errors"

var errNoVolume = errors.New("volumes are not synced as a whole here")
