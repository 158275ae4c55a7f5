package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/staterecord"
)

// registerBroker registers an incarnation. A new one takes the old one out of every ISR and leadership in the same
// batch, so that each of them is led in a new epoch before the reply (architecture D6); it is fenced until it has caught
// up. The same incarnation again only amends what is registered, and keeps epoch and state.
func registerBroker(d *decision, c RegisterBroker) (any, error) {
	have := d.img.Broker(c.Broker)
	same := have != nil && have.Incarnation == c.Incarnation
	sure := have == nil || same || c.Colocated || c.follows(have) || d.sessions.insists(c)
	if have != nil && !same && !d.replaceable(have, c) {
		return nil, duplicate()
	}
	if err := checkStrings(c.Rack, c.Endpoints, c.Features); err != nil {
		return nil, err
	}
	if err := checkDirectories(d.img, c); err != nil {
		return nil, err
	}
	if err := checkFeatures(d, "broker", c.Features); err != nil {
		return nil, err
	}
	r := &staterecord.RegisterBroker{
		BrokerID: c.Broker, IncarnationID: c.Incarnation, Endpoints: c.Endpoints, Features: c.Features, Rack: c.Rack,
		LogDirs: c.LogDirs, Fenced: true,
	}
	if same {
		r.BrokerEpoch, r.Fenced, r.InControlledShutdown = have.Epoch, have.Fenced, have.ShuttingDown
		d.add(r)
		d.sessions.touch(d.now, c.Broker, have.Epoch, kafka.NoOffset)
		return Registered{Epoch: have.Epoch}, nil
	}
	if !sure {
		return nil, duplicate()
	}
	if have != nil && d.img.Load(c.Broker).InSync > maxLeaving {
		// The timers take the old one out of them, batch by batch, and the broker asks again.
		d.sessions.kill(d.now, c.Broker, have.Epoch)
		return nil, duplicate()
	}
	gone := departure{broker: c.Broker, most: maxLeaving}
	if d.img.Feature(staterecord.FeatureElr) > 0 {
		gone.loses = lost(have, c)
	}
	if !mutant.On(mutant.SameEpochRegistration) && !leave(d, gone) {
		return Registered{Epoch: unregistered}, nil // it was eligible in more than goes into one batch, and asks again
	}
	if have != nil {
		giveUpUnplaced(d, have, c.LogDirs)
	}
	r.BrokerEpoch = kafka.BrokerEpoch(d.next) + kafka.BrokerEpoch(len(d.records))
	d.add(r)
	d.sessions.begin(d.now, c.Broker, r.BrokerEpoch)
	return Registered{Epoch: r.BrokerEpoch}, nil
}

// follows reports whether a process is shown to have begun after the one that is registered: it has all of its directories, and each names
// it. One of which that isn't so was given another disk, or it is an older process whose request was on its way for too long; it costs its
// node's place in the ISRs, so that the controller wants to hear it twice. Who has ended does not ask again.
func (c RegisterBroker) follows(have *image.Broker) bool {
	return !slices.ContainsFunc(have.LogDirs, func(dir kafka.DirectoryID) bool {
		i := slices.Index(c.LogDirs, dir)
		return i < 0 || i < len(c.Noted) && !slices.Contains(c.Noted[i], have.Incarnation)
	})
}

// unregistered is the epoch of a broker that has to ask again.
const unregistered = kafka.BrokerEpoch(-1)

// Again is why a broker whose registration needs several batches is not registered yet; nil once it is.
func (r Registered) Again() error {
	if r.Epoch == unregistered {
		return duplicate()
	}
	return nil
}

func duplicate() error {
	return fault.New(op, kafka.ErrDuplicateBrokerRegistration, "Another broker is registered with that broker id. If the "+
		"broker was recently restarted this should self-resolve once the heartbeat manager expires the broker's session.")
}

// replaceable reports whether another incarnation may take a registration over: its session is over, or it goes by its own
// will, as in Kafka; or nobody needs to wait because its process is known to have ended.
func (d *decision) replaceable(have *image.Broker, c RegisterBroker) bool {
	return c.Colocated || c.Dead == have.Epoch || have.ShuttingDown || !d.sessions.alive(d.now, have.ID, have.Epoch)
}

// lost tells of which partitions a broker that comes back may lack what it acknowledged. By KIP-966 that is all of them,
// unless its last incarnation stopped cleanly. Where acknowledged means durable (architecture D5) it is those whose
// directory is not there any more or is not as the last incarnation left it: wiped, or restored from before. The only
// replica there is keeps its place, since nobody could do without it.
func lost(have *image.Broker, c RegisterBroker) func(rules, *image.Partition) bool {
	clean := have != nil && c.PreviousEpoch == have.Epoch || mutant.On(mutant.UncleanEligible)
	return func(r rules, p *image.Partition) bool {
		if clean || sole(p) {
			return false
		}
		dir := p.Directory(c.Broker)
		i := slices.Index(c.LogDirs, dir)
		switch {
		case !r.durable:
			return true
		case i < 0:
			return dir != kafka.DirectoryUnassigned && dir != kafka.DirectoryMigrating
		}
		return have != nil && i < len(c.Noted) && !slices.Contains(c.Noted[i], have.Incarnation)
	}
}

