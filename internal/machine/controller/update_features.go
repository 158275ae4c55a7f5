package controller

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Upgrade types of FeatureUpdate; between them is the safe downgrade.
const (
	upgrade         = 1
	unsafeDowngrade = 3
)

// updateFeatures finalizes feature levels, all or none (KIP-584): one that is refused is named, the others are then not
// attempted.
func updateFeatures(d *decision, c UpdateFeatures) (any, error) {
	out := make([]UpdatedFeature, len(c.Features))
	refused := false
	named := map[string]bool{}
	for i, f := range c.Features {
		out[i].Name = f.Name
		if refused {
			continue
		}
		out[i].Problem = problem(updateFeature(d, f, named[f.Name]))
		named[f.Name] = true
		refused = !out[i].OK()
	}
	if refused {
		for i := range out {
			if out[i].OK() {
				out[i].Problem = Problem{kafka.ErrFeatureUpdateFailed, "Another feature of the request was refused, and none was updated."}
			}
		}
	}
	return out, d.finish(c.ValidateOnly || refused)
}

func updateFeature(d *decision, f FeatureUpdate, again bool) error {
	refused := func(why string) error {
		return fault.New(op, kafka.ErrInvalidUpdateVersion, "Invalid update version %d for feature %s. %s", f.Level, f.Name, why)
	}
	current := d.finalized(f.Name)
	switch {
	case again:
		return fault.New(op, kafka.ErrInvalidRequest, "The feature %s is named twice.", f.Name)
	case f.UpgradeType < upgrade || f.UpgradeType > unsafeDowngrade:
		return refused("The controller does not support the given upgrade type.")
	case f.Level < 0:
		return refused("A feature version cannot be less than 0.")
	}
	if why := notSupported(d, f.Name, f.Level); why != "" {
		return refused(why)
	}
	switch {
	case f.Level < current && f.UpgradeType == upgrade:
		return refused("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
	case f.Level > current && f.UpgradeType != upgrade:
		return refused("Can't downgrade to a newer version.")
	case f.Name == staterecord.FeatureKRaft && f.Level != current:
		return refused("The kraft.version of a log stays as it was begun in this version.")
	case f.Name == staterecord.FeatureKRaft:
		return nil // it stands in a control record
	case f.Name == staterecord.FeatureMetadataVersion && f.Level < current:
		// Records are written in the newest schemas, and 4.3-IV0 itself has changed some: what is there would be lost.
		why := "Refusing to perform the requested downgrade because it might delete metadata information."
		if f.UpgradeType == unsafeDowngrade {
			why = "Unsafe metadata downgrade is not supported in this version."
		}
		return fault.New(op, kafka.ErrInvalidUpdateVersion, "Unsupported metadata.version downgrade from %d to %d. %s", current, f.Level, why)
	}
	if f.Name == staterecord.FeatureElr && f.Level > 0 && current == 0 {
		if pendingLevel(d, staterecord.FeatureMetadataVersion) < int16(staterecord.MetadataVersion40IV1) {
			return refused(fmt.Sprintf("%s could not be set to %d because it depends on %s level %d", f.Name, f.Level,
				staterecord.FeatureMetadataVersion, staterecord.MetadataVersion40IV1))
		}
		fixMinInSync(d)
	}
	d.add(&staterecord.FeatureLevel{Name: f.Name, Level: f.Level})
	return nil
}

// pendingLevel is a feature's level once what is decided so far has been applied.
func pendingLevel(d *decision, name string) int16 {
	level := d.finalized(name)
	for _, r := range d.records {
		if f, ok := r.(*staterecord.FeatureLevel); ok && f.Name == name {
			level = f.Level
		}
	}
	return level
}

// notSupported tells who cannot run a feature at a level: this controller first, then brokers, then other controllers.
func notSupported(d *decision, name string, level int16) string {
	if why := outside(fmt.Sprintf("Local controller %d", d.o.Node), d.o.Supported, name, level); why != "" {
		return why
	}
	for b := range d.img.Brokers() {
		if why := outside(fmt.Sprintf("Broker %d", b.ID), b.Features, name, level); why != "" {
			return why
		}
	}
	for c := range d.img.Controllers() {
		if c.ID == d.o.Node {
			continue
		}
		if why := outside(fmt.Sprintf("Controller %d", c.ID), c.Features, name, level); why != "" {
			return why
		}
	}
	return ""
}

func outside(who string, offered []staterecord.FeatureRange, name string, level int16) string {
	r := staterecord.FeatureRange{Name: name}
	if i := slices.IndexFunc(offered, func(f staterecord.FeatureRange) bool { return f.Name == name }); i >= 0 {
		r = offered[i]
	}
	switch {
	case level >= r.Min && level <= r.Max:
		return ""
	case r.Max == 0:
		return who + " does not support this feature."
	case r.Min == r.Max:
		return who + " only supports versions " + strconv.Itoa(int(r.Min))
	}
	return fmt.Sprintf("%s only supports versions %d-%d", who, r.Min, r.Max)
}
