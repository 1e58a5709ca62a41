package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/faultvfs"
	"github.com/lidodb/lido/internal/seam"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// onDisk has a database opened so that disk decides what its files do.
type onDisk struct{ disk *faultvfs.Disk }

func (s onDisk) Open(path, vfs string) (seam.Hooks, error) {
	through, err := faultvfs.Register(vfs)
	s.disk.Watch(path)
	return seam.Hooks{VFS: through}, err
}

// faultKind is one way in which a call of the engine fails.
type faultKind struct {
	name string
	rule faultvfs.Rule
}

func faultKinds() []faultKind {
	kinds := []faultKind{
		{"disk full", faultvfs.Rule{Ops: faultvfs.Write, Code: 13}},
		{"torn write", faultvfs.Rule{Ops: faultvfs.Write, Code: faultvfs.Failure(faultvfs.Write), Torn: 512}},
		{"late write", faultvfs.Rule{Ops: faultvfs.Write, Code: faultvfs.Failure(faultvfs.Write), Through: true}},
		{"short read", faultvfs.Rule{Ops: faultvfs.Read, Code: 522}},
		{"busy lock", faultvfs.Rule{Ops: faultvfs.Lock | faultvfs.ShmLock, Code: 5}},
		{"protocol", faultvfs.Rule{Ops: faultvfs.ShmLock, Code: 15}},
	}
	for _, op := range []struct {
		name string
		op   faultvfs.Op
	}{{"read", faultvfs.Read}, {"write", faultvfs.Write}, {"sync", faultvfs.Sync}, {"truncate", faultvfs.Truncate}, {"size", faultvfs.Size},
		{"lock", faultvfs.Lock}, {"lock of the WAL", faultvfs.ShmLock}, {"map of the WAL's index", faultvfs.ShmMap},
		{"open", faultvfs.Open}, {"delete", faultvfs.Delete}} {
		kinds = append(kinds, faultKind{op.name, faultvfs.Rule{Ops: op.op, Code: faultvfs.Failure(op.op)}})
	}
	return kinds
}

// faultPlan is one run: a configuration, and which calls fail.
type faultPlan struct {
	kind   faultKind
	cfg    pool.Config
	first  int  // the first call that fails, counted from 1
	length int  // how many of the calls from there on fail
	close  bool // they may be those of Close
}

func (p faultPlan) String() string {
	return fmt.Sprintf("%s, calls %d to %d, while closing too %v, synchronous %v, group commit %v, mmap %v, checkpoint at %d pages, exclusive %v", p.kind.name, p.first, p.first+p.length-1, p.close,
		p.cfg.Synchronous, !p.cfg.NoGroupCommit, p.cfg.MmapBytes >= 0, p.cfg.WALAutocheckpointPages, p.cfg.Exclusive)
}

func faultConfigs() []pool.Config {
	base := pool.Config{MaxReaders: 2, CacheBytes: 64 << 10, BusyTimeout: 5 * time.Millisecond}
	full, alone, small := base, base, base
	full.Synchronous = pool.SynchronousFull
	alone.NoGroupCommit, alone.MmapBytes = true, -1
	small.WALAutocheckpointPages, small.Synchronous = 4, pool.SynchronousFull
	cfgs := []pool.Config{base, full, alone, small}
	if sqlite.ExclusiveVFS != "" {
		exclusive := full
		exclusive.Exclusive = true
		cfgs = append(cfgs, exclusive)
	}
	return cfgs
}

// books is what callers were told, by the row that they wrote.
type books struct {
	mu   sync.Mutex
	told map[string]error
}

func (b *books) note(err error, names ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range names {
		b.told[n] = err
	}
}

// check compares what is in a file with what callers were told.
func (b *books) check(found map[string]bool) (wrong []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, err := range b.told {
		switch {
		case err == nil && !found[name]:
			wrong = append(wrong, name+" was acknowledged and is lost")
		case err != nil && !errors.Is(err, lido.ErrCommitUnknown) && found[name]:
			wrong = append(wrong, fmt.Sprintf("%s is there, and was refused: %v", name, err))
		}
	}
	for name := range found {
		if _, ok := b.told[name]; !ok {
			wrong = append(wrong, name+" is there, and nobody wrote it")
		}
	}
	slices.Sort(wrong)
	return wrong
}

