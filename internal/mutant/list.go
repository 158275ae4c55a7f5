package mutant

// The mutants, by room.
const (
	// machine/replica and partition: who has what.
	TruncateToHighWatermark Mutant = "truncate-to-high-watermark"
	LateAnswer              Mutant = "late-answer"
	NoFetchFencing          Mutant = "no-fetch-fencing"
	EarlyExpansion          Mutant = "early-expansion"
	IgnoredMember           Mutant = "ignored-member"
	ForgottenWish           Mutant = "forgotten-wish"
	AckBeforeFlush          Mutant = "ack-before-flush"
	FollowerFlushAssumed    Mutant = "follower-flush-assumed"
	HighWatermarkBelowISR   Mutant = "high-watermark-below-min-isr"
	HighWatermarkBack       Mutant = "high-watermark-back"
	FollowerHighUnbounded   Mutant = "follower-high-unbounded"
	LatestBeforeEpochStart  Mutant = "latest-before-epoch-start"
	FollowerReadsAbove      Mutant = "follower-reads-above-high-watermark"
	DivergenceNotAsked      Mutant = "divergence-not-asked"
	OutOfRangeRestarts      Mutant = "out-of-range-restarts"
	AckOnResign             Mutant = "ack-on-resign"
	FlushCoversLater        Mutant = "flush-covers-later"
	FlushErrorIgnored       Mutant = "flush-error-ignored"
	ResumedEpoch            Mutant = "resumed-epoch"

	// machine/controller and image: who leads.
	SameEpochRegistration Mutant = "same-epoch-registration"
	NoEpochBump           Mutant = "no-epoch-bump"
	StaleBrokerGranted    Mutant = "stale-broker-granted"
	StaleWishGranted      Mutant = "stale-wish-granted"
	UncleanElection       Mutant = "unclean-election"
	UncleanEligible       Mutant = "unclean-eligible"
	StaleEligible         Mutant = "stale-eligible"
	ReassignedEarly       Mutant = "reassigned-early"

	// log: what a restart finds.
	EpochLookup         Mutant = "epoch-lookup"
	EpochsNotTruncated  Mutant = "epochs-not-truncated"
	TruncationNotSynced Mutant = "truncation-not-synced"
	RecoveryPointAhead  Mutant = "recovery-point-ahead"
	UncleanTakenClean   Mutant = "unclean-taken-for-clean"
	LogStartForgotten   Mutant = "log-start-forgotten"
	DeletedTopicServed  Mutant = "deleted-topic-served"
	FollowerProducers   Mutant = "follower-forgets-producers"
	SnapshotProducers   Mutant = "snapshot-forgets-producers"
	SequenceGap         Mutant = "sequence-gap"

	// quorum: what a vote and an entry promise.
	VoteNotSynced       Mutant = "vote-not-synced"
	EntriesBeforeFlush  Mutant = "entries-before-flush"
	SnapshotNameLost    Mutant = "snapshot-name-lost"
	AnswerBeforeCommit  Mutant = "answer-before-commit"
	UncommittedMetadata Mutant = "uncommitted-metadata"

	// coordinator and machine/group: what a commit promises.
	ZombieCommit           Mutant = "zombie-commit"
	LoadSkipsLast          Mutant = "load-skips-last"
	AnswersWhileLoading    Mutant = "answers-while-loading"
	CommitBeforeReplicated Mutant = "commit-before-replicated"
	CoordinatorStays       Mutant = "coordinator-stays"
	SuccessorIgnored       Mutant = "successor-ignored"
)

// List returns all of them.
func List() []Seeded {
	all := append(replication(), control()...)
	all = append(all, logs()...)
	all = append(all, quorum()...)
	return append(all, groups()...)
}

