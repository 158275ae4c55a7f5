package server

import (
	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/listen"
	"github.com/milena-io/milena/internal/node"
)

// window is what operators see of a running node from outside.
type window struct{}

func (s *running) watch(*config.Loaded) *window { return &window{} }

func (w *window) observer() listen.Observer { return nil }
func (w *window) serve(*node.Node)          {}
func (w *window) open()                     {}
func (w *window) close()                    {}