// look compares what a read returned with the books while the database is open.
// A row is allowed to be there from the moment that its commit may have begun.
func (b *books) look(found map[string]bool) (wrong []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, err := range b.told {
		if err == nil && !found[name] {
			wrong = append(wrong, "a read misses "+name+", which was acknowledged")
		}
		if err != nil && !errors.Is(err, lido.ErrCommitUnknown) && found[name] {
			wrong = append(wrong, fmt.Sprintf("a read shows %s, which was refused: %v", name, err))
		}
	}
	return wrong
}

// faultRun is what one run came to.
type faultRun struct {
	fired int64 // calls that failed
	wrong []string
	told  int // rows that somebody was told about
}

// runPlan opens a copy of template, works on it under the plan, and compares
// what is in the file afterwards: as it would be after kill -9, and closed.
func runPlan(t *testing.T, template []byte, plan faultPlan) (res faultRun) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "run")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "test.db")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		t.Fatal(err)
	}
	disk := faultvfs.NewDisk()
	defer disk.Forget()
	rule := plan.kind.rule
	calls, ops := 0, rule.Ops
	var mu sync.Mutex
	rule.Match = func(c faultvfs.Call) bool {
		mu.Lock()
		defer mu.Unlock()
		calls++
		return calls >= plan.first && calls < plan.first+plan.length
	}
	armed := disk.Add(rule)

	b := &books{told: make(map[string]error)}
	ctx := seam.With(t.Context(), onDisk{disk})
	db, err := pool.Open(ctx, path, plan.cfg)
	if err == nil {
		res.wrong = append(res.wrong, work(t.Context(), db, b, func() []string { return afterKill(t, dir, path, b) })...)
		if !plan.close {
			armed.Remove()
			// The disk works again: so must the database, without being opened anew.
			var after error
			for try := range 3 {
				name := fmt.Sprint("after ", try)
				after = run(t.Context(), db, insertItem, name)
				b.note(after, name)
			}
			if after != nil {
				res.wrong = append(res.wrong, fmt.Sprintf("writes do not resume: %v", after))
			}
		}
		if s := db.Stat(); s.Readers.InUse != 0 || s.Writer.InUse != 0 || s.Queued != 0 {
			res.wrong = append(res.wrong, fmt.Sprintf("held or queued afterwards: %+v", s))
		}
		res.wrong = append(res.wrong, afterKill(t, dir, path, b)...)
		closeCtx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := db.Close(closeCtx); err != nil && (armed.Fired() == 0 || errors.Is(err, context.DeadlineExceeded)) {
			res.wrong = append(res.wrong, fmt.Sprintf("Close: %v", err))
		}
		cancel()
	} else if armed.Fired() == 0 {
		res.wrong = append(res.wrong, fmt.Sprintf("Open without a fault: %v", err))
	}
	armed.Remove()
	res.wrong = append(res.wrong, inFile(t, path, "closed", b)...)
	res.fired, res.told = armed.Fired(), len(b.told)
	if disk.Calls(ops) == 0 {
		t.Fatalf("%v: the layer was not asked", plan)
	}
	return res
}

// afterKill looks at a copy of the files as they lie while the pool is open.
func afterKill(t *testing.T, dir, path string, b *books) []string {
	t.Helper()
	copied := filepath.Join(dir, "killed.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(copied+suffix, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return inFile(t, copied, "after kill -9", b)
}

// inFile opens the file with nothing in between and compares it with the books.
func inFile(t *testing.T, path, when string, b *books) (wrong []string) {
	t.Helper()
	defer func() {
		for i := range wrong {
			wrong[i] = when + ": " + wrong[i]
		}
	}()
	ctx := context.Background()
	c, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return []string{err.Error()}
	}
	defer c.Close()
	if got, err := c.QueryText(ctx, "PRAGMA integrity_check(3)"); got != "ok" || err != nil {
		wrong = append(wrong, fmt.Sprint(got, err))
	}
	s, err := c.Prepare(ctx, listItems.SQL)
	if err != nil {
		return append(wrong, err.Error())
	}
	defer s.Close()
	found := make(map[string]bool)
	for {
		row, err := s.Step()
		if err != nil {
			return append(wrong, err.Error())
		}
		if !row {
			return append(wrong, b.check(found)...)
		}
		found[s.ColumnText(0)] = true
	}
}

