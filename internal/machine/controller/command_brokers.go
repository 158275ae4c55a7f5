package controller

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// RegisterBroker registers an incarnation of a broker (KIP-500, KIP-631, directory ids by KIP-858). The reply is
// Registered. Registering the same incarnation again keeps its epoch.
// Errors: DUPLICATE_BROKER_REGISTRATION while another incarnation of the id is alive, UNSUPPORTED_VERSION when the
// broker's features don't cover a finalized one, INVALID_REGISTRATION, STALE_BROKER_EPOCH.
type RegisterBroker struct {
	Broker      kafka.NodeID
	Incarnation kafka.IncarnationID
	Rack        *string
	Endpoints   []staterecord.Endpoint
	Features    []staterecord.FeatureRange
	LogDirs     []kafka.DirectoryID
	// PreviousEpoch is that of the incarnation that stopped this broker cleanly, when that was the last: -1 after any other
	// stop (KIP-966, BrokerRegistration v3).
	PreviousEpoch kafka.BrokerEpoch
	// Noted are for each log directory the earlier incarnations that may have been the last to register with it, whatever the
	// stop was: a directory that was wiped or restored doesn't name the last. Nil where nothing is noted.
	Noted [][]kafka.IncarnationID
	// Colocated says that the broker runs in the process of the active controller: it is replaced by a newer incarnation
	// at once, since two processes cannot hold one directory.
	Colocated bool
	// Dead is the epoch of an incarnation of this broker whose process is proven to have ended, so that its session need not
	// be waited for (architecture D6); no epoch is 0.
	Dead kafka.BrokerEpoch
}

// BrokerDead fences a broker whose process is proven to have ended: it refuses connections, or another answers in its place
// (architecture D11). All it led is led by others in the same batch. The reply is nil. Error: STALE_BROKER_EPOCH, when it
// has been registered anew since.
type BrokerDead struct {
	Broker kafka.NodeID
	Epoch  kafka.BrokerEpoch
}

// Registered is the reply to RegisterBroker; the epoch is the offset of the registration's record. Again tells whether the broker has to
// ask again: what it gives up may need more than one batch.
type Registered struct{ Epoch kafka.BrokerEpoch }

// Heartbeat keeps a broker's session, asks to be unfenced or announces a controlled shutdown (KIP-631). The reply is
// Beat. Error: STALE_BROKER_EPOCH, also when the broker is not registered at all.
type Heartbeat struct {
	Broker         kafka.NodeID
	Epoch          kafka.BrokerEpoch
	MetadataOffset kafka.Offset // the last offset of the metadata log the broker has applied
	WantFence      bool
	WantShutdown   bool
	OfflineDirs    []kafka.DirectoryID
	Cordoned       []kafka.DirectoryID // that take no new replicas (KIP-1066); nil for no word, empty for none
	Stalled        []kafka.DirectoryID // whose flushes hang (architecture D5)
}

// Beat is the reply to Heartbeat.
type Beat struct {
	CaughtUp    bool
	Fenced      bool
	MayShutdown bool
}

// UnregisterBroker forgets a broker. The reply is nil. Error: BROKER_ID_NOT_REGISTERED.
type UnregisterBroker struct{ Broker kafka.NodeID }

// RegisterController registers an incarnation of a controller, which is what a feature's level is checked against and where
// clients find it (KIP-919). The reply is nil. Errors: UNSUPPORTED_VERSION, INVALID_REGISTRATION.
type RegisterController struct {
	Controller  kafka.NodeID
	Incarnation kafka.IncarnationID
	Endpoints   []staterecord.Endpoint
	Features    []staterecord.FeatureRange
}
