package image

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/image/cow"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// access is who may do what and how much. It is kept as the records that said it.
type access struct {
	acls   cow.Map[kafka.UUID, *staterecord.AccessControlEntry]
	scram  cow.Map[ScramUser, *staterecord.UserScramCredential]
	tokens cow.Map[string, *staterecord.DelegationToken]
	quotas cow.Map[string, *staterecord.ClientQuota]
}

// ScramUser names one SCRAM credential.
type ScramUser struct {
	Name      string
	Mechanism int8
}

func emptyAccess() access {
	return access{
		acls: cow.New[kafka.UUID, *staterecord.AccessControlEntry](func(a, b kafka.UUID) int {
			return bytes.Compare(a[:], b[:])
		}),
		scram: cow.New[ScramUser, *staterecord.UserScramCredential](func(a, b ScramUser) int {
			if c := strings.Compare(a.Name, b.Name); c != 0 {
				return c
			}
			return cmp.Compare(a.Mechanism, b.Mechanism)
		}),
		tokens: cow.New[string, *staterecord.DelegationToken](strings.Compare),
		quotas: cow.New[string, *staterecord.ClientQuota](strings.Compare),
	}
}

// quotaKey is one text for an entity and key, whatever the order in which the record names the entity's parts.
func quotaKey(r *staterecord.ClientQuota) string {
	parts := make([]string, 0, len(r.Entity))
	for _, e := range r.Entity {
		if e.Name == nil {
			parts = append(parts, fmt.Sprintf("%q default", e.Type))
		} else {
			parts = append(parts, fmt.Sprintf("%q %q", e.Type, *e.Name))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",") + "/" + r.Key
}

// AccessControlEntries walks the ACLs by id.
func (img *Image) AccessControlEntries() iter.Seq2[kafka.UUID, *staterecord.AccessControlEntry] {
	return img.access.acls.All()
}

// ScramCredentials walks the SCRAM credentials by user and mechanism.
func (img *Image) ScramCredentials() iter.Seq2[ScramUser, *staterecord.UserScramCredential] {
	return img.access.scram.All()
}

// DelegationTokens walks the delegation tokens by id.
func (img *Image) DelegationTokens() iter.Seq2[string, *staterecord.DelegationToken] {
	return img.access.tokens.All()
}

// ClientQuotas walks the quotas in a fixed order.
func (img *Image) ClientQuotas() iter.Seq[*staterecord.ClientQuota] {
	return func(yield func(*staterecord.ClientQuota) bool) {
		for _, q := range img.access.quotas.All() {
			if !yield(q) {
				return
			}
		}
	}
}
