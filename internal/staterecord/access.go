package staterecord

import "github.com/milena-io/milena/internal/kafka"

// AccessControlEntry adds one ACL.
type AccessControlEntry struct {
	ID             kafka.UUID
	ResourceType   int8
	ResourceName   string
	PatternType    int8
	Principal      string
	Host           string
	Operation      int8
	PermissionType int8
}

// Type returns the record's id on disk.
func (r *AccessControlEntry) Type() Type { return TypeAccessControlEntry }

func (r *AccessControlEntry) walk(c *codec) {
	uuidOf(c, &r.ID)
	int8Of(c, &r.ResourceType)
	c.string(&r.ResourceName)
	int8Of(c, &r.PatternType)
	c.string(&r.Principal)
	c.string(&r.Host)
	int8Of(c, &r.Operation)
	int8Of(c, &r.PermissionType)
	c.tags()
}

// RemoveAccessControlEntry removes one ACL.
type RemoveAccessControlEntry struct{ ID kafka.UUID }

// Type returns the record's id on disk.
func (r *RemoveAccessControlEntry) Type() Type { return TypeRemoveAccessControlEntry }

func (r *RemoveAccessControlEntry) walk(c *codec) {
	uuidOf(c, &r.ID)
	c.tags()
}

// UserScramCredential sets a user's SCRAM credential for one mechanism.
type UserScramCredential struct {
	Name       string
	Mechanism  int8 // 1 SCRAM-SHA-256, 2 SCRAM-SHA-512
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
	Iterations int32
}

// Type returns the record's id on disk.
func (r *UserScramCredential) Type() Type { return TypeUserScramCredential }

func (r *UserScramCredential) walk(c *codec) {
	c.string(&r.Name)
	int8Of(c, &r.Mechanism)
	c.bytes(&r.Salt)
	c.bytes(&r.StoredKey)
	c.bytes(&r.ServerKey)
	int32Of(c, &r.Iterations)
	c.tags()
}

// RemoveUserScramCredential removes it.
type RemoveUserScramCredential struct {
	Name      string
	Mechanism int8
}

// Type returns the record's id on disk.
func (r *RemoveUserScramCredential) Type() Type { return TypeRemoveUserScramCredential }

func (r *RemoveUserScramCredential) walk(c *codec) {
	c.string(&r.Name)
	int8Of(c, &r.Mechanism)
	c.tags()
}

// DelegationToken creates or renews a delegation token.
type DelegationToken struct {
	Owner               string
	Requester           string
	Renewers            []string
	IssueTimestamp      int64
	MaxTimestamp        int64
	ExpirationTimestamp int64
	TokenID             string
}

// Type returns the record's id on disk.
func (r *DelegationToken) Type() Type { return TypeDelegationToken }

func (r *DelegationToken) walk(c *codec) {
	c.string(&r.Owner)
	c.string(&r.Requester)
	arrayOf(c, &r.Renewers, 1, false, func(c *codec, s *string) { c.string(s) })
	int64Of(c, &r.IssueTimestamp)
	int64Of(c, &r.MaxTimestamp)
	int64Of(c, &r.ExpirationTimestamp)
	c.string(&r.TokenID)
	c.tags()
}

// RemoveDelegationToken removes a delegation token.
type RemoveDelegationToken struct{ TokenID string }

// Type returns the record's id on disk.
func (r *RemoveDelegationToken) Type() Type { return TypeRemoveDelegationToken }

func (r *RemoveDelegationToken) walk(c *codec) {
	c.string(&r.TokenID)
	c.tags()
}

// QuotaEntity is one part of whom a quota is for; a nil name is the default entity of its type.
type QuotaEntity struct {
	Type string // user, client-id, ip
	Name *string
}

// ClientQuota sets or removes one quota of an entity.
type ClientQuota struct {
	Entity []QuotaEntity
	Key    string
	Value  float64
	Remove bool
}

// Type returns the record's id on disk.
func (r *ClientQuota) Type() Type { return TypeClientQuota }

func (r *ClientQuota) walk(c *codec) {
	arrayOf(c, &r.Entity, 3, false, func(c *codec, e *QuotaEntity) {
		c.string(&e.Type)
		c.nullable(&e.Name)
		c.tags()
	})
	c.string(&r.Key)
	c.float64(&r.Value)
	c.bool(&r.Remove)
	c.tags()
}
