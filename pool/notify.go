package pool

import "github.com/lidodb/lido/sqlite"

// transactionEnded is told of each transaction that wrote, by the writer's
// connection, while the writer is held.
func (db *DB) transactionEnded(e sqlite.Ending) {
	if db.byHand {
		db.writes.Add(1)
		if e.Outcome == sqlite.Committed {
			db.committed()
		} else {
			db.rollbacks.Add(1)
		}
	}
}
