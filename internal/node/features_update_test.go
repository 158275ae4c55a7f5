package node

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// raise is one feature's new level.
type raise struct {
	feature string
	level   int16
	kind    int8
}

func raising(version int16, raises ...raise) *kmsg.UpdateFeaturesRequest {
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.Version, req.TimeoutMillis = version, 5000
	for _, r := range raises {
		f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		f.Feature, f.MaxVersionLevel, f.UpgradeType, f.AllowDowngrade = r.feature, r.level, r.kind, r.kind == 3
		req.FeatureUpdates = append(req.FeatureUpdates, f)
	}
	return req
}

func TestUpdateFeaturesAllOrNone(t *testing.T) {
	r := newRig(t)
	const (
		metadataVersion = "metadata.version"
		invalid         = kafka.ErrInvalidUpdateVersion
		prefix          = "The update failed for all features since the following feature had an error: "
	)
	for _, c := range []struct {
		what   string
		least  int16
		raises []raise
		code   kafka.ErrorCode
		why    string
	}{
		{"nothing", 0, nil, 0, ""},
		{"the level it has", 0, []raise{{metadataVersion, 30, 1}}, 0, ""},
		{"the level it has, as a downgrade", 1, []raise{{metadataVersion, 30, 2}}, 0, ""},
		{"twice", 0, []raise{{metadataVersion, 99, 1}, {metadataVersion, 30, 1}}, 0, ""},
		{"two", 0, []raise{{metadataVersion, 30, 1}, {"kraft.version", 1, 1}}, 0, ""},
		{"too high", 0, []raise{{metadataVersion, 31, 1}}, invalid, prefix + "Invalid update version 31 for feature metadata.version. Local controller 1 only supports versions 7-30"},
		{"below none", 0, []raise{{metadataVersion, -1, 1}}, invalid, prefix + "Invalid update version -1 for feature metadata.version. A feature version cannot be less than 0."},
		{"an unknown one beside a good one", 0, []raise{{metadataVersion, 30, 1}, {"no.such", 1, 1}}, invalid,
			prefix + "Invalid update version 1 for feature no.such. Local controller 1 does not support this feature."},
		{"a downgrade that isn't called one", 0, []raise{{metadataVersion, 29, 1}}, invalid, prefix + "Invalid update version 29 for feature " +
			"metadata.version. Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."},
		{"an unknown kind", 1, []raise{{metadataVersion, 30, 7}}, invalid,
			prefix + "Invalid update version 30 for feature metadata.version. The controller does not support the given upgrade type."},
		{"what is not built", 0, []raise{{"transaction.version", 2, 1}}, invalid,
			prefix + "Invalid update version 2 for feature transaction.version. Local controller 1 does not support this feature."},
		{"an unsafe downgrade", 0, []raise{{metadataVersion, 29, 3}}, invalid,
			prefix + "Unsupported metadata.version downgrade from 30 to 29. Unsafe metadata downgrade is not supported in this version."},
	} {
		for version := c.least; version <= 2; version++ {
			got := ask[*kmsg.UpdateFeaturesResponse](r, raising(version, c.raises...))
			if kafka.ErrorCode(got.ErrorCode) != c.code || said(got.ErrorMessage) != c.why {
				t.Errorf("v%d %s: %v %q, want %v %q", version, c.what, kafka.ErrorCode(got.ErrorCode), said(got.ErrorMessage), c.code, c.why)
			}
			want := len(c.raises)
			if c.code != 0 || version > 1 {
				want = 0
			}
			if len(got.Results) != want {
				t.Errorf("v%d %s: results %+v, want %d", version, c.what, got.Results, want)
			}
		}
	}
}

func TestUpdateFeaturesAsAQuestion(t *testing.T) {
	r := newRig(t)
	r.enlisted()
	before := r.n.feed.Offset()
	req := raising(2, raise{"metadata.version", 30, 1})
	req.ValidateOnly = true
	wantCode(t, ask[*kmsg.UpdateFeaturesResponse](r, req).ErrorCode, kafka.ErrNone)
	if after := r.n.feed.Offset(); after != before {
		t.Errorf("a question moved the metadata log from %d to %d", before, after)
	}
}

func TestApiVersionsTellsFeatures(t *testing.T) {
	r := newRig(t)
	r.enlisted()
	for version, want := range map[int16]string{
		0: "[] []", 2: "[] []",
		3: "[kraft.version 1-1 metadata.version 7-30] [kraft.version 1 eligible.leader.replicas.version 1 metadata.version 30]",
		4: "[eligible.leader.replicas.version 0-1 kraft.version 1-1 metadata.version 7-30] [kraft.version 1 eligible.leader.replicas.version 1 metadata.version 30]",
	} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = version, "test", "1.0"
		got := ask[*kmsg.ApiVersionsResponse](r, req)
		var supported, finalized []string
		for _, f := range got.SupportedFeatures {
			supported = append(supported, fmt.Sprintf("%s %d-%d", f.Name, f.MinVersion, f.MaxVersion))
		}
		for _, f := range got.FinalizedFeatures {
			finalized = append(finalized, fmt.Sprintf("%s %d", f.Name, f.MaxVersionLevel))
		}
		if s := fmt.Sprint(supported, finalized); s != want {
			t.Errorf("v%d: %s, want %s", version, s, want)
		}
		if version >= 3 && got.FinalizedFeaturesEpoch != int64(r.n.feed.Offset()) {
			t.Errorf("v%d: epoch %d, the metadata log is at %d", version, got.FinalizedFeaturesEpoch, r.n.feed.Offset())
		}
	}
	for _, name := range []string{"", "not a name", "-begins", "ends-"} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 3, name, "1.0"
		if got := ask[*kmsg.ApiVersionsResponse](r, req); kafka.ErrorCode(got.ErrorCode) != kafka.ErrInvalidRequest || len(got.ApiKeys) != 0 {
			t.Errorf("software %q: %+v", name, got)
		}
	}
}
