//go:build !seeded

package seeded

// What each does is said in on.go.
const (
	SkippedRollback      = false
	EarlyAcknowledgement = false
	MissingBegin         = false
	UnpinnedSnapshot     = false
	StaleSnapshot        = false
	ReuseAfterInterrupt  = false
	ReuseOfAChanged      = false
	EscapedAutocommit    = false
	LeakedSavepoint      = false
	CommitAfterCancel    = false
	SecondRun            = false
	ReleasedTwice        = false
	GhostInTheQueue      = false
	MemberNotUndone      = false
	UncheckedForeignKey  = false
	LostGroup            = false
)
