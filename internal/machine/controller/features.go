package controller

import "github.com/milena-io/milena/internal/staterecord"

// finalized returns a feature's level, 0 for off. That of kraft.version stands in a control record and not among the
// others.
func (d *decision) finalized(name string) int16 {
	if name == staterecord.FeatureKRaft {
		return d.kraft
	}
	return d.img.Feature(name)
}
