package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
)

// recorder is a tracer that notes what it is told. The context says in what an
// event took place: "write>query>".
type recorder struct {
	mu     sync.Mutex
	events []string
	bad    []string
}

type inKey struct{}

func in(ctx context.Context) string {
	s, _ := ctx.Value(inKey{}).(string)
	return s
}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

func (r *recorder) start(ctx context.Context, what string) context.Context {
	r.note("%s%s", in(ctx), what)
	return context.WithValue(ctx, inKey{}, in(ctx)+what+">")
}

// end notes the end of what start began; ctx must be the one that start made.
func (r *recorder) end(ctx context.Context, what string, took time.Duration, err error, result string, args ...any) {
	path, ok := strings.CutSuffix(in(ctx), what+">")
	if !ok || took <= 0 {
		r.mu.Lock()
		r.bad = append(r.bad, fmt.Sprintf("end of %s in %q after %v", what, in(ctx), took))
		r.mu.Unlock()
	}
	if err != nil {
		result += " failed"
	}
	r.note(path+"/"+what+" "+result, args...)
}

// take returns the events so far and forgets them.
func (r *recorder) take(t *testing.T) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bad) > 0 {
		t.Error(r.bad)
	}
	events := r.events
	r.events = nil
	return events
}

func (r *recorder) TraceQueryStart(ctx context.Context, d pool.TraceQueryStartData) context.Context {
	return r.start(ctx, d.Query.Name)
}

func (r *recorder) TraceQueryEnd(ctx context.Context, d pool.TraceQueryEndData) {
	r.end(ctx, d.Query.Name, d.Duration, d.Err, "%d rows %d changes", d.Rows, d.Changes)
}

func transactionName(readOnly, group bool) string {
	switch {
	case readOnly:
		return "read"
	case group:
		return "group"
	}
	return "write"
}

// everything is a recorder that wants every event.
type everything struct{ recorder }

func (r *everything) TraceTransactionStart(ctx context.Context, d pool.TraceTransactionStartData) context.Context {
	return r.start(ctx, transactionName(d.ReadOnly, d.Group))
}

func (r *everything) TraceTransactionEnd(ctx context.Context, d pool.TraceTransactionEndData) {
	if d.Wait <= 0 || d.Wait > d.Duration {
		r.note("waited %v of %v", d.Wait, d.Duration)
	}
	members := ""
	if d.Group {
		members = fmt.Sprintf(" %d members", d.Members)
	}
	r.end(ctx, transactionName(d.ReadOnly, d.Group), d.Duration, d.Err, d.Outcome.String()+members)
}

func (r *everything) TraceAcquireStart(ctx context.Context, d pool.TraceAcquireStartData) context.Context {
	return r.start(ctx, "acquire "+d.Pool)
}

func (r *everything) TraceAcquireEnd(ctx context.Context, d pool.TraceAcquireEndData) {
	r.end(ctx, "acquire "+d.Pool, d.Duration, d.Err, "")
}

func (r *everything) TraceRelease(d pool.TraceReleaseData) {
	if d.Held <= 0 {
		r.note("held for %v", d.Held)
	}
	r.note("release %s %v", d.Pool, d.Destroyed)
}

func (r *everything) TraceCheckpointStart(ctx context.Context, d pool.TraceCheckpointStartData) context.Context {
	return r.start(ctx, fmt.Sprint("checkpoint ", d.Mode))
}

func (r *everything) TraceCheckpointEnd(ctx context.Context, d pool.TraceCheckpointEndData) {
	r.end(ctx, fmt.Sprint("checkpoint ", d.Mode), d.Duration, d.Err, "%v", d.Result.WALFrames >= 0)
}

