//go:build seeded

package seeded

import "os"

var chosen = os.Getenv("LIDO_SEEDED")

var (
	// SkippedRollback leaves the transaction open where it should be undone.
	SkippedRollback = chosen == "skipped-rollback"
	// EarlyAcknowledgement tells success without the commit.
	EarlyAcknowledgement = chosen == "early-acknowledgement"
	// MissingBegin runs a Write closure in autocommit, where others see what it
	// has not finished.
	MissingBegin = chosen == "missing-begin"
	// UnpinnedSnapshot lets the first query of a Read closure choose what all of
	// it sees.
	UnpinnedSnapshot = chosen == "unpinned-snapshot"
	// StaleSnapshot leaves a read statement on its row, which holds the snapshot
	// for whoever has the connection next.
	StaleSnapshot = chosen == "stale-snapshot"
	// ReuseAfterInterrupt hands on a connection that refuses to work.
	ReuseAfterInterrupt = chosen == "reuse-after-interrupt"
	// ReuseOfAChanged hands on a connection with another's settings.
	ReuseOfAChanged = chosen == "reuse-of-a-changed"
	// EscapedAutocommit overlooks that the engine has ended the transaction.
	EscapedAutocommit = chosen == "escaped-autocommit"
	// LeakedSavepoint keeps what a savepoint that failed has done.
	LeakedSavepoint = chosen == "leaked-savepoint"
	// CommitAfterCancel commits although the context has ended.
	CommitAfterCancel = chosen == "commit-after-cancel"
	// SecondRun runs a Write closure again when it has failed.
	SecondRun = chosen == "second-run"
	// ReleasedTwice gives a reader back with each Close of its statement.
	ReleasedTwice = chosen == "released-twice"
	// GhostInTheQueue leaves the write of a caller who has gone in the queue.
	GhostInTheQueue = chosen == "ghost-in-the-queue"
	// MemberNotUndone keeps what a member of a group has done that failed.
	MemberNotUndone = chosen == "member-not-undone"
	// UncheckedForeignKey leaves a member's deferred foreign keys to the commit of
	// the whole group.
	UncheckedForeignKey = chosen == "unchecked-foreign-key"
	// LostGroup tells success to the members of a group that the engine has thrown
	// away.
	LostGroup = chosen == "lost-group"
)
