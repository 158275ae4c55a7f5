package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// unreachable tells at which stage the way to a broker broke: name, TCP, or the first bytes.
func (a *app) unreachable(err error) *failure {
	f := &failure{exit: exitUnreachable, code: "UNREACHABLE", cause: err}
	where, advertised := a.flags.brokers, ""
	var d *dialError
	if errors.As(err, &d) {
		where = d.addr
		if !d.seed {
			advertised = fmt.Sprintf(" It is an address that a broker advertises; you connected to %s.", a.flags.brokers)
		}
	}
	var dns *net.DNSError
	var eof *kgo.ErrFirstReadEOF
	var timeout net.Error
	switch text := err.Error(); {
	case errors.As(err, &dns):
		f.message = fmt.Sprintf("cannot resolve %s (DNS).%s", dns.Name, advertised)
		f.hint = "another address: -b host:port; an advertised one: advertised.listeners of the server"
	case errors.Is(err, syscall.ECONNREFUSED):
		f.message = fmt.Sprintf("cannot connect to %s: connection refused (TCP).%s", where, advertised)
		f.hint = "is a server running? start one: milena start. Another address: -b host:port"
	case strings.Contains(text, "tls alert"):
		f.message = fmt.Sprintf("%s answered with a TLS alert: this listener needs TLS, which this client doesn't speak yet", where)
		f.hint = "use a PLAINTEXT listener of the server"
	case strings.Contains(text, "HTTP response"):
		f.message = fmt.Sprintf("%s answered in HTTP: that is no Kafka listener", where)
		f.hint = "another address: -b host:port"
	case errors.As(err, &eof):
		f.message = fmt.Sprintf("%s closed the connection at the first request: the listener may be a controller's, or need TLS or SASL, or the server is stopping", where)
		f.hint = "use a PLAINTEXT listener of a broker"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.message = fmt.Sprintf("no answer from %s within %s.%s", where, duration(a.flags.timeout), advertised)
		f.hint = "--timeout waits longer; another address: -b host:port"
	default:
		f.message = fmt.Sprintf("cannot talk to %s: %v", where, err)
	}
	return f
}

// explain turns any error into a failure: a broker's code by its name, a broken connection by its stage.
func (a *app) explain(err error) *failure {
	var k *kerr.Error
	var d *dialError
	var path *fs.PathError
	switch {
	case errors.As(err, &k):
		return a.refused(err, k)
	case errors.As(err, &d):
		return a.unreachable(err)
	case errors.As(err, &path):
		return &failure{exit: exitFailed, code: "FILE", message: err.Error(), cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return a.asFailure(a.late(err))
	}
	return &failure{exit: exitFailed, code: "FAILED", message: err.Error(), cause: err}
}

// refused tells a broker's refusal. What the broker said beyond the code stands before the code in err's text.
func (a *app) refused(err error, k *kerr.Error) *failure {
	f := &failure{exit: exitFailed, code: k.Message, cause: err}
	f.message = err.Error()
	if f.message == k.Error() {
		f.message = k.Message + ": " + k.Description
	}
	switch {
	case errors.Is(k, kerr.InvalidReplicationFactor):
		f.hint = "milena cluster info shows how many brokers are up; -r 1 needs one"
	case errors.Is(k, kerr.TopicAlreadyExists):
		f.hint = "--if-not-exists makes this no failure"
	case errors.Is(k, kerr.MessageTooLarge):
		f.hint = "the topic's max.message.bytes is less: milena topic describe TOPIC shows it, milena topic alter changes it"
	case errors.Is(k, kerr.NotEnoughReplicas), errors.Is(k, kerr.NotEnoughReplicasAfterAppend):
		f.hint = "milena topic describe TOPIC shows which replicas are in sync; min.insync.replicas says how many must be"
	case errors.Is(k, kerr.UnsupportedVersion):
		f.hint = "this broker is too old, or the request is not built there"
	case errors.Is(k, kerr.CoordinatorNotAvailable), errors.Is(k, kerr.CoordinatorLoadInProgress), errors.Is(k, kerr.NotController):
		f.hint = "the cluster is starting or moving leaders: try again; milena ready --wait 30s waits for it"
	}
	return f
}

// said puts what the broker said of an item before its code.
func said(err error, message string, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	var k *kerr.Error
	if !errors.As(err, &k) {
		return fmt.Errorf("%s: %w", what, err)
	}
	if message == "" {
		message = k.Description
	}
	return &brokerError{text: fmt.Sprintf("%s: %s (%s)", what, strings.TrimSuffix(message, "."), k.Message), cause: err}
}

// coded is an error code of an answer with what the broker said beside it, nil for none.
func coded(code int16, message *string, format string, args ...any) error {
	return said(kerr.ErrorForCode(code), orEmptyText(message), format, args...)
}

// brokerError is a refusal with the broker's own words.
type brokerError struct {
	text  string
	cause error
}

// Error returns the text.
func (b *brokerError) Error() string { return b.text }

// Unwrap returns the cause.
func (b *brokerError) Unwrap() error { return b.cause }
