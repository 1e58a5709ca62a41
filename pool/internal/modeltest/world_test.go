package modeltest

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
	"github.com/lidodb/lido/stdlib"
)

const (
	slots       = 5
	busyTimeout = 50 * time.Millisecond

	iteratorLifetime = 5 * time.Minute // the default
)

// setup is what the worlds differ in.
type setup struct {
	readers int
	noGroup bool
}

func (s setup) String() string {
	return fmt.Sprintf("%d readers, group commit %v", s.readers, !s.noGroup)
}

// world is a database with everything that goes on around it, and the model.
// All of it belongs to the test's goroutine, except what mu guards.
type world struct {
	setup setup
	path  string
	db    *pool.DB
	sql   *sql.DB
	// rival is a connection outside the pool, as another process would have.
	rival *sqlite.Conn
	// observer reads what is committed, past the pool.
	observer *sqlite.Conn

	committed state
	visited   []state // what was committed at some moment of this step
	rivalTx   *state  // the rival's transaction
	calls     [slots]*call
	closing   *call // Close is on its way
	hard      bool  // and may interrupt
	shut      bool  // Close gave up; the pool is closed all the same
	exploding bool  // a statement that panics is on its way
	contended bool  // the rival had the lock when the step began
	broken    bool  // a connection was lost to a panic
	outcomes  []string
	started   int64
	trace     []string

	mu       sync.Mutex
	happened []happening             // guarded by mu
	pauses   map[int64]chan struct{} // by token; guarded by mu
	owners   map[int64]*call         // of the tokens; guarded by mu
}

// happening is one event of a call.
type happening struct {
	call  *call
	event event
}

// failure is what a world panics with when the pool and the model differ.
type failure struct{ text string }

func (w *world) fail(format string, args ...any) {
	panic(failure{fmt.Sprintf(format, args...) + "\n" + w.setup.String() + "\n" + strings.Join(w.trace, "\n")})
}

func (w *world) must(err error) {
	if err != nil {
		w.fail("%v", err)
	}
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%4d. ", len(w.trace)+1)+fmt.Sprintf(format, args...))
}

// newWorld copies the template and opens it. It runs in the bubble.
func newWorld(path string, template []byte, s setup) *world {
	w := &world{setup: s, path: path, committed: newState(), pauses: map[int64]chan struct{}{}, owners: map[int64]*call{}}
	ctx := context.Background()
	w.must(os.WriteFile(path, template, 0o600))
	w.open()
	var err error
	w.observer, err = sqlite.Open(ctx, path, sqlite.Options{ReadOnly: true})
	w.must(err)
	w.rival, err = sqlite.Open(ctx, path, sqlite.Options{BusyTimeout: -1, OnOpen: w.functions,
		Pragmas: []sqlite.Pragma{{Name: "foreign_keys", Value: "1"}}})
	w.must(err)
	return w
}

func (w *world) open() {
	db, err := pool.Open(context.Background(), w.path, pool.Config{
		MaxReaders:    w.setup.readers,
		NoGroupCommit: w.setup.noGroup,
		BusyTimeout:   busyTimeout,
		IdleTimeout:   time.Minute,
		MaxLifetime:   5 * time.Minute,
		// Small, so that the WAL is reset in the middle of things.
		WALAutocheckpointPages: 20,
		StmtCacheCount:         6,
		OnConnect:              w.functions,
	})
	w.must(err)
	w.db, w.sql = db, stdlib.OpenDB(db)
}

// functions installs what makes statements wait, and panic.
func (w *world) functions(_ context.Context, c *sqlite.Conn) error {
	return errors.Join(
		c.CreateFunction("pause", 1, false, func(args []sqlite.Value) (any, error) {
			w.pause(args[0].Int64())
			return int64(1), nil
		}),
		c.CreateCollation("explode", func(a, b string) int { panic(errExploded) }),
	)
}

// pause waits, in the middle of a statement, until resume.
func (w *world) pause(token int64) {
	w.mu.Lock()
	resumed := w.pauses[token]
	if resumed != nil {
		select {
		case <-resumed: // a second run does not wait again
		default:
			w.happened = append(w.happened, happening{w.owners[token], event{kind: paused}})
		}
	}
	w.mu.Unlock()
	if resumed != nil {
		<-resumed
	}
}

// newPause makes a token for a pause of c.
func (w *world) newPause(c *call) int64 {
	w.started++
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pauses[w.started] = make(chan struct{})
	w.owners[w.started] = c
	return w.started
}

func (w *world) resume(token int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.pauses[token])
}

func (w *world) tell(c *call, e event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happened = append(w.happened, happening{c, e})
}

func (w *world) take() []happening {
	w.mu.Lock()
	defer w.mu.Unlock()
	hs := w.happened
	w.happened = nil
	return hs
}