var (
	updateItems = &lido.Query{Name: "UpdateItems", SQL: "UPDATE item SET name = name || '!'", Writes: []string{"item"}}
	listNames   = &lido.Query{Name: "ListNames", SQL: "SELECT name FROM item ORDER BY id", ReadOnly: true, Reads: []string{"item"}}
	orRollback  = &lido.Query{Name: "OrRollback", SQL: "INSERT OR ROLLBACK INTO item(name) VALUES(?1)", Writes: []string{"item"}}
	broken      = &lido.Query{Name: "Broken", SQL: "SELECT nothing FROM nowhere", ReadOnly: true}
	brokenWrite = &lido.Query{Name: "BrokenWrite", SQL: "DELETE FROM nowhere", Writes: []string{"nowhere"}}
)

// list reads all rows of q.
func list(ctx context.Context, r lido.Reader, q *lido.Query) (rows int, err error) {
	s, err := r.PrepareRead(ctx, q)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	for {
		row, err := s.Step()
		if err != nil || !row {
			return rows, errors.Join(err, s.Close())
		}
		rows++
	}
}

func TestTheTracerIsToldOfEveryEvent(t *testing.T) {
	boom := errors.New("boom")
	for _, test := range []struct {
		name  string
		do    func(ctx context.Context, db *pool.DB) error
		fails bool
		want  []string
	}{
		{"single read", func(ctx context.Context, db *pool.DB) error { _, err := list(ctx, db, listNames); return err }, false, []string{
			"ListNames", "ListNames>acquire reader", "ListNames>/acquire reader ", "release reader false", "/ListNames 2 rows 0 changes"}},
		{"read that the engine refuses", func(ctx context.Context, db *pool.DB) error { _, err := list(ctx, db, broken); return err }, true, []string{
			"Broken", "Broken>acquire reader", "Broken>/acquire reader ", "release reader false", "/Broken 0 rows 0 changes failed"}},
		{"read that cannot have a reader", func(ctx context.Context, db *pool.DB) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := list(ctx, db, listNames)
			return err
		}, true, []string{
			"ListNames", "ListNames>acquire reader", "ListNames>/acquire reader  failed", "/ListNames 0 rows 0 changes failed"}},
		{"single write", func(ctx context.Context, db *pool.DB) error { return run(ctx, db, updateItems) }, false, []string{
			"UpdateItems", "UpdateItems>acquire writer", "UpdateItems>/acquire writer ", "release writer false", "/UpdateItems 0 rows 2 changes"}},
		{"single write with rows", func(ctx context.Context, db *pool.DB) error { return run(ctx, db, returnItem, "c") }, false, []string{
			"ReturnItem", "ReturnItem>acquire writer", "ReturnItem>/acquire writer ", "release writer false", "/ReturnItem 1 rows 1 changes"}},
		{"single write that fails", func(ctx context.Context, db *pool.DB) error { return run(ctx, db, insertItem, "a") }, true, []string{
			"InsertItem", "InsertItem>acquire writer", "InsertItem>/acquire writer ", "release writer false", "/InsertItem 0 rows 0 changes failed"}},
		{"read closure", func(ctx context.Context, db *pool.DB) error {
			return db.Read(ctx, func(ctx context.Context, r lido.Reader) error { _, err := list(ctx, r, listNames); return err })
		}, false, []string{"read", "read>acquire reader", "read>/acquire reader ", "read>ListNames", "read>/ListNames 2 rows 0 changes", "release reader false", "/read committed"}},
		{"write closure", func(ctx context.Context, db *pool.DB) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
				_, err := list(ctx, tx, listNames)
				return errors.Join(err, tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, updateItems) }))
			})
		}, false, []string{"write", "write>acquire writer", "write>/acquire writer ", "write>ListNames", "write>/ListNames 2 rows 0 changes",
			"write>UpdateItems", "write>/UpdateItems 0 rows 2 changes", "release writer false", "/write committed"}},
		{"batch", func(ctx context.Context, db *pool.DB) error {
			return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, updateItems) })
		}, false, []string{"write", "write>acquire writer", "write>/acquire writer ", "write>UpdateItems", "write>/UpdateItems 0 rows 2 changes",
			"release writer false", "/write committed"}},
		{"write closure that cannot begin", func(ctx context.Context, db *pool.DB) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return db.Write(ctx, func(context.Context, lido.Tx) error { return nil })
		}, true, []string{"write", "write>acquire writer", "write>/acquire writer  failed", "/write rolled back failed"}},
		{"write closure that fails", func(ctx context.Context, db *pool.DB) error {
			return db.Write(ctx, func(context.Context, lido.Tx) error { return boom })
		}, true, []string{"write", "write>acquire writer", "write>/acquire writer ", "release writer false", "/write rolled back failed"}},
		{"write closure that panics", func(ctx context.Context, db *pool.DB) (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			return db.Write(ctx, func(context.Context, lido.Tx) error { panic("boom") })
		}, true, []string{"write", "write>acquire writer", "write>/acquire writer ", "release writer false", "/write rolled back failed"}},
		{"read closure that panics", func(ctx context.Context, db *pool.DB) (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			return db.Read(ctx, func(context.Context, lido.Reader) error { panic("boom") })
		}, true, []string{"read", "read>acquire reader", "read>/acquire reader ", "release reader false", "/read rolled back failed"}},
		{"transaction that the engine ends", func(ctx context.Context, db *pool.DB) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { _ = run(ctx, tx, orRollback, "a"); return nil })
		}, true, []string{"write", "write>acquire writer", "write>/acquire writer ", "write>OrRollback", "write>/OrRollback 0 rows 0 changes failed",
			"release writer false", "/write rolled back failed"}},
		{"statement that was left open", func(ctx context.Context, db *pool.DB) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { _, err := tx.PrepareWrite(ctx, updateItems); return err })
		}, false, []string{"write", "write>acquire writer", "write>/acquire writer ", "write>UpdateItems", "write>/UpdateItems 0 rows 0 changes",
			"release writer false", "/write committed"}},
		{"statement that is run twice", func(ctx context.Context, db *pool.DB) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
				s, err := tx.PrepareWrite(ctx, updateItems)
				if err != nil {
					return err
				}
				_, err1 := s.Step()
				err2 := s.Reset()
				_, err3 := s.Step()
				return errors.Join(err1, err2, err3, s.Close())
			})
		}, false, []string{"write", "write>acquire writer", "write>/acquire writer ", "write>UpdateItems", "write>/UpdateItems 0 rows 4 changes",
			"release writer false", "/write committed"}},
		{"refused in a closure", func(ctx context.Context, db *pool.DB) error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, brokenWrite) })
		}, true, []string{"write", "write>acquire writer", "write>/acquire writer ", "write>BrokenWrite", "write>/BrokenWrite 0 rows 0 changes failed",
			"release writer false", "/write rolled back failed"}},
		{"checkpoint", func(ctx context.Context, db *pool.DB) error { _, err := db.Checkpoint(ctx, sqlite.Passive); return err }, false, []string{
			"checkpoint 0", "checkpoint 0>acquire writer", "checkpoint 0>/acquire writer ", "release writer false", "/checkpoint 0 true"}},
		{"by hand", func(ctx context.Context, db *pool.DB) error {
			c, err := db.AcquireReader(ctx)
			if err == nil {
				c.Destroy(nil)
			}
			return err
		}, false, []string{"acquire reader", "/acquire reader ", "release reader true"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &everything{}
			db := openDB(t, pool.Config{Tracer: r})
			for _, name := range []string{"a", "b"} {
				if err := run(t.Context(), db, insertItem, name); err != nil {
					t.Fatal(err)
				}
			}
			r.take(t)
			if err := test.do(t.Context(), db); (err != nil) != test.fails {
				t.Fatal(err)
			}
			if got := r.take(t); !slices.Equal(got, test.want) {
				t.Errorf("\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestTheTracerIsToldOfAGroupAndOfEachWriteInIt(t *testing.T) {
	r := &everything{}
	db := openDB(t, pool.Config{Tracer: r})
	r.take(t)
	errs := together(t, db, inserts(db, insertItem, "a"), inserts(db, insertItem, "a"), inserts(db, insertItem, "b"))
	if errs[0] != nil || errs[1] == nil || errs[2] != nil {
		t.Fatal(errs)
	}
	got := r.take(t)
	for _, want := range []struct {
		event string
		count int
	}{
		{"InsertItem", 3}, {"/InsertItem 0 rows 1 changes", 2}, {"/InsertItem 0 rows 0 changes failed", 1},
		{"InsertItem>group", 1}, {"InsertItem>/group committed 2 members", 1},
	} {
		n := 0
		for _, e := range got {
			if e == want.event {
				n++
			}
		}
		if n != want.count {
			t.Errorf("%s: %d times, want %d, in\n%s", want.event, n, want.count, strings.Join(got, "\n"))
		}
	}
}

// A group that the engine throws away ends, and its writes go into another.
func TestTheTracerIsToldOfAGroupThatIsLost(t *testing.T) {
	r := &everything{}
	db := openDB(t, pool.Config{Tracer: r})
	if err := run(t.Context(), db, insertItem, "taken"); err != nil {
		t.Fatal(err)
	}
	errs := together(t, db, inserts(db, insertItem, "a"), inserts(db, insertItem, "b"), inserts(db, orRollback, "taken"), inserts(db, insertItem, "c"))
	if errs[0] != nil || errs[1] != nil || errs[2] == nil || errs[3] != nil {
		t.Fatal(errs)
	}
	all := strings.Join(r.take(t), "\n")
	if !strings.Contains(all, "/group rolled back 0 members failed") || !strings.Contains(all, "/group committed 3 members") {
		t.Error(all)
	}
}

// A tracer for queries alone is not asked about anything else.
func TestATracerGetsOnlyWhatItIs(t *testing.T) {
	r := &recorder{}
	db := openDB(t, pool.Config{Tracer: r})
	err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "a") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Checkpoint(t.Context(), sqlite.Passive); err != nil {
		t.Fatal(err)
	}
	if got := r.take(t); !slices.Equal(got, []string{"InsertItem", "/InsertItem 0 rows 1 changes"}) {
		t.Errorf("%q", got)
	}
}

// seen keeps what a tracer was told as it is.
type seen struct {
	starts []pool.TraceQueryStartData
	ends   []pool.TraceQueryEndData
	tx     []pool.TraceTransactionEndData
}

func (s *seen) TraceQueryStart(ctx context.Context, d pool.TraceQueryStartData) context.Context {
	s.starts = append(s.starts, d)
	return ctx
}
func (s *seen) TraceQueryEnd(_ context.Context, d pool.TraceQueryEndData) { s.ends = append(s.ends, d) }
func (s *seen) TraceTransactionStart(ctx context.Context, _ pool.TraceTransactionStartData) context.Context {
	return ctx
}
func (s *seen) TraceTransactionEnd(_ context.Context, d pool.TraceTransactionEndData) {
	s.tx = append(s.tx, d)
}

func TestTheTracerGetsTheErrorsThatCallersGet(t *testing.T) {
	s := &seen{}
	db := openDB(t, pool.Config{Tracer: s})
	var inner error
	err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
		_ = run(ctx, tx, insertItem, "a")
		inner = run(ctx, tx, insertItem, "a")
		return inner
	})
	if !errors.Is(err, lido.ErrUnique) {
		t.Fatal(err)
	}
	if len(s.ends) != 2 || s.ends[0].Err != nil || s.ends[1].Err != inner || s.ends[1].Query != insertItem {
		t.Errorf("%+v", s.ends)
	}
	if len(s.tx) != 1 || s.tx[0].Err != err {
		t.Errorf("%+v", s.tx)
	}
}

