package controller

import (
	"reflect"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// registerController notes where a controller is reached and what it can run (KIP-919). Saying the same again writes nothing.
func registerController(d *decision, c RegisterController) error {
	if d.img.MetadataVersion() < staterecord.MetadataVersion37IV0 {
		return fault.New(op, kafka.ErrUnsupportedVersion, "The current MetadataVersion is too old to support controller registrations.")
	}
	if err := checkStrings(nil, c.Endpoints, c.Features); err != nil {
		return err
	}
	if err := checkFeatures(d, "controller", c.Features); err != nil {
		return err
	}
	r := &staterecord.RegisterController{ControllerID: c.Controller, IncarnationID: c.Incarnation, Endpoints: c.Endpoints, Features: c.Features}
	if have := d.img.Controller(c.Controller); have != nil && reflect.DeepEqual(have.Record(), r) {
		return nil
	}
	d.add(r)
	return nil
}