// large makes rows that do not fit into the page cache together.
var large = strings.Repeat("x", 6000)

// work writes and reads in every way, and notes what it is told. killed looks at
// what a kill at that moment would leave: after a failure, before the next write
// covers its traces.
func work(ctx context.Context, db *pool.DB, b *books, killed func() []string) (wrong []string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	look := func() {
		if found, err := names(ctx, db); err == nil {
			wrong = append(wrong, b.look(found)...)
		}
		_ = db.Read(ctx, func(ctx context.Context, r lido.Reader) error {
			first, err := names(ctx, r)
			if err != nil {
				return err
			}
			second, err := names(ctx, r)
			if err == nil && len(first) != len(second) {
				wrong = append(wrong, "a snapshot changed")
			}
			return err
		})
		for _, lend := range []func(context.Context, func(context.Context, *sqlite.Conn) error) error{db.WithReader, db.WithWriter} {
			_ = lend(ctx, func(_ context.Context, c *sqlite.Conn) error {
				if err := c.Broken(); err != nil {
					wrong = append(wrong, fmt.Sprintf("a broken connection was handed out: %v", err))
				}
				if c.InTransaction() || c.OpenStatements() {
					wrong = append(wrong, "a connection was handed out in a transaction or with a statement")
				}
				return nil
			})
		}
	}
	note := func(err error, names ...string) {
		b.note(err, names...)
		if err != nil {
			wrong = append(wrong, killed()...)
		}
	}
	write := func(names ...string) {
		note(db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
			for i, name := range names {
				var err error
				if i%2 == 1 {
					err = tx.Savepoint(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, name) })
				} else {
					err = run(ctx, tx, insertItem, name)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}), names...)
	}
	for _, name := range []string{"a", "b", "c"} {
		note(run(ctx, db, insertItem, name), name)
	}
	look()
	var wg sync.WaitGroup
	if w, err := db.AcquireWriter(ctx); err == nil {
		for i := range 6 {
			wg.Go(func() {
				name := fmt.Sprint("group ", i)
				if i%3 == 2 {
					b.note(db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, name) }), name)
				} else {
					b.note(run(ctx, db, insertItem, name), name)
				}
			})
		}
		for s := db.Stat(); s.Queued < 6 && s.Writer.Waiting < 6; s = db.Stat() {
			runtime.Gosched()
		}
		w.Release()
		wg.Wait()
		wrong = append(wrong, killed()...)
	}
	write("d", "e", "f")
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprint("large ", i, large))
	}
	write(many...) // more than the cache holds: written before the commit
	look()
	_, _ = db.Checkpoint(ctx, sqlite.Passive)
	note(run(ctx, db, insertItem, "g"), "g")
	_, _ = db.Checkpoint(ctx, sqlite.Truncate)
	write("h", "i")
	note(run(ctx, db, insertItem, "j"), "j")
	look()
	return wrong
}

// faultTemplate is the file that every run begins with.
func faultTemplate(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template.db")
	db, err := pool.Open(t.Context(), path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
	})
	if err := errors.Join(err, db.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tally is the table that the torture prints.
type tally struct {
	runs, injected, wrong, panics, hangs int
}

// attempt is runPlan that survives panics and hangs.
func attempt(t *testing.T, template []byte, plan faultPlan, sum *tally) (fired int64) {
	t.Helper()
	type outcome struct {
		res   faultRun
		panic string
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o.panic = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
			done <- o
		}()
		o.res = runPlan(t, template, plan)
	}()
	sum.runs++
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	select {
	case o := <-done:
		sum.injected += int(o.res.fired)
		if o.panic != "" {
			sum.panics++
			t.Errorf("%v: panic: %s", plan, o.panic)
		}
		if len(o.res.wrong) > 0 {
			sum.wrong++
			t.Errorf("%v:\n%.2000s", plan, strings.Join(o.res.wrong, "\n"))
		}
		return o.res.fired
	case <-timeout.C:
		sum.hangs++
		buf := make([]byte, 1<<20)
		t.Fatalf("%v: hangs\n%s", plan, buf[:runtime.Stack(buf, true)])
	}
	return 0
}