func TestTheTracerIsToldOfACommitWhoseOutcomeIsUnknown(t *testing.T) {
	r := &everything{}
	db := pooltest.Open(t, nil, pool.Config{Tracer: r})
	createItem(t, db)
	r.take(t)
	pooltest.Faults(t, db).LoseCommit(pooltest.Lost)
	err := db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "a") })
	if !errors.Is(err, lido.ErrCommitUnknown) {
		t.Fatal(err)
	}
	if got := r.take(t); got[len(got)-1] != "/write commit unknown failed" {
		t.Errorf("%q", got)
	}
}

func TestQueriesByHandCanBeTraced(t *testing.T) {
	s := &seen{}
	db := openDB(t, pool.Config{Tracer: s})
	ctx, q := db.TraceQuery(t.Context(), "SELECT 1")
	q.Row()
	q.Changed(2)
	q.End(nil)
	q.End(errors.New("twice"))
	_, tx := db.TraceTransaction(ctx, pool.TraceTransactionStartData{ReadOnly: true})
	tx.Begun()
	tx.End(sqlite.Committed, nil)
	tx.End(sqlite.RolledBack, nil)
	if len(s.ends) != 1 || s.ends[0].Query.SQL != "SELECT 1" || s.ends[0].Rows != 1 || s.ends[0].Changes != 2 || s.ends[0].Err != nil {
		t.Errorf("%+v", s.ends)
	}
	if len(s.tx) != 1 || s.tx[0].Outcome != sqlite.Committed || !s.tx[0].ReadOnly {
		t.Errorf("%+v", s.tx)
	}

	// Without a tracer both are nil, and as useful.
	off := openDB(t, pool.Config{})
	same, q := off.TraceQuery(ctx, "SELECT 1")
	q.Row()
	q.Changed(1)
	q.End(nil)
	same, tx = off.TraceTransaction(same, pool.TraceTransactionStartData{})
	tx.Begun()
	tx.End(sqlite.Committed, nil)
	if same != ctx || q != nil || tx != nil {
		t.Error("traced without a tracer")
	}
}

