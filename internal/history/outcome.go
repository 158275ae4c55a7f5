package history

import "github.com/milena-io/milena/internal/kafka"

// Transport is what became of one attempt of a request on its way.
type Transport uint8

// The transports.
const (
	Answered Transport = iota
	Unsent             // the connection was refused, or broke before the first byte of the request was written
	Cut                // the connection broke after that
	Silent             // the deadline passed
)

// Attempt is one try of a request: how it travelled, and the answer where there was one.
type Attempt struct {
	Transport Transport
	Code      kafka.ErrorCode
}

// Settle is the outcome of an operation from all its attempts in order, each judged by one of the tables below. One attempt
// of which nobody knows makes a later refusal prove nothing: the refused retry may be a retry of what was done.
func Settle(attempts []Attempt, table func(kafka.ErrorCode) Kind) Kind {
	out := Fail
	for _, a := range attempts {
		switch a.Transport {
		case Unsent:
			continue
		case Cut, Silent:
			out = Info
			continue
		}
		switch table(a.Code) {
		case Ok:
			return Ok
		case Info:
			out = Info
		}
	}
	return out
}

// Produced judges an answer to Produce. Only refusals that a broker decides before it appends are Fail. A retriable error is
// Info whatever its name says: a leader that lost its leadership while the batch waited for the high watermark answers
// NOT_LEADER_OR_FOLLOWER for a batch that stands in its log, and a deleted topic UNKNOWN_TOPIC_OR_PARTITION.
func Produced(code kafka.ErrorCode) Kind {
	switch code {
	case kafka.ErrNone:
		return Ok
	case kafka.ErrMessageTooLarge, kafka.ErrInvalidTopicException, kafka.ErrRecordListTooLarge, kafka.ErrInvalidRequiredAcks,
		kafka.ErrTopicAuthorizationFailed, kafka.ErrClusterAuthorizationFailed, kafka.ErrTransactionalIdAuthorizationFailed,
		kafka.ErrInvalidTimestamp, kafka.ErrUnsupportedVersion, kafka.ErrInvalidRequest, kafka.ErrUnsupportedForMessageFormat,
		kafka.ErrUnsupportedCompressionType, kafka.ErrPolicyViolation, kafka.ErrInvalidRecord, kafka.ErrInvalidTxnState,
		kafka.ErrInvalidProducerEpoch, kafka.ErrInvalidProducerIdMapping, kafka.ErrProducerFenced, kafka.ErrOutOfOrderSequenceNumber,
		kafka.ErrUnknownProducerId, kafka.ErrTransactionAbortable, kafka.ErrSecurityDisabled, kafka.ErrIllegalSaslState,
		kafka.ErrSaslAuthenticationFailed:
		return Fail
	default: // DUPLICATE_SEQUENCE_NUMBER is here, too: it says that the batch is there, and not where
		return Info
	}
}

// Ended judges an answer to EndTxn(commit): Fail means that the transaction is aborted or will be.
func Ended(code kafka.ErrorCode) Kind {
	switch code {
	case kafka.ErrNone:
		return Ok
	case kafka.ErrInvalidProducerEpoch, kafka.ErrProducerFenced, kafka.ErrInvalidProducerIdMapping, kafka.ErrInvalidTxnState,
		kafka.ErrTransactionalIdAuthorizationFailed, kafka.ErrTransactionAbortable, kafka.ErrUnsupportedVersion, kafka.ErrInvalidRequest:
		return Fail
	default:
		return Info
	}
}

// OffsetsCommitted judges an answer to OffsetCommit. NOT_COORDINATOR is Info: a coordinator that lost its partition answers
// it for a commit whose records it had appended.
func OffsetsCommitted(code kafka.ErrorCode) Kind {
	switch code {
	case kafka.ErrNone:
		return Ok
	case kafka.ErrIllegalGeneration, kafka.ErrUnknownMemberId, kafka.ErrFencedInstanceId, kafka.ErrRebalanceInProgress,
		kafka.ErrStaleMemberEpoch, kafka.ErrFencedMemberEpoch, kafka.ErrInvalidGroupId, kafka.ErrGroupIdNotFound,
		kafka.ErrOffsetMetadataTooLarge, kafka.ErrInvalidCommitOffsetSize, kafka.ErrGroupAuthorizationFailed,
		kafka.ErrTopicAuthorizationFailed, kafka.ErrUnsupportedVersion, kafka.ErrInvalidRequest:
		return Fail
	default:
		return Info
	}
}
