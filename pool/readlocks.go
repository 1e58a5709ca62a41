package pool

import (
	"sync"
	"time"

	"github.com/lidodb/lido/sqlite"
)

// readLocksEvery is how often the locks that connections keep between reads are
// looked at while there are reads. Another process that opens the file may find
// one in its way for as long.
const readLocksEvery = 50 * time.Millisecond

// readLocks looks after them, on a goroutine of its own, which sleeps while
// hardly anything is read. A nil one does nothing.
type readLocks struct {
	locks *sqlite.ReadLocks
	quit  chan struct{}
	ended chan struct{}
	once  sync.Once
}

// startReadLocks has the connections keep their locks, unless locks are free
// anyway, as they are in memory and with Config.Exclusive.
func (db *DB) startReadLocks() {
	if db.memory || db.cfg.Exclusive {
		return
	}
	k := &readLocks{locks: sqlite.NewReadLocks(), quit: make(chan struct{}), ended: make(chan struct{})}
	db.readLocks = k
	go k.run()
}

func (k *readLocks) run() {
	defer close(k.ended)
	tick := time.NewTicker(readLocksEvery)
	defer tick.Stop()
	for {
		tick.Stop()
		select {
		case <-k.quit:
			return
		case <-k.locks.Wake():
		}
		tick.Reset(readLocksEvery)
		for k.locks.Look() {
			select {
			case <-k.quit:
				return
			case <-tick.C:
			}
		}
	}
}

// shared is for sqlite.Options.
func (k *readLocks) shared() *sqlite.ReadLocks {
	if k == nil {
		return nil
	}
	return k.locks
}

// stop gives up the locks that are kept, and waits for the goroutine.
func (k *readLocks) stop() {
	if k == nil {
		return
	}
	k.once.Do(func() { close(k.quit) })
	<-k.ended
	k.locks.Close()
}