// striking is a tracer that panics once, when it is told of what on the writer
// or of a group.
type striking struct {
	what  string
	armed atomic.Bool
}

func (s *striking) TraceQueryStart(ctx context.Context, _ pool.TraceQueryStartData) context.Context {
	return ctx
}
func (s *striking) TraceQueryEnd(context.Context, pool.TraceQueryEndData) {}

func (s *striking) strike(what string, here bool) {
	if here && s.what == what && s.armed.CompareAndSwap(true, false) {
		panic(what)
	}
}

func (s *striking) TraceTransactionStart(ctx context.Context, d pool.TraceTransactionStartData) context.Context {
	s.strike("begin", d.Group)
	return ctx
}
func (s *striking) TraceTransactionEnd(_ context.Context, d pool.TraceTransactionEndData) {
	s.strike("end", d.Group)
}
func (s *striking) TraceAcquireStart(ctx context.Context, d pool.TraceAcquireStartData) context.Context {
	s.strike("acquire", d.Pool == "writer")
	return ctx
}
func (s *striking) TraceAcquireEnd(_ context.Context, d pool.TraceAcquireEndData) {
	s.strike("acquired", d.Pool == "writer")
}
func (s *striking) TraceRelease(d pool.TraceReleaseData) { s.strike("release", d.Pool == "writer") }

// It must not panic, but a program that recovers, as servers do, goes on, and
// its writes must not wait for ever for the one that was struck.
func TestATracerThatPanicsStrikesOneCallerOnly(t *testing.T) {
	for _, what := range []string{"begin", "end", "acquire", "acquired", "release"} {
		s := &striking{what: what}
		db := openDB(t, pool.Config{Tracer: s})
		var struck atomic.Int64
		recovering := func(write func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				defer func() {
					if recover() != nil {
						struck.Add(1)
					}
				}()
				return write(ctx)
			}
		}
		// Alone, being of another level; the others share a transaction.
		arm := func(ctx context.Context) error {
			return db.Batch(pool.WithSynchronous(ctx, pool.SynchronousFull), func(context.Context, lido.Tx) error {
				s.armed.Store(true)
				return nil
			})
		}
		errs := together(t, db, recovering(arm), recovering(inserts(db, insertItem, "a")), recovering(withBatch(db, insertsIn("b"))),
			recovering(inserts(db, insertItem, "c")))
		if err := errors.Join(errs...); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if struck.Load() != 1 {
			t.Errorf("%s: it struck %d", what, struck.Load())
		}
		if err := run(t.Context(), db, insertItem, "d"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
