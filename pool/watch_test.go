package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

var everyItem = &lido.Query{Name: "ListItems", SQL: "SELECT name FROM item ORDER BY id", ReadOnly: true, Reads: []string{"item"}}

// logbook keeps what a database logs.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// lines returns the records that contain every one of the words.
func (l *logbook) lines(words ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
records:
	for line := range strings.Lines(l.text.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue records
			}
		}
		found = append(found, line)
	}
	return found
}

// eventually waits until ok answers true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		tick := time.NewTimer(time.Millisecond)
		<-tick.C
	}
}

func addItems(t testing.TB, db *pool.DB, prefix string, n int) {
	t.Helper()
	for i := range n {
		if err := run(t.Context(), db, insertItem, fmt.Sprint(prefix, i)); err != nil {
			t.Fatal(err)
		}
	}
}

// stand prepares a statement and steps it onto its first row.
func stand(t testing.TB, ctx context.Context, db *pool.DB) lido.Stmt {
	t.Helper()
	s, err := db.PrepareRead(ctx, everyItem)
	if err != nil {
		t.Fatal(err)
	}
	if row, err := s.Step(); !row || err != nil {
		t.Fatal(row, err)
	}
	return s
}

func TestAReaderThatPinsTheWALIsNamedWithQueryPlaceAgeAndPages(t *testing.T) {
	// reader                      writer
	// stands on a row
	//                             commits 50 times
	// PinnedReaders names it, and so does the log, a few times
	// Close
	var log logbook
	const warnAge = 20 * time.Millisecond
	db := openDB(t, pool.Config{ReaderWarnAge: warnAge, Logger: log.logger()})
	addItems(t, db, "before", 1)
	if ps := db.PinnedReaders(); len(ps) != 0 {
		t.Fatalf("%+v", ps)
	}
	begin := time.Now()
	s := stand(t, t.Context(), db)
	if ps := db.PinnedReaders(); len(ps) != 0 {
		t.Errorf("nothing was written since: %+v", ps)
	}
	addItems(t, db, "after", 50)
	ps := db.PinnedReaders()
	if len(ps) != 1 || !strings.HasPrefix(ps[0].Text, "ListItems (pool/watch_test.go:") || ps[0].Pages < 50 || ps[0].Pages > 500 ||
		ps[0].Bytes != int64(ps[0].Pages)*4096 || ps[0].Age <= 0 || ps[0].Age > time.Since(begin) || ps[0].Query != everyItem {
		t.Fatalf("%+v", ps)
	}
	named := func() int {
		return len(log.lines("keeps the WAL", `holder="ListItems (pool/watch_test.go:`, "age=", fmt.Sprintf("pages=%d ", ps[0].Pages), "TestAReaderThatPins"))
	}
	eventually(t, "the reader is named again and again", func() bool { return named() >= 3 })
	// At 20, 40 and 80 ms at the earliest.
	if n, age := named(), time.Since(begin); age < warnAge<<(n-1) {
		t.Errorf("named %d times within %v", n, age)
	}
	if row, err := s.Step(); row || err != nil {
		t.Errorf("%v %v: it was not to be interrupted", row, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if ps := db.PinnedReaders(); len(ps) != 0 {
		t.Errorf("%+v", ps)
	}
}

func TestAReaderThatPinsMuchOfTheWALIsNamedAtOnce(t *testing.T) {
	var log logbook
	db := openDB(t, pool.Config{ReaderWarnAge: -1, WALWarnBytes: 40 * 4096, IteratorLifetime: 40 * time.Millisecond, Logger: log.logger()})
	err := db.Read(t.Context(), func(context.Context, lido.Reader) error {
		addItems(t, db, "some", 10)
		if ps := db.PinnedReaders(); len(ps) != 1 || !strings.HasPrefix(ps[0].Text, "Read closure (pool/watch_test.go:") {
			t.Errorf("%+v", ps)
		}
		addItems(t, db, "many", 40)
		eventually(t, "the reader is named", func() bool { return len(log.lines("keeps the WAL", "Read closure")) > 0 })
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// However many readers come to it, each for a moment: it is one cause.
func TestASmallWALWarnBytesDoesNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		db := openDB(t, pool.Config{WALWarnBytes: 4096, Logger: log.logger()})
		turn := func(i int) {
			err := db.Read(t.Context(), func(context.Context, lido.Reader) error {
				addItems(t, db, fmt.Sprint(i, "-"), 3)
				time.Sleep(1500 * time.Millisecond) // in the bubble
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		for i := range 400 { // ten minutes
			turn(i)
		}
		// At once, and after 1, 3 and 7 minutes.
		if n := len(log.lines()); n != 4 || len(log.lines("keeps the WAL")) != n {
			t.Errorf("%d lines: %s", n, log.lines())
		}
		time.Sleep(time.Hour)
		turn(400)
		if n := len(log.lines()); n != 5 {
			t.Errorf("%d lines after it was away: %s", n, log.lines())
		}
	})
}

// One line at a time for one that pins the WAL, is not given back and is over
// its time.
func TestAReaderThatIsNeverGivenBackIsToldOfByOneLineAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		db := openDB(t, pool.Config{Logger: log.logger()})
		addItems(t, db, "before", 1)
		s := stand(t, t.Context(), db)
		addItems(t, db, "after", 50)
		time.Sleep(11 * time.Minute)
		lines := log.lines()
		want := [][]string{
			{"a reader keeps the WAL", "age=30s"},
			{"was not given back yet, and keeps the WAL", "age=1m"},
			{"was not given back yet, and keeps the WAL", "age=2m"},
			{"was not given back yet, and keeps the WAL", "age=4m"},
			{"a statement was interrupted", "age=5m", "limit=5m0s"},
			{"has not been closed", "age=10m"},
		}
		for i, words := range want {
			for _, word := range append(words, `holder="ListItems (pool/watch_test.go:`, "pages=", "pool=reader") {
				if i >= len(lines) || !strings.Contains(lines[i], word) {
					t.Errorf("line %d has no %q", i, word)
				}
			}
		}
		if len(lines) != len(want) {
			t.Errorf("%d lines: %s", len(lines), lines)
		}
		_ = s.Close()
	})
}

func TestAConnectionOutsideThePoolThatPinsTheWALIsNamed(t *testing.T) {
	var log logbook
	db := openDB(t, pool.Config{ReaderWarnAge: 8 * time.Millisecond, Logger: log.logger()})
	c, err := db.OpenConn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(t.Context(), "BEGIN; SELECT * FROM item"); err != nil {
		t.Fatal(err)
	}
	addItems(t, db, "after", 10)
	if ps := db.PinnedReaders(); len(ps) != 1 || !strings.HasPrefix(ps[0].Text, "OpenConn (pool/watch_test.go:") || ps[0].Pages < 10 {
		t.Errorf("%+v", ps)
	}
	eventually(t, "the connection is named", func() bool { return len(log.lines("keeps the WAL", "OpenConn (pool/watch_test.go:")) > 0 })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if ps := db.PinnedReaders(); len(ps) != 0 {
		t.Errorf("%+v", ps)
	}
}

func TestALongWALIsLoggedThoughNoReaderOfThePoolIsTheReason(t *testing.T) {
	var log logbook
	db := openDB(t, pool.Config{ReaderWarnAge: 20 * time.Millisecond, WALWarnBytes: 40 * 4096, WALAutocheckpointPages: 40, Logger: log.logger()})
	stranger, err := sqlite.Open(t.Context(), db.Path(), sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := stranger.Exec(t.Context(), "BEGIN; SELECT * FROM item"); err != nil {
		t.Fatal(err)
	}
	addItems(t, db, "item", 60)
	if ps := db.PinnedReaders(); len(ps) != 0 {
		t.Errorf("%+v", ps)
	}
	eventually(t, "it is logged", func() bool { return len(log.lines("no reader of this pool is the reason", "pages=")) > 0 })
	if err := stranger.Close(); err != nil {
		t.Error(err)
	}
}

func TestALongWALIsLoggedBesideReadersThatAreNotTheReason(t *testing.T) {
	for name, test := range map[string]struct {
		stranger bool
		cfg      pool.Config
		want     string
	}{
		"a stranger pins it":            {true, pool.Config{}, "no reader of this pool is the reason"},
		"readers overlap without a gap": {false, pool.Config{CheckpointInterval: -1, WALAutocheckpointPages: 10}, "no single reader is the reason"},
	} {
		t.Run(name, func(t *testing.T) {
			var log logbook
			test.cfg.ReaderWarnAge, test.cfg.WALWarnBytes, test.cfg.Logger = 2*time.Second, 4000*4096, log.logger()
			db := openDB(t, test.cfg)
			addItems(t, db, "first", 1)
			if test.stranger {
				c, err := sqlite.Open(t.Context(), db.Path(), sqlite.Options{ReadOnly: true})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.Exec(t.Context(), "BEGIN; SELECT * FROM item"); err != nil {
					t.Fatal(err)
				}
			}
			defer alwaysRead(t, db, 5*time.Millisecond)()
			n := 0
			eventually(t, "it is logged", func() bool {
				for ; db.Stat().WALFrames < 6000; n++ {
					addItems(t, db, fmt.Sprint(n, strings.Repeat("x", 64<<10)), 1)
				}
				addItems(t, db, fmt.Sprint(n), 1)
				n++
				return len(log.lines("the WAL is long")) > 0
			})
			if len(log.lines(test.want)) == 0 || len(log.lines("keeps the WAL")) > 0 {
				t.Error(log.lines())
			}
		})
	}
}

func TestByOptionAReaderThatPinsTheWALIsInterruptedAndTheWALShrinks(t *testing.T) {
	// reader                      writer
	// stands on a row
	//                             commits
	// interrupted at its next Step
	// Close
	//                             TRUNCATE: nothing is left
	var log logbook
	db := openDB(t, pool.Config{MaxReaders: 1, ReaderWarnAge: 20 * time.Millisecond, InterruptPinnedReaders: true, Logger: log.logger()})
	addItems(t, db, "before", 100)
	s := stand(t, t.Context(), db)
	addItems(t, db, "after", 100)
	if res, err := db.Checkpoint(t.Context(), sqlite.Passive); err != nil || res.MovedFrames == res.WALFrames {
		t.Fatalf("%+v %v: nothing is pinned", res, err)
	}
	eventually(t, "the log says so", func() bool { return len(log.lines("was interrupted", "ListItems (pool/watch_test.go:")) > 0 })
	_, err := s.Step()
	if !errors.Is(err, lido.ErrInterrupted) {
		t.Error(err)
	}
	for _, word := range []string{"ListItems (pool/watch_test.go:", "pages in the WAL", "Config.InterruptPinnedReaders", "20ms"} {
		if !strings.Contains(fmt.Sprint(err), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if res, err := db.Checkpoint(t.Context(), sqlite.Truncate); err != nil || res.Busy || db.Stat().WALBytes != 0 {
		t.Errorf("%+v %v, %d bytes", res, err, db.Stat().WALBytes)
	}
	// The next borrower of the same connection is not interrupted.
	if n := count(t, t.Context(), db); n != 200 || db.Stat().Readers.Created != 1 {
		t.Errorf("%d items, %+v", n, db.Stat().Readers)
	}
	// A closure learns of it too, from whatever it runs next.
	err = db.Read(t.Context(), func(ctx context.Context, r lido.Reader) error {
		addItems(t, db, "later", 1)
		for {
			if _, err := scalar(ctx, r, countItems); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, lido.ErrInterrupted) || !strings.Contains(err.Error(), "Read closure (pool/watch_test.go:") {
		t.Error(err)
	}
}

func TestAStatementThatHoldsAReaderForTooLongIsInterrupted(t *testing.T) {
	var log logbook
	const limit = 150 * time.Millisecond
	db := openDB(t, pool.Config{MaxReaders: 1, IteratorLifetime: limit, Logger: log.logger()})
	addItems(t, db, "item", 10)
	begin := time.Now()
	s := stand(t, t.Context(), db)
	eventually(t, "the log names it", func() bool {
		return len(log.lines("was interrupted", "ListItems (pool/watch_test.go:", "limit=150ms")) == 1
	})
	if d := time.Since(begin); d < limit {
		t.Errorf("interrupted after %v", d)
	}
	// Its body does not come back, which is said as well.
	eventually(t, "the log says that it was not closed", func() bool { return len(log.lines("has not been closed", "ListItems (pool/watch_test.go:")) > 0 })
	_, err := s.Step()
	if !errors.Is(err, lido.ErrInterrupted) {
		t.Error(err)
	}
	for _, word := range []string{"ListItems: ", "ListItems (pool/watch_test.go:", "Config.IteratorLifetime", "150ms"} {
		if !strings.Contains(fmt.Sprint(err), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := count(t, t.Context(), db); n != 10 || db.Stat().Readers.Created != 1 {
		t.Errorf("%d items, %+v", n, db.Stat().Readers)
	}
	// One that never comes out of the engine ends in the middle.
	if _, err := scalar(t.Context(), db, endless); !errors.Is(err, lido.ErrInterrupted) || !strings.Contains(err.Error(), "Config.IteratorLifetime") {
		t.Error(err)
	}
	// Closures and borrowed connections have no such limit.
	err = db.Read(t.Context(), func(ctx context.Context, r lido.Reader) error {
		for begin := time.Now(); time.Since(begin) < 2*limit; {
			if _, err := scalar(ctx, r, countItems); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	c, err := db.AcquireReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	for begin := time.Now(); time.Since(begin) < 2*limit; {
		if _, err := c.QueryInt64(t.Context(), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnInterruptNeverMeetsTheNextBorrower(t *testing.T) {
	// Statements end at about the time at which they are interrupted, and their
	// connection goes to the next at once. Each has a name of its own, which the
	// interrupt must name.
	const limit = time.Millisecond
	const enough = 20
	db := openDB(t, pool.Config{MaxReaders: 2, IteratorLifetime: limit})
	addItems(t, db, "item", 10)
	var wg sync.WaitGroup
	var interrupted, fine atomic.Int64
	end := time.Now().Add(20 * time.Second)
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; time.Now().Before(end) && (interrupted.Load() < enough || fine.Load() < enough); i++ {
				q := &lido.Query{Name: fmt.Sprintf("List%dOf%d", i, worker), SQL: everyItem.SQL, ReadOnly: true}
				s, err := db.PrepareRead(t.Context(), q)
				if errors.Is(err, lido.ErrReadersExhausted) {
					continue // the limit of those who wait is as short
				}
				if err != nil {
					t.Error(err)
					return
				}
				begin := time.Now()
				hold := time.Duration(i%100) * limit / 25
				for err == nil && time.Since(begin) < hold {
					_, err = s.Step()
					if err == nil {
						err = s.Reset()
					}
				}
				_ = s.Close()
				switch {
				case err == nil:
					fine.Add(1)
				case !errors.Is(err, lido.ErrInterrupted):
					t.Error(err)
				case !strings.Contains(err.Error(), "pool: "+q.Name+" ("):
					t.Errorf("%s got the interrupt of another: %v", q, err)
				default:
					interrupted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if interrupted.Load() < enough || fine.Load() < enough {
		t.Errorf("%d interrupted, %d not: too few in 20 s", interrupted.Load(), fine.Load())
	}
}

func TestALoopThatQueriesInItsBodyGetsReadersExhausted(t *testing.T) {
	for name, test := range map[string]struct {
		lifetime time.Duration // of iterators, and so of a wait without an end
		timeout  time.Duration
	}{
		"the context ends":          {lifetime: time.Hour, timeout: 30 * time.Millisecond},
		"the context has no end":    {lifetime: 150 * time.Millisecond},
		"no limit but that of time": {lifetime: -1, timeout: 30 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			db := openDB(t, pool.Config{MaxReaders: 2, IteratorLifetime: test.lifetime})
			addItems(t, db, "item", 3)
			first, second := stand(t, t.Context(), db), stand(t, t.Context(), db)
			ctx := context.WithoutCancel(t.Context())
			if test.timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.timeout)
				defer cancel()
			}
			_, err := db.PrepareRead(ctx, countItems)
			if !errors.Is(err, lido.ErrReadersExhausted) || errors.Is(err, context.DeadlineExceeded) != (test.timeout > 0) {
				t.Fatal(err)
			}
			var exhausted *pool.ReadersExhaustedError
			if !errors.As(err, &exhausted) || len(exhausted.Holders) != 2 || exhausted.Waited <= 0 {
				t.Fatalf("%+v", exhausted)
			}
			if n := strings.Count(err.Error(), "ListItems (pool/watch_test.go:"); n != 2 {
				t.Errorf("%d of 2 are named: %v", n, err)
			}
			for _, s := range []lido.Stmt{first, second} {
				_ = s.Close()
			}
			if n := count(t, t.Context(), db); n != 3 {
				t.Error(n)
			}
		})
	}
}

func TestAWaitForReadersThatAreInUseIsNoExhaustion(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2, IteratorLifetime: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	held, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			err := db.Read(t.Context(), func(context.Context, lido.Reader) error {
				held <- struct{}{}
				<-leave
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-held
	<-held
	if _, err := db.PrepareRead(ctx, countItems); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, lido.ErrReadersExhausted) {
		t.Error(err)
	}
	close(leave)
	wg.Wait()
}

func TestAWaitWhileReadersChangeHandsIsNoExhaustion(t *testing.T) {
	// one            two            three
	// has the reader
	//                waits
	//                               waits
	// Close
	//                has the reader
	//                               its context ends
	db := openDB(t, pool.Config{MaxReaders: 1})
	addItems(t, db, "item", 3)
	one := stand(t, t.Context(), db)
	waiting := func(n int) {
		t.Helper()
		eventually(t, "somebody waits", func() bool { return db.Stat().Readers.Waiting == n })
	}
	two, three := make(chan lido.Stmt), make(chan error)
	go func() {
		s, err := db.PrepareRead(t.Context(), countItems)
		if err != nil {
			t.Error(err)
		}
		two <- s
	}()
	waiting(1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, err := db.PrepareRead(ctx, countItems)
		three <- err
	}()
	waiting(2)
	_ = one.Close()
	s := <-two
	cancel()
	if err := <-three; !errors.Is(err, context.Canceled) || errors.Is(err, lido.ErrReadersExhausted) {
		t.Error(err)
	}
	_ = s.Close()
}

func TestWhatIsNotGivenBackIsReportedWithTheStackThatAcquiredIt(t *testing.T) {
	var log logbook
	db := openDB(t, pool.Config{MaxReaders: 4, LeakWarnAge: 20 * time.Millisecond, Logger: log.logger()})
	addItems(t, db, "item", 3)
	leaked := leakAStatement(t, db)
	c, err := db.AcquireReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leave := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Write(t.Context(), func(context.Context, lido.Tx) error { <-leave; return nil })
	})
	for _, words := range [][]string{
		{"pool=reader", "holder=\"ListItems (pool/watch_test.go:", "pool_test.leakAStatement", "TestWhatIsNotGivenBack"},
		{"pool=reader", "holder=\"borrowed reader (pool/watch_test.go:", "TestWhatIsNotGivenBack"},
		{"pool=writer", "holder=\"Write closure (pool/watch_test.go:", "TestWhatIsNotGivenBack"},
	} {
		words = append(words, "was not given back yet", "age=")
		eventually(t, fmt.Sprintf("%q is logged twice", words), func() bool { return len(log.lines(words...)) >= 2 })
	}
	close(leave)
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var held *pool.HeldError
	if err := db.Close(ctx); !errors.As(err, &held) || len(held.Holders) != 2 || !strings.Contains(held.Holders[0].Stack, "pool_test.leakAStatement") {
		t.Errorf("%+v", err)
	}
	_ = leaked.Close()
	c.Release()
}

func leakAStatement(t *testing.T, db *pool.DB) lido.Stmt { return stand(t, t.Context(), db) }

func TestWhatTheWatchLooksAfterCanBeTurnedOff(t *testing.T) {
	var log logbook
	db := openDB(t, pool.Config{IteratorLifetime: -1, ReaderWarnAge: -1, WALWarnBytes: -1, LeakWarnAge: -1, Logger: log.logger()})
	addItems(t, db, "item", 3)
	s := stand(t, t.Context(), db)
	addItems(t, db, "more", 3)
	if ps := db.PinnedReaders(); len(ps) != 1 {
		t.Errorf("%+v", ps)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, cfg := range []pool.Config{
		{InterruptPinnedReaders: true, ReaderWarnAge: -1, WALWarnBytes: -1},
	} {
		if _, err := pool.Open(t.Context(), t.TempDir()+"/x.db", cfg); err == nil || !strings.Contains(err.Error(), "InterruptPinnedReaders") {
			t.Error(err)
		}
	}
	if _, err := os.Stat(db.Path()); err != nil || len(log.lines()) != 0 {
		t.Error(err, log.lines())
	}
}
