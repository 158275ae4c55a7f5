package wire

import (
	"fmt"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// misdirected recognises the first four bytes of protocols that people send to a Kafka port by mistake. All of them
// would be frames of hundreds of megabytes.
func misdirected(head [lengthBytes]byte) error {
	refuse := func(message string) error {
		return &fault.Error{Op: "wire.frame", Kind: fault.Refused, Code: kafka.ErrInvalidRequest, Message: message}
	}
	if head[0] == 0x16 && head[1] == 0x03 && head[2] <= 0x04 {
		return refuse("the client began a TLS handshake, and this listener is plaintext: " +
			"set security.protocol=PLAINTEXT (or SASL_PLAINTEXT) in the client, or connect to an SSL listener")
	}
	switch verb := string(head[:]); verb {
	case "GET ", "PUT ", "POST", "HEAD", "DELE", "OPTI", "CONN", "TRAC", "PATC", "PRI ":
		return refuse(fmt.Sprintf("the client speaks HTTP (it began with %q), and this port speaks Kafka's protocol", verb))
	case "SSH-":
		return refuse("the client speaks SSH, and this port speaks Kafka's protocol")
	}
	return nil
}