// settle waits until nothing moves any more, and holds what has happened
// against the model.
func (w *world) settle() {
	synctest.Wait()
	hs := w.take()
	// Whoever waits for a lock that is free by now, or for readers to go, takes
	// a nap in between.
	if w.napping(hs) {
		time.Sleep(4 * busyTimeout)
		synctest.Wait()
		hs = append(hs, w.take()...)
	}
	w.account(hs)
	w.invariants()
}

// sleep lets time pass.
func (w *world) sleep(d time.Duration) {
	time.Sleep(d)
	w.settle()
}

// napping reports that a call waits for something that nobody whom the test
// could tell to go on has.
func (w *world) napping(hs []happening) bool {
	var pending, held bool
	for _, c := range w.calls {
		if c == nil || !c.kind.writes() && c.kind != kindClose {
			continue
		}
		phase := c.phase
		for _, h := range hs {
			if h.call == c {
				phase = h.event.kind
			}
		}
		switch phase {
		case waiting:
			pending = pending || c.kind != kindClose
		case entered, answered, paused:
			held = held || c.holding() || c.phase == waiting && phase != answered
		}
	}
	if !pending && !held {
		// Nobody has the writer but the checkpointer, for a moment.
		return w.db.Stat().Writer.InUse > 0
	}
	return pending && !held && w.rivalTx == nil
}

// account holds what has happened against the model.
func (w *world) account(hs []happening) {
	// The end of Close comes after all that it has waited for.
	slices.SortStableFunc(hs, func(a, b happening) int {
		return cmp.Or(cmp.Compare(count(a.call.kind == kindClose), count(b.call.kind == kindClose)), cmp.Compare(a.call.slot, b.call.slot))
	})
	w.exploding = slices.ContainsFunc(w.calls[:], func(c *call) bool { return c != nil && c.explodes })
	w.broken = w.broken || w.exploding
	var effects []happening
	for _, h := range hs {
		c := h.call
		if c.on == nil {
			w.fail("%s: unexpected: %v", c, h.event)
		}
		c.phase = h.event.kind
		if h.event.kind == paused {
			c.holds = true
		}
		if c.effect != nil && (h.event.kind == ended || h.event.kind == answered) {
			effects = append(effects, h)
		}
	}
	observed := w.observe()
	before := w.committed
	w.visited = []state{before}
	if len(effects) == 0 {
		if !observed.equal(before) {
			w.fail("committed is %v, want %v; nothing was acknowledged", observed, before)
		}
	} else if err := w.explain(before, observed, effects); err != nil {
		w.fail("%v", err)
	}
	w.committed = observed
	for _, h := range hs {
		c := h.call
		if h.event.kind == paused {
			if c.kind == kindQuery {
				c.snapshots = slices.Clone(w.visited)
			}
			continue
		}
		on := c.on
		c.on, c.effect, c.explodes = nil, nil, false
		if err := on(h.event); err != nil {
			w.fail("%s: %v", c, err)
		}
		if h.event.kind == ended {
			w.end(c, h.event)
		}
	}
}

func (w *world) end(c *call, e event) {
	c.cancel()
	w.calls[c.slot] = nil
	if c.kind.writes() {
		w.outcomes = append(w.outcomes, fmt.Sprintf("slot %d: %s %s: %s", c.slot, kindNames[c.kind], c.what, class(e.err)))
	}
}

// class is what two worlds must agree on in an error.
func class(err error) string {
	for _, known := range []error{nil, lido.ErrUnique, lido.ErrForeignKey, lido.ErrNotNull, lido.ErrCheck, lido.ErrBusy,
		lido.ErrClosed, context.Canceled, errBoom, errGone} {
		if errors.Is(err, known) {
			return fmt.Sprint(known)
		}
	}
	return "failed"
}

// explain looks for an order of the effects in which each is what the model
// allows, and which ends in what is there.
func (w *world) explain(before, after state, effects []happening) error {
	var first error
	visited := make([]state, 1, len(effects)+1)
	visited[0] = before
	var try func(st state, rest []happening) bool
	try = func(st state, rest []happening) bool {
		if len(rest) == 0 {
			if st.equal(after) {
				return true
			}
			if first == nil {
				first = fmt.Errorf("committed is %v, want %v", after, st)
			}
			return false
		}
		for i, h := range rest {
			next, err := h.call.effect(st.clone(), h.event)
			if err != nil {
				if first == nil {
					first = fmt.Errorf("%s: %w", h.call, err)
				}
				continue
			}
			others := slices.Delete(slices.Clone(rest), i, i+1)
			visited = append(visited, next)
			if try(next, others) {
				return true
			}
			visited = visited[:len(visited)-1]
		}
		return false
	}
	if try(before, effects) {
		w.visited = visited
		return nil
	}
	text := fmt.Sprintf("no order of %d effects explains them; the first says: %v; committed was %v, is %v", len(effects), first, before, after)
	for _, h := range effects {
		text += fmt.Sprintf("\n  %s: %v", h.call, h.event)
	}
	return errors.New(text)
}