// sole reports whether a partition has one replica.
func sole(p *image.Partition) bool { return len(p.Replicas()) == 1 }

// checkStrings refuses what a record cannot hold.
func checkStrings(rack *string, endpoints []staterecord.Endpoint, features []staterecord.FeatureRange) error {
	longest := 0
	if rack != nil {
		longest = len(*rack)
	}
	for _, e := range endpoints {
		longest = max(longest, len(e.Name), len(e.Host))
	}
	for _, f := range features {
		longest = max(longest, len(f.Name))
	}
	if longest > staterecord.MaxString {
		return fault.New(op, kafka.ErrInvalidRegistration, "A name in the request has %d bytes, more than %d", longest, staterecord.MaxString)
	}
	return nil
}

// checkDirectories holds the log directories against KIP-858: at least one, none reserved, none of another broker.
func checkDirectories(img *image.Image, c RegisterBroker) error {
	if len(c.LogDirs) == 0 {
		return fault.New(op, kafka.ErrInvalidRegistration, "No directories specified in request")
	}
	if slices.ContainsFunc(c.LogDirs, reserved) {
		return fault.New(op, kafka.ErrInvalidRegistration, "Reserved directory ID in request")
	}
	for i, dir := range c.LogDirs {
		if slices.Contains(c.LogDirs[:i], dir) {
			return fault.New(op, kafka.ErrInvalidRegistration, "Duplicate directory ID in request")
		}
	}
	for b := range img.Brokers() {
		for _, dir := range b.LogDirs {
			if b.ID != c.Broker && slices.Contains(c.LogDirs, dir) {
				return fault.New(op, kafka.ErrInvalidRegistration, "Broker %d is already registered with directory %s", b.ID, dir)
			}
		}
	}
	return nil
}

// reserved reports whether a directory id is one of the first hundred, which mean something.
func reserved(d kafka.DirectoryID) bool {
	last := d[15]
	d[15] = 0
	return d.IsZero() && last < 100
}

// checkFeatures refuses a broker, or a controller, that cannot run what is finalized.
func checkFeatures(d *decision, who string, offered []staterecord.FeatureRange) error {
	unsupported := func(f staterecord.FeatureRange, level int16) error {
		return fault.New(op, kafka.ErrUnsupportedVersion, "Unable to register because the %s does not support finalized version %d of %s. "+
			"The %s wants a version between %d and %d, inclusive.", who, level, f.Name, who, f.Min, f.Max)
	}
	metadata := false
	for _, f := range offered {
		metadata = metadata || f.Name == staterecord.FeatureMetadataVersion
		if level := d.finalized(f.Name); level < f.Min || level > f.Max {
			return unsupported(f, level)
		}
	}
	if !metadata {
		return fault.New(op, kafka.ErrInvalidRegistration, "Request features do not contain 'metadata.version'")
	}
	for name, level := range d.img.Features() {
		if !slices.ContainsFunc(offered, func(f staterecord.FeatureRange) bool { return f.Name == name }) {
			return unsupported(staterecord.FeatureRange{Name: name}, level)
		}
	}
	return nil
}

// unregisterBroker takes a broker out of every ISR and forgets it. It stays in the replica lists, and eligible where it
// was: what it holds is judged when it registers again.
func unregisterBroker(d *decision, c UnregisterBroker) error {
	b := d.img.Broker(c.Broker)
	if b == nil {
		return fault.New(op, kafka.ErrBrokerIdNotRegistered, "Broker ID %d is not currently registered", c.Broker)
	}
	leave(d, departure{broker: b.ID})
	d.add(&staterecord.UnregisterBroker{BrokerID: b.ID, BrokerEpoch: b.Epoch})
	d.sessions.drop(b.ID)
	return nil
}

// registered finds the broker a request comes from. Error: STALE_BROKER_EPOCH.
func registered(d *decision, id kafka.NodeID, epoch kafka.BrokerEpoch) (*image.Broker, error) {
	b := d.img.Broker(id)
	if b == nil {
		return nil, fault.New(op, kafka.ErrStaleBrokerEpoch, "No broker registration found for broker id %d", id)
	}
	if b.Epoch != epoch {
		return nil, fault.New(op, kafka.ErrStaleBrokerEpoch, "Expected broker epoch %d, but got broker epoch %d", b.Epoch, epoch)
	}
	return b, nil
}