func replication() []Seeded {
	return []Seeded{
		{TruncateToHighWatermark, "a follower of a new leader cuts its log at its own high watermark", "KIP-101", []string{"R", "lost-write"}, "partition TestAnswersToAnotherPositionAreDropped"},
		{LateAnswer, "an answer is obeyed that was asked for from another position", "R10; found by a model of this design", []string{"R", "lost-write"}, "machine/replica TestTheModel"},
		{NoFetchFencing, "a leader hears followers of another epoch", "KIP-320", []string{"R", "lost-write"}, "machine/replica TestTheModel"},
		{EarlyExpansion, "a follower joins the ISR before it has what the leader's epoch began with", "Kip320.tla, rule 4; R8", []string{"R", "lost-write"}, "machine/replica TestTheModel"},
		{IgnoredMember, "the high watermark ignores one member of the ISR", "R6", []string{"R", "lost-write"}, "machine/replica TestTheModel"},
		{ForgottenWish, "members that are wished for, and may be granted already, don't count for the high watermark", "R6; KIP-497's maximal ISR", []string{"R", "lost-write"}, "machine/replica TestTheModel"},
		{AckBeforeFlush, "the leader's own flush isn't waited for", "D5; Kafka's default, and NATS 2.12.1", []string{"R", "S", "lost-write"}, "machine/replica TestTheModel"},
		{FollowerFlushAssumed, "a follower counts as durable as far as it has fetched", "D5, D7", []string{"R", "S", "lost-write"}, "machine/replica TestTheModel"},
		{HighWatermarkBelowISR, "the high watermark moves while the ISR is below min.insync.replicas", "KIP-966", []string{"R", "lost-write"}, "machine/replica TestTheModel"},
		{HighWatermarkBack, "the high watermark goes back with a follower that is about to join", "R5", []string{"R5", "K"}, "machine/replica TestTheModel"},
		{FollowerHighUnbounded, "a follower takes over a high watermark beyond its own end", "R5", []string{"R", "panic"}, "machine/replica TestTheModel"},
		{LatestBeforeEpochStart, "a new leader tells the end of what is committed before it knows it", "KIP-207; R5", []string{"K3"}, "partition TestANewLeaderTellsNoEndBeforeItKnowsIt"},
		{FollowerReadsAbove, "a follower serves clients what isn't committed", "KIP-392; K8", []string{"K8", "inconsistent-offsets"}, "partition TestClientsMayReadFromAFollower"},
		{DivergenceNotAsked, "a leader doesn't look whether a follower's log is a prefix of its own", "KIP-595", []string{"R"}, "partition TestDivergingLogsAreCutByEpoch"},
		{OutOfRangeRestarts, "a follower that is out of range begins anew, whatever it holds", "R10", []string{"R", "lost-write"}, "machine/replica TestScripts"},
		{AckOnResign, "a leader that is replaced, stops or fails acknowledges what waits", "R6", []string{"R", "lost-write"}, "partition TestFollowersHoldTheHighWatermark"},
		{FlushCoversLater, "a flush counts for what was appended while it ran", "S1", []string{"S", "R", "lost-write"}, "partition TestFlushMessages"},
		{FlushErrorIgnored, "a flush that failed counts as one", "the fsync study of ATC'20; S5", []string{"S", "R", "lost-write"}, "partition TestAFailedFlushAcknowledgesNothing"},
		{ResumedEpoch, "a process leads in an epoch that an earlier process of the node was given", "D6; R4", []string{"R4", "R3"}, "node TestNoPlaceIsForgottenInACrash"},
	}
}

func control() []Seeded {
	return []Seeded{
		{SameEpochRegistration, "a process that registers keeps the leaderships of the last one, and their epochs", "D6; R4", []string{"R4", "R3"}, "machine/controller TestReplicasWithoutAPlaceAreGivenUpWithAMissingDirectory"},
		{NoEpochBump, "a leadership moves without a new epoch", "R3", []string{"R3", "R4"}, "image TestPartitionChangesCountEpochs"},
		{StaleBrokerGranted, "an ISR is granted with a process in it that has been replaced", "KIP-903", []string{"R7", "R2", "lost-write"}, "machine/controller TestAlterPartitionIsRefused"},
		{StaleWishGranted, "an ISR is granted that was wished for at an older partition epoch", "R12", []string{"R12", "R7", "R2"}, "machine/controller TestAlterPartitionIsRefused"},
		{UncleanElection, "a replica that isn't in sync is elected although that isn't allowed", "Kafka 0.8; Jepsen 2013", []string{"R2", "R9", "lost-write"}, "machine/controller TestUncleanElectionOnlyByConfig"},
		{UncleanEligible, "every process counts as stopped cleanly, whatever its disk has lost", "KIP-966, KIP-858", []string{"R2", "R7", "R9", "lost-write"}, "machine/controller TestScripts"},
		{StaleEligible, "who was eligible stays it while the high watermark moves on", "KIP-966; R9", []string{"R9", "R7"}, "machine/controller TestAlterPartitionGrantsAnISR"},
		{ReassignedEarly, "a reassignment removes replicas before those that come are in sync", "R13", []string{"R13", "R7", "R2"}, "machine/controller TestScripts"},
	}
}

