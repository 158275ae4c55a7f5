package main

import (
	"slices"

	"github.com/milena-io/milena/test/compat/clients"
	"github.com/milena-io/milena/test/compat/javatools"
	"github.com/milena-io/milena/test/compat/kill"
	"github.com/milena-io/milena/test/compat/migrate"
	"github.com/milena-io/milena/test/compat/rolling"
	"github.com/milena-io/milena/test/compat/suite"
	"github.com/milena-io/milena/test/compat/text"
	"github.com/milena-io/milena/test/compat/trio"
	"github.com/milena-io/milena/test/compat/twin"
)

// suites is every suite in the order they run.
func suites() []suite.Suite {
	return slices.Concat(clients.Suites(), javatools.Suites(), text.Suites(), kill.Suites(), migrate.Suites(), trio.Suites(), rolling.Suites(), twin.Suites())
}
