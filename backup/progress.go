package backup

// Phase names what a backup, a check or a restore is doing.
type Phase string

// The phases of a backup, in order. Verify and Restore go through PhaseRead
// and PhaseCheck; Restore ends with PhaseInstall.
const (
	PhaseLock    Phase = "lock"    // waiting for the store
	PhaseCopy    Phase = "copy"    // reading the live database, in pages
	PhasePack    Phase = "pack"    // compressing into the store, in bytes
	PhaseRead    Phase = "read"    // restoring the published form, in bytes
	PhaseCheck   Phase = "check"   // integrity, foreign keys, schema
	PhasePublish Phase = "publish" // writing the manifest
	PhasePrune   Phase = "prune"   // retention
	PhaseInstall Phase = "install" // putting a restored file in its place
)

// Progress is how far a phase has come. Total is 0 where nobody can say.
type Progress struct {
	Phase       Phase
	Done, Total int64
}

// ProgressFunc is called by what does the work, never twice at a time, and
// holds it up while it runs.
type ProgressFunc func(Progress)

func (f ProgressFunc) report(p Phase, done, total int64) {
	if f != nil {
		f(Progress{Phase: p, Done: done, Total: total})
	}
}