func logs() []Seeded {
	return []Seeded{
		{EpochLookup, "an epoch that the log doesn't have is answered as if it had it", "KIP-279", []string{"R"}, "log/epoch TestEndOffsetForAnswersAsKafka"},
		{EpochsNotTruncated, "the epochs of what was cut away stay known", "R3", []string{"R"}, "log TestCrashes"},
		{TruncationNotSynced, "what was cut away may come back with a crash", "S1, S7", []string{"R", "S"}, "log TestCrashes"},
		{RecoveryPointAhead, "the recovery point is ahead of what is durable", "S1", []string{"S", "R", "internal"}, "upkeep TestARecoveryPointIsDurable"},
		{UncleanTakenClean, "a log isn't recovered after a crash", "S1", []string{"S", "R", "internal"}, "log TestCrashes"},
		{LogStartForgotten, "a restart forgets where a log starts, and deleted records come back", "C5", []string{"R", "K7", "K3"}, "log TestCrashes"},
		{DeletedTopicServed, "the files of a deleted topic are served under the name of a new one", "KIP-516", []string{"R", "K7", "inconsistent-offsets"}, "log TestTopicID"},
		{FollowerProducers, "a follower doesn't know the producers of what it has fetched", "KIP-98; T6", []string{"duplicate", "R"}, "log TestCrashes"},
		{SnapshotProducers, "a restart forgets the producers of what was before the last snapshot", "KIP-98; T6", []string{"duplicate", "R"}, "log TestACrashLeavesOneGeneration"},
		{SequenceGap, "a batch is taken although one before it is missing", "KIP-98; T6", []string{"int-nonmonotonic-send", "nonmonotonic-send", "duplicate"}, "log TestRetriesAreRecognisedAcrossRestarts"},
	}
}

func quorum() []Seeded {
	return []Seeded{
		{VoteNotSynced, "a vote is told before it is durable", "Raft 5.2; R14", []string{"R14", "panic"}, "quorum TestAVoteIsDurableBeforeItIsTold"},
		{EntriesBeforeFlush, "entries are vouched for before they are durable", "Raft 5.3; R14", []string{"R14", "panic", "internal"}, "quorum TestALoneVoterLosesNothingAcknowledged"},
		{SnapshotNameLost, "a snapshot's name isn't durable when the log before it goes", "S7", []string{"R14", "internal", "panic"}, "quorum TestVotersComeAndGoInAStormAndNothingAcknowledgedIsLost"},
		{AnswerBeforeCommit, "a command is answered before it is committed", "R14", []string{"R", "K6"}, "quorum TestVotersComeAndGoInAStormAndNothingAcknowledgedIsLost"},
		{UncommittedMetadata, "brokers act on metadata that isn't committed", "R14", []string{"R", "panic"}, "quorum TestVotersComeAndGoInAStormAndNothingAcknowledgedIsLost"},
	}
}

func groups() []Seeded {
	return []Seeded{
		{ZombieCommit, "a commit of an older generation is taken", "G4", []string{"G4"}, "machine/group TestCommitCodes"},
		{LoadSkipsLast, "a new coordinator reads all but the last record", "G3", []string{"G3", "G2"}, "coordinator TestCommitSurvivesACrash"},
		{AnswersWhileLoading, "a coordinator answers before it has read its log", "G3", []string{"G3", "G2"}, "coordinator TestCommitSurvivesACrash"},
		{CommitBeforeReplicated, "a commit is answered before it is on the other replicas", "G3", []string{"G3"}, "coordinator TestCommitSurvivesACrash"},
		{CoordinatorStays, "a coordinator goes on answering after the leadership has moved", "G7", []string{"G3", "G7", "K5"}, "coordinator TestAnotherNodeIsTheCoordinator"},
		{SuccessorIgnored, "a coordinator takes it for assent when another knows of its successor", "G3; a seed of the simulator", []string{"G3", "G2"}, "replica TestWhatCountsAsAssent"},
	}
}
