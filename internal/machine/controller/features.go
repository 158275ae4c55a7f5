package controller

import (
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/staterecord"
)

// kraftVersion is the level of kraft.version, which stands in a control record and not among the others: every cluster
// that we form begins with it.
const kraftVersion = 1

// finalized returns a feature's level, 0 for off.
func finalized(img *image.Image, name string) int16 {
	if name == staterecord.FeatureKRaft {
		return kraftVersion
	}
	return img.Feature(name)
}
