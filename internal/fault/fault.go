// Package fault is the error of this system: an operation, a Kafka code, a sentence for the user and a cause.
//
// Every package returns it where the failure has a meaning to a client; a plain error reaches clients as
// UNKNOWN_SERVER_ERROR, so it marks a bug or an IO failure that nobody named yet. Errors are returned or handled,
// never logged and returned. The package never logs.
package fault

import (
	"errors"
	"fmt"

	"github.com/milena-io/milena/internal/kafka"
)

// Kind says what sort of failure it is when that matters beyond the code a client sees.
type Kind uint8

// The kinds. Corruption and disk failure always stay recognisable however often they are wrapped.
const (
	Refused Kind = iota // the request was refused for a reason its code names
	Corrupt             // bytes read do not check: a bad CRC, a torn tail, a lying length
	Disk                // the operating system failed an IO call; the log dir is to be given up
	Closed              // the component is stopping
	Full                // the volume has no room; nothing was written, and it passes
)

// Error is op + kind + code + sentence + cause.
type Error struct {
	Op      string // "log.Append", "controller.CreateTopics"
	Kind    Kind
	Code    kafka.ErrorCode
	Message string // for the user; may be empty
	Cause   error  // may be nil
}

// Error prints op, message and cause.
func (e *Error) Error() string {
	s := e.Op + ": "
	if e.Message != "" {
		s += e.Message
	} else {
		s += e.Code.String()
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New refuses a request with a code and a sentence that clients may show.
func New(op string, code kafka.ErrorCode, format string, args ...any) *Error {
	return &Error{Op: op, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Corruption reports bytes that do not check; clients see CORRUPT_MESSAGE.
func Corruption(op string, format string, args ...any) *Error {
	return &Error{Op: op, Kind: Corrupt, Code: kafka.ErrCorruptMessage, Message: fmt.Sprintf(format, args...)}
}

// Storage reports a failed IO call; clients see KAFKA_STORAGE_ERROR. A full volume is Full and not Disk: the log dir is
// not to be given up for it; nor is it when this process has too many files open, which is Refused.
func Storage(op string, cause error) *Error {
	if OutOfSpace(cause) {
		return &Error{Op: op, Kind: Full, Code: kafka.ErrKafkaStorageError, Message: "there is no space left", Cause: cause}
	}
	if OutOfFiles(cause) {
		return &Error{Op: op, Code: kafka.ErrKafkaStorageError, Message: "too many files are open; raise the limit for open files (ulimit -n)", Cause: cause}
	}
	return &Error{Op: op, Kind: Disk, Code: kafka.ErrKafkaStorageError, Cause: cause}
}

// Shutdown reports that a component is closed; the code is retriable elsewhere.
func Shutdown(op string) *Error {
	return &Error{Op: op, Kind: Closed, Code: kafka.ErrNotLeaderOrFollower, Message: "the node is stopping"}
}

// CodeOf returns the code that a client is told: NONE for nil, UNKNOWN_SERVER_ERROR for an error nobody named.
func CodeOf(err error) kafka.ErrorCode {
	if err == nil {
		return kafka.ErrNone
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return kafka.ErrUnknownServerError
}

// MessageOf returns the sentence for a client, or nil where there is none.
func MessageOf(err error) *string {
	var e *Error
	if err == nil || !errors.As(err, &e) || e.Message == "" {
		return nil
	}
	return &e.Message
}

// IsKind reports whether any error in the chain is of the kind.
func IsKind(err error, k Kind) bool {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return false
		}
		if e.Kind == k {
			return true
		}
		err = e.Cause
	}
	return false
}
