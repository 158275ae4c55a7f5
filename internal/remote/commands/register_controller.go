package commands

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
)

// WriteRegisterController makes the request.
func WriteRegisterController(c controller.RegisterController) *kmsg.ControllerRegistrationRequest {
	m := kmsg.NewPtrControllerRegistrationRequest()
	m.ControllerID, m.IncarnationID = int32(c.Controller), c.Incarnation
	for _, e := range c.Endpoints {
		l := kmsg.NewControllerRegistrationRequestListener()
		l.Name, l.Host, l.Port, l.SecurityProtocol = e.Name, e.Host, e.Port, int16(e.SecurityProtocol)
		m.Listeners = append(m.Listeners, l)
	}
	for _, f := range c.Features {
		r := kmsg.NewControllerRegistrationRequestFeature()
		r.Name, r.MinSupportedVersion, r.MaxSupportedVersion = f.Name, f.Min, f.Max
		m.Features = append(m.Features, r)
	}
	return m
}

// ReadRegisterController reads it.
func ReadRegisterController(m *kmsg.ControllerRegistrationRequest) controller.RegisterController {
	c := controller.RegisterController{Controller: kafka.NodeID(m.ControllerID), Incarnation: m.IncarnationID}
	for i := range m.Listeners {
		l := &m.Listeners[i]
		c.Endpoints = append(c.Endpoints, staterecord.Endpoint{
			Name: l.Name, Host: l.Host, Port: l.Port, SecurityProtocol: staterecord.SecurityProtocol(l.SecurityProtocol),
		})
	}
	for i := range m.Features {
		f := &m.Features[i]
		c.Features = append(c.Features, staterecord.FeatureRange{Name: f.Name, Min: f.MinSupportedVersion, Max: f.MaxSupportedVersion})
	}
	return c
}

// AnswerRegisterController makes the answer.
func AnswerRegisterController(m *kmsg.ControllerRegistrationRequest, _ any, err error) kmsg.Response {
	out := m.ResponseKind().(*kmsg.ControllerRegistrationResponse)
	if err != nil {
		p := problemOf(err)
		out.ErrorCode, out.ErrorMessage = int16(p.Code), words(p)
	}
	return out
}

func controllerRegistered(m *kmsg.ControllerRegistrationResponse) (any, error) {
	return nil, controller.Problem{Code: kafka.ErrorCode(m.ErrorCode), Message: unword(m.ErrorMessage)}.Err("controller")
}
