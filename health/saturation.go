package health

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lidodb/lido/pool"
)

// checkSaturation looks at how long callers waited for a connection since it
// looked last. It is never worse than Degraded.
func checkSaturation(cfg Config) Check {
	var mu sync.Mutex
	last := map[string]pool.PoolStat{}
	var looked time.Time
	return Check{
		Name: PoolSaturation, Cost: Cheap, Interval: 15 * time.Second, Timeout: 5 * time.Second,
		Run: func(_ context.Context, db *pool.DB) Result {
			mu.Lock()
			defer mu.Unlock()
			st := db.Stat()
			if time.Since(looked) < cfg.AcquireWait {
				// Who waits has had no time to be given a connection.
				st.Writer.Waiting, st.Readers.Waiting = 0, 0
			}
			looked = time.Now()
			sides := []struct {
				name, remedy string
				now          pool.PoolStat
			}{
				{"writer", remedyWriter, st.Writer},
				{"readers", remedyReaders, st.Readers},
			}
			var bad []Result
			var texts []string
			for _, side := range sides {
				before := last[side.name]
				if before.AcquireCount > side.now.AcquireCount {
					before = pool.PoolStat{} // another pool
				}
				last[side.name] = side.now
				if reason := judgeSaturation(before, side.now, cfg.AcquireWait); reason != "" {
					bad = append(bad, degraded(side.remedy, "%s: %s", side.name, reason))
				}
				if side.now.Max > 0 { // a read-only pool has no writer
					texts = append(texts, fmt.Sprintf("%s: %d of %d in use", side.name, side.now.InUse, side.now.Max))
				}
			}
			switch len(bad) {
			case 0:
				return okay("%s", strings.Join(texts, ", "))
			case 1:
				return bad[0]
			}
			return degraded(bad[0].Remedy+"; "+bad[1].Remedy, "%s; %s", bad[0].Reason, bad[1].Reason)
		},
	}
}

// judgeSaturation says what is wrong between two snapshots, or nothing.
func judgeSaturation(before, now pool.PoolStat, limit time.Duration) string {
	acquired := now.AcquireCount - before.AcquireCount
	waited := now.AcquireWait - before.AcquireWait
	gaveUp := now.CanceledCount - before.CanceledCount
	switch {
	case now.Waiting > 0 && acquired == 0 && before.Max > 0:
		return fmt.Sprintf("%s waiting for a connection, and none was given out since the last look", count(now.Waiting, "caller"))
	case acquired > 0 && waited/time.Duration(acquired) >= limit:
		return fmt.Sprintf("%s waited %s for a connection on average, %s or more",
			count(int(acquired), "caller"), roundTime(waited/time.Duration(acquired)), limit)
	case gaveUp > 0 && gaveUp >= acquired/100:
		return fmt.Sprintf("%s gave up waiting for a connection, %d got one", count(int(gaveUp), "caller"), acquired)
	}
	return ""
}
