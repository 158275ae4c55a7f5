package controller

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

func TestUpdateFeatures(t *testing.T) {
	const invalid = kafka.ErrInvalidUpdateVersion
	for _, c := range []struct {
		update  FeatureUpdate
		code    kafka.ErrorCode
		message string
	}{
		{FeatureUpdate{"metadata.version", 30, 1}, kafka.ErrNone, ""},
		{FeatureUpdate{"kraft.version", 1, 1}, kafka.ErrNone, ""},
		{FeatureUpdate{"metadata.version", 31, 1}, invalid,
			"Invalid update version 31 for feature metadata.version. Local controller 1 only supports versions 7-30"},
		{FeatureUpdate{"metadata.version", 29, 1}, invalid, "Invalid update version 29 for feature metadata.version. Can't downgrade the " +
			"version of this feature without setting the upgrade type to either safe or unsafe downgrade."},
		{FeatureUpdate{"metadata.version", 29, 2}, invalid, "Unsupported metadata.version downgrade from 30 to 29. " +
			"Refusing to perform the requested downgrade because it might delete metadata information."},
		{FeatureUpdate{"metadata.version", 29, 3}, invalid, "Unsupported metadata.version downgrade from 30 to 29. " +
			"Unsafe metadata downgrade is not supported in this version."},
		{FeatureUpdate{"metadata.version", 30, 0}, invalid,
			"Invalid update version 30 for feature metadata.version. The controller does not support the given upgrade type."},
		{FeatureUpdate{"metadata.version", -1, 1}, invalid,
			"Invalid update version -1 for feature metadata.version. A feature version cannot be less than 0."},
		{FeatureUpdate{"kraft.version", 0, 2}, invalid, "Invalid update version 0 for feature kraft.version. Local controller 1 only supports versions 1"},
		{FeatureUpdate{"transaction.version", 2, 1}, invalid,
			"Invalid update version 2 for feature transaction.version. Local controller 1 does not support this feature."},
		{FeatureUpdate{"new.version", 1, 2}, invalid, "Invalid update version 1 for feature new.version. Can't downgrade to a newer version."},
		{FeatureUpdate{"new.version", 2, 1}, invalid, "Invalid update version 2 for feature new.version. Broker 1 does not support this feature."},
	} {
		t.Run(c.message, func(t *testing.T) {
			l := newLab(t)
			l.m.o.Supported = append(l.m.o.Supported, staterecord.FeatureRange{Name: "new.version", Max: 2})
			l.start(1)
			if c.update.Level == 1 && c.update.Name == "new.version" {
				r := registration(1, 1)
				r.Features = l.m.o.Supported
				l.must(r)
			}
			got := l.must(UpdateFeatures{Features: []FeatureUpdate{c.update}}).([]UpdatedFeature)[0]
			refusedAs(t, got.Problem, c.code, c.message)
		})
	}
}

func TestFeaturesAreUpdatedTogetherOrNotAtAll(t *testing.T) {
	l := newLab(t)
	l.m.o.Supported = append(l.m.o.Supported, staterecord.FeatureRange{Name: "new.version", Max: 2})
	r := registration(1, 1)
	r.Features = l.m.o.Supported
	l.must(r)
	good, bad := FeatureUpdate{"new.version", 2, 1}, FeatureUpdate{"metadata.version", 99, 1}
	got := l.must(UpdateFeatures{Features: []FeatureUpdate{good, bad}}).([]UpdatedFeature)
	if got[0].Code != kafka.ErrFeatureUpdateFailed || got[1].Code != kafka.ErrInvalidUpdateVersion || len(l.last) != 0 {
		t.Errorf("%+v with %d records", got, len(l.last))
	}
	if l.must(UpdateFeatures{ValidateOnly: true, Features: []FeatureUpdate{good}}); len(l.last) != 0 {
		t.Errorf("validation wrote %d records", len(l.last))
	}
	if l.must(UpdateFeatures{Features: []FeatureUpdate{good}}); l.m.Committed().Feature("new.version") != 2 {
		t.Error("the level is not finalized")
	}
	if got := l.must(UpdateFeatures{Features: []FeatureUpdate{good, good}}).([]UpdatedFeature); got[1].Code != kafka.ErrInvalidRequest {
		t.Errorf("named twice: %+v", got)
	}
}
