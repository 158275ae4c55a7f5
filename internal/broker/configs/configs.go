// Package configs serves the dynamic configuration of topics, brokers and groups: DescribeConfigs, AlterConfigs,
// IncrementalAlterConfigs and ListConfigResources.
//
// listen calls its handlers through node's table. What is set dynamically stands in the image and is changed by the
// active controller; what is static comes with Settings. It holds no state.
package configs

import (
	"strconv"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
)

// Controller takes commands, wherever the active one runs. done is called once: with the reply when the change is
// committed and this node's image shows it, or with REQUEST_TIMED_OUT, NOT_CONTROLLER or KAFKA_STORAGE_ERROR.
type Controller interface {
	Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error))
}

// Settings are what this broker is configured with.
type Settings interface {
	NodeID() kafka.NodeID
	Layers() config.Layers // dynamic and static values of this broker, as they are now
	LogDirs() []string     // log.dirs
}

// Configs is the area.
type Configs struct {
	image      func() *image.Image
	controller Controller
	settings   Settings
	any        bool // of any node, as the controller changes them, and not only of this one
}

// New connects the area.
func New(img func() *image.Image, c Controller, s Settings) *Configs {
	return &Configs{image: img, controller: c, settings: s}
}

// OfAll is what a controller offers: it changes the configs of every node, whose own broker has looked at the request before.
func (c *Configs) OfAll() *Configs {
	all := *c
	all.any = true
	return &all
}

// The resource types of the protocol; the metadata log numbers them alike.
const (
	topicType  = int8(staterecord.ResourceTopic)
	brokerType = int8(staterecord.ResourceBroker)
	groupType  = int8(staterecord.ResourceGroup)
	loggerType = int8(staterecord.ResourceBrokerLogger)
)

// timeout of changes: these requests carry none.
const alterTimeout = 30 * time.Second

// brokerNamed checks the name of a broker resource: empty for all brokers, or this one, since a client asks each broker
// about itself. Kafka words the refusal in two ways, of reading and of changing.
func (c *Configs) brokerNamed(name string, change bool) error {
	const op = "configs"
	if name == "" {
		return nil
	}
	what, or := "Broker", " or empty string"
	if change {
		what, or = "Node", ""
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return fault.New(op, kafka.ErrInvalidRequest, "%s id must be an integer, but it is: %s", what, name)
	}
	if self := c.settings.NodeID(); kafka.NodeID(id) != self && !(change && c.any) {
		return fault.New(op, kafka.ErrInvalidRequest, "Unexpected broker id, expected %d%s, but received %s", self, or, name)
	}
	return nil
}
