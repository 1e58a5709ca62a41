// Package seeded has mistakes to order. Each constant here stands for one that
// could be made in a line of package sqlite or package pool, and guards that
// line. In an ordinary build all are false, so the compiler leaves nothing of
// them. With the build tag "seeded" the environment variable LIDO_SEEDED names
// the one that is made, and the model of package pool has to find it:
//
//	make seeded
package seeded

// Names are the mistakes, as LIDO_SEEDED names them.
var Names = []string{
	"skipped-rollback",
	"early-acknowledgement",
	"missing-begin",
	"unpinned-snapshot",
	"stale-snapshot",
	"reuse-after-interrupt",
	"reuse-of-a-changed",
	"escaped-autocommit",
	"leaked-savepoint",
	"commit-after-cancel",
	"second-run",
	"released-twice",
	"ghost-in-the-queue",
	"member-not-undone",
	"unchecked-foreign-key",
	"lost-group",
}