// TestNoFaultOfTheDiskMakesAWrongSuccess lets each n-th call of the engine to
// its files fail, one run for each n, and looks whether callers were told the
// truth: what was acknowledged is there, what was refused is not, unless the
// error said that nobody knows. LIDO_FAULTS is how many faults to inject; "make
// torture-faults" has 50,000. Without it the sweep takes ten seconds at most, at
// places that differ from run to run.
func TestNoFaultOfTheDiskMakesAWrongSuccess(t *testing.T) {
	const enough = 50
	template := faultTemplate(t)
	want, _ := strconv.Atoi(os.Getenv("LIDO_FAULTS"))
	seed := rand.Uint64()
	if s := os.Getenv("LIDO_FAULTS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	var sum tally
	byKind := make(map[string]*tally)
	try := func(plan faultPlan) int64 {
		before := sum
		fired := attempt(t, template, plan, &sum)
		k := byKind[plan.kind.name]
		if k == nil {
			k = new(tally)
			byKind[plan.kind.name] = k
		}
		k.runs, k.injected, k.wrong = k.runs+1, k.injected+sum.injected-before.injected, k.wrong+sum.wrong-before.wrong
		return fired
	}
	start := time.Now()
	if want == 0 {
		// A few places for each kind and configuration, and each of the few
		// syncs: those that end a commit are where the outcome is unknown. In
		// any order, so that a slow machine leaves out others each time.
		var plans []faultPlan
		for _, kind := range faultKinds() {
			for _, cfg := range faultConfigs() {
				plans = append(plans, faultPlan{kind: kind, cfg: cfg})
			}
		}
		rng.Shuffle(len(plans), func(i, j int) { plans[i], plans[j] = plans[j], plans[i] })
		slices.SortStableFunc(plans, func(a, b faultPlan) int {
			commits := func(p faultPlan) int {
				if p.kind.rule.Ops == faultvfs.Sync && p.cfg.Synchronous == pool.SynchronousFull {
					return 0
				}
				return 1
			}
			return commits(a) - commits(b)
		})
		budget := 10 * time.Second // but for enough faults, however slow the machine
		if testing.Short() {
			budget = 2 * time.Second
		}
		for _, p := range plans {
			step := 8 + rng.IntN(16)
			p.first, p.length = 1+rng.IntN(3), 1+rng.IntN(2)*rng.IntN(20)
			if p.kind.rule.Ops == faultvfs.Sync {
				p.first, p.length, step = 1, 1, 0
			}
			for fired := int64(1); fired != 0 && (time.Since(start) < budget || sum.injected < enough); step *= 2 {
				p.close = rng.IntN(2) == 0
				fired = try(p)
				p.first += max(step, 1)
			}
		}
	}
	// Every n for every kind and configuration, until nothing fires; and again,
	// with other lengths, until there are enough.
	for sum.injected < want {
		type combination struct{ kind, cfg int }
		exhausted := make(map[combination]bool)
		kinds, cfgs := faultKinds(), faultConfigs()
		for n := 1; sum.injected < want && len(exhausted) < len(kinds)*len(cfgs); n++ {
			for k := range kinds {
				for c := range cfgs {
					if exhausted[combination{k, c}] || sum.injected >= want {
						continue
					}
					length := 1
					if rng.IntN(4) == 0 {
						length += rng.IntN(50)
					}
					if try(faultPlan{kinds[k], cfgs[c], n, length, rng.IntN(3) == 0}) == 0 {
						exhausted[combination{k, c}] = true
					}
				}
			}
		}
	}
	t.Logf("seed %d: %d runs in %v", seed, sum.runs, time.Since(start).Round(time.Millisecond))
	t.Logf("%-24s %8s %8s %6s", "kind", "runs", "injected", "wrong")
	for _, kind := range faultKinds() {
		if k := byKind[kind.name]; k != nil {
			t.Logf("%-24s %8d %8d %6d", kind.name, k.runs, k.injected, k.wrong)
		}
	}
	t.Logf("%-24s %8d %8d %6d; %d panics, %d hangs", "all", sum.runs, sum.injected, sum.wrong, sum.panics, sum.hangs)
	if sum.injected < enough {
		t.Errorf("only %d faults were injected", sum.injected)
	}
}