// observe reads what is committed.
func (w *world) observe() state {
	s, err := w.observer.Prepare(context.Background(), dumpQuery.SQL)
	w.must(err)
	st, err := readState(s)
	w.must(errors.Join(err, s.Close()))
	return st
}

// rows is what reads the columns of a dump.
type rows interface {
	Step() (bool, error)
	ColumnInt64(i int) int64
	ColumnText(i int) string
}

func readState(s rows) (state, error) {
	st := newState()
	for {
		row, err := s.Step()
		if err != nil || !row {
			return st, err
		}
		if err := st.addRow(s.ColumnInt64(0), s.ColumnInt64(1), s.ColumnText(2)); err != nil {
			return st, err
		}
	}
}

func (s *state) addRow(table, k int64, v string) error {
	switch table {
	case 1:
		s.items[k] = v
	case 2:
		var item int64
		if _, err := fmt.Sscan(v, &item); err != nil {
			return err
		}
		s.parts[k] = item
	case 3:
		s.n = k
	}
	return nil
}

// invariants looks at the pool's own numbers.
func (w *world) invariants() {
	st := w.db.Stat()
	wants := map[bool]int{} // by whether it is the writer's pool
	for _, c := range w.calls {
		if c == nil {
			continue
		}
		if c.kind.writes() && (c.holding() || c.phase == waiting) {
			wants[true]++
		}
		if c.kind.reads() && (c.holding() || c.phase == waiting) {
			wants[false]++
		}
	}
	for i, p := range []pool.PoolStat{st.Readers, st.Writer} {
		if want := min(wants[i == 1], p.Max); p.InUse != want {
			w.fail("%d %ss in use, want %d", p.InUse, p.Name, want)
		}
		d := p.Destroyed
		if open := p.Created - d.Idle - d.Lifetime - d.Invalid - d.Retired - d.Closed - d.Broken; open != int64(p.InUse+p.Idle) {
			w.fail("%d %ss open by the count of created and destroyed, %d in use and %d idle", open, p.Name, p.InUse, p.Idle)
		}
		if p.Max != 1 && p.Max != w.setup.readers || p.Idle+p.InUse > p.Max || p.Waiting < 0 {
			w.fail("%+v", p)
		}
	}
	if st.Queued > wants[true] || st.Commits+st.Rollbacks > st.Writes {
		w.fail("%+v", st)
	}
}

// finish ends every call, closes the database and looks at the file.
func (w *world) finish() {
	if w.rivalTx != nil {
		w.must(w.rival.Rollback())
		w.rivalTx = nil
		w.settle()
	}
	for range 3 * slots {
		for _, c := range w.calls {
			if c != nil {
				w.hurry(c)
			}
		}
	}
	for _, c := range w.calls {
		if c != nil {
			w.fail("%s does not end", c)
		}
	}
	w.note("the end")
	w.must(w.sql.Close())
	if err := w.db.Close(context.Background()); err != nil {
		w.fail("close: %v", err)
	}
	w.must(errors.Join(w.rival.Close(), w.observer.Close()))
	w.checkFile()
}

// checkFile looks at the file when nobody has it open.
func (w *world) checkFile() {
	ctx := context.Background()
	c, err := sqlite.Open(ctx, w.path, sqlite.Options{})
	w.must(err)
	for _, q := range []struct{ sql, want string }{
		{"PRAGMA integrity_check", "ok"},
		{"SELECT count(*) FROM pragma_foreign_key_check", "0"},
	} {
		if got, err := c.QueryText(ctx, q.sql); got != q.want || err != nil {
			w.fail("%s: %s, %v", q.sql, got, err)
		}
	}
	s, err := c.Prepare(ctx, dumpQuery.SQL)
	w.must(err)
	if got, err := readState(s); err != nil || !got.equal(w.committed) {
		w.fail("the file has %v, want %v, %v", got, w.committed, err)
	}
	w.must(errors.Join(s.Close(), c.Close()))
	if _, err := os.Stat(w.path + "-wal"); !errors.Is(err, fs.ErrNotExist) && !w.broken {
		w.fail("-wal is left: %v", err)
	}
}

// abandon lets go of everything after a failure, as far as that can be done.
func (w *world) abandon() {
	for _, c := range w.calls {
		if c != nil {
			c.cancel()
			close(c.orders)
		}
	}
	w.mu.Lock()
	for _, p := range w.pauses {
		select {
		case <-p:
		default:
			close(p)
		}
	}
	w.mu.Unlock()
	time.Sleep(time.Second)
	_ = w.sql.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = w.db.Close(ctx)
	_ = w.rival.Close()
	_ = w.observer.Close()
}
