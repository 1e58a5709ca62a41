package pool

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lidodb/lido/internal/callers"
	"github.com/lidodb/lido/sqlite"
)

// watchEvery is how often the readers are looked at. The times that are looked
// after may be set shorter, which then sets the pace.
const watchEvery = time.Second

// watch looks after those who hold readers, on a goroutine of its own: it names
// those that pin the WAL, or do not give back, and interrupts those that are over
// their time.
type watch struct {
	db    *DB
	cfg   *Config
	every time.Duration
	quit  chan struct{}
	ended chan struct{}
	once  sync.Once

	// seen is what was done about each reader, and long since when the WAL has been
	// too long for no reason that is known here. Owned by the goroutine.
	seen   map[*Resource[*sqlite.Conn]]*watched
	long   time.Time
	frames int  // what the WAL held then
	much   pace // of lines about readers that keep much of the WAL, and are not old
	wal    pace // of lines about a WAL that is long

	mu      sync.Mutex
	outside []*outsider // opened by OpenConn and perhaps still open; guarded by mu
}

// watched is what was done about one borrowing.
type watched struct {
	since       int64
	next        int64 // age at which it is named again
	expired     bool  // it is over IteratorLifetime, and was interrupted
	interrupted bool  // for pinning the WAL
}

// outsider is a connection that the pool does not count among its own.
type outsider struct {
	conn  *sqlite.Conn
	by    callers.PCs
	since time.Time
	next  time.Duration
}

// startWatch starts the watch, unless Config leaves nothing for it to do.
func (db *DB) startWatch() {
	w := &watch{
		db: db, cfg: &db.cfg, every: watchEvery,
		quit: make(chan struct{}), ended: make(chan struct{}),
		seen: make(map[*Resource[*sqlite.Conn]]*watched),
	}
	needed := w.cfg.WALWarnBytes > 0
	for _, d := range []time.Duration{w.cfg.IteratorLifetime, w.cfg.ReaderWarnAge, w.cfg.LeakWarnAge} {
		if d > 0 {
			needed = true
			w.every = max(min(w.every, d/4), time.Millisecond)
		}
	}
	if !needed {
		return
	}
	db.watch = w
	go w.run()
}

func (w *watch) run() {
	defer close(w.ended)
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-w.quit:
			return
		case <-tick.C:
			w.look()
		}
	}
}

// stop ends the watch and waits for it.
func (w *watch) stop() {
	if w == nil {
		return
	}
	w.once.Do(func() { close(w.quit) })
	<-w.ended
}

// add notes a connection that OpenConn has opened.
func (w *watch) add(c *sqlite.Conn) {
	if w == nil {
		return
	}
	o := &outsider{conn: c, since: time.Now()}
	callers.Note(&o.by)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outside = append(w.outside, o)
}

// look is one round.
func (w *watch) look() {
	readers := w.db.readers
	now := readers.now()
	held := readers.borrowed()
	for r, s := range w.seen {
		if !slices.Contains(held, borrowing[*sqlite.Conn]{r, s.since}) {
			delete(w.seen, r)
		}
	}
	for _, b := range held {
		w.judge(b, time.Duration(now-b.since))
	}
	for _, o := range w.outsiders() {
		age := time.Since(o.since)
		state, _ := o.conn.WALState()
		p := o.pinned(state, age)
		if !w.overdue(p, age) || w.old(age) && age < o.next || !w.old(age) && !w.much.due(time.Now()) {
			continue
		}
		o.next = 2 * age
		w.warn(keepsTheWAL, p)
	}
	w.judgeWAL()
}

// judgeWAL speaks of a WAL that stays too long although no reader of this pool
// is too old: one that holds more than what the readers of this pool keep there
// has its reason elsewhere, and one that is moved and goes on growing is never
// without a reader.
func (w *watch) judgeWAL() {
	state, _ := w.db.walState()
	waits, kept, old := state.Frames-state.Moved, 0, false
	for _, p := range w.db.PinnedReaders() {
		kept = max(kept, p.Pages)
		old = old || w.cfg.ReaderWarnAge > 0 && p.Age >= w.cfg.ReaderWarnAge
	}
	limit := int64(w.cfg.WALWarnBytes)
	much := func(pages int) bool { return limit > 0 && int64(pages)*int64(state.PageBytes) >= limit }
	// Up to there it is left to grow.
	tooLong := func(pages int) bool { return pages > w.cfg.WALAutocheckpointPages && much(pages) }
	elsewhere := tooLong(waits - kept)
	if !elsewhere && (!tooLong(state.Frames) || old || much(kept)) {
		w.long = time.Time{}
		return
	}
	now := time.Now()
	if w.long.IsZero() || state.Frames < w.frames { // which has begun anew
		w.long, w.frames = now, state.Frames
	}
	age := now.Sub(w.long)
	if age < w.cfg.ReaderWarnAge || !elsewhere && state.Frames == w.frames || !w.wal.due(now) { // or nobody writes
		return
	}
	text, pages := "the WAL is long, and no reader of this pool is the reason: another process reads, or checkpoints fail or are turned off", waits
	if !elsewhere {
		text, pages = "the WAL is long, and no single reader is the reason: readers overlap without a gap, so that it cannot begin anew", state.Frames
	}
	w.cfg.Logger.Warn(text, "path", w.db.path, "age", age.Round(time.Millisecond),
		"pages", pages, "bytes", int64(pages)*int64(state.PageBytes))
}

// judge names a reader, and interrupts it, if it is time to. There is one line
// for all that is to be said of it, again whenever its age has doubled.
func (w *watch) judge(b borrowing[*sqlite.Conn], age time.Duration) {
	s := w.seen[b.r]
	if s == nil {
		s = &watched{since: b.since}
		w.seen[b.r] = s
	}
	limit := w.cfg.IteratorLifetime
	late := limit > 0 && age >= limit && b.isStatement()
	held := w.cfg.LeakWarnAge > 0 && age >= w.cfg.LeakWarnAge
	p, pins := pinned(b, age)
	over := pins && w.overdue(p, age)
	if !late && !held && !over {
		return
	}
	if !pins {
		var ok bool
		if p.Holder, ok = b.holder(); !ok {
			return
		}
		p.Age = age
	}
	text, news := "", false
	switch {
	case late && !s.expired:
		if !interrupt(b, fmt.Errorf("pool: %s has held a reader for longer than Config.IteratorLifetime, which is %v", p.Text, limit)) {
			return
		}
		s.expired, news = true, true
		text = "a statement was interrupted, for it has held a reader for longer than Config.IteratorLifetime"
	case s.expired:
		text = "a statement that was interrupted has not been closed: its loop is stuck, or it was forgotten"
	case over && held:
		text = "a connection was not given back yet, and keeps the WAL from being moved into the database file"
	case over:
		text = keepsTheWAL
	default:
		text = "a connection was not given back yet"
	}
	if over && !s.expired && w.cfg.InterruptPinnedReaders && !s.interrupted {
		s.interrupted = interrupt(b, fmt.Errorf("pool: %s kept %d pages in the WAL for %v, and Config.InterruptPinnedReaders is set (ReaderWarnAge %v, WALWarnBytes %d)",
			p.Text, p.Pages, age.Round(time.Millisecond), w.cfg.ReaderWarnAge, w.cfg.WALWarnBytes))
		news = s.interrupted
		text += ", and was interrupted"
	}
	if !late && !held && !w.old(age) {
		// Nobody is too slow. With a small WALWarnBytes many may come to this.
		if !w.much.due(time.Now()) {
			return
		}
	} else if !news && int64(age) < s.next {
		return
	}
	s.next = int64(2 * age)
	args := []any{"pool", "reader"}
	if late {
		args = append(args, "limit", limit)
	}
	w.warn(text, p, args...)
}

// interrupt stops what the borrower runs, and whatever it begins before it gives
// the connection back. It reports false if it has done so already.
func interrupt(b borrowing[*sqlite.Conn], cause error) bool {
	return b.r.visit(b.since, func() { b.r.value.InterruptFor(cause) })
}

// overdue reports whether a reader is worth a warning. One that keeps nothing
// in the WAL may take its time.
func (w *watch) overdue(p PinnedReader, age time.Duration) bool {
	return p.Pages > 0 && (w.old(age) || w.cfg.WALWarnBytes > 0 && p.Bytes >= int64(w.cfg.WALWarnBytes))
}

func (w *watch) old(age time.Duration) bool {
	return w.cfg.ReaderWarnAge > 0 && age >= w.cfg.ReaderWarnAge
}

const keepsTheWAL = "a reader keeps the WAL from being moved into the database file"

// warn logs a line about a reader.
func (w *watch) warn(text string, p PinnedReader, more ...any) {
	args := append(more, "path", w.db.path, "holder", p.Text, "age", p.Age.Round(time.Millisecond))
	if p.Pages > 0 {
		args = append(args, "pages", p.Pages, "bytes", p.Bytes)
	}
	w.cfg.Logger.Warn(text, append(args, "stack", p.Stack)...)
}

// pace spaces out the lines about one cause that comes and goes: the first at
// once, the second after paceGap, each further one after twice the time before.
// When the cause was away for that long it begins anew.
type pace struct {
	gap        time.Duration
	seen, next time.Time
}

const paceGap = time.Minute

// due notes that the cause is there, and reports whether to say so.
func (p *pace) due(now time.Time) bool {
	if now.Sub(p.seen) > p.gap {
		*p = pace{}
	}
	p.seen = now
	if now.Before(p.next) {
		return false
	}
	p.gap = max(2*p.gap, paceGap)
	p.next = now.Add(p.gap)
	return true
}

// pinned says what the reader keeps in the WAL, or false if it keeps nothing or
// is not held any more.
func pinned(b borrowing[*sqlite.Conn], age time.Duration) (p PinnedReader, ok bool) {
	var state sqlite.WALState
	b.r.visit(b.since, func() { state, ok = b.r.value.WALState() })
	if !ok || state.Pinned == 0 {
		return PinnedReader{}, false
	}
	p.Age, p.Pages, p.Bytes = age, state.Pinned, int64(state.Pinned)*int64(state.PageBytes)
	p.Holder, ok = b.holder()
	return p, ok
}

// isStatement tells statements outside transactions from all that holds a
// reader otherwise.
func (b borrowing[R]) isStatement() bool {
	q := b.r.holder.Load()
	return q != nil && q != readClosure && q != rawReader
}

// PinnedReader is a reader whose snapshot is older than the newest commit: what
// was written since cannot be moved out of the WAL before it ends.
type PinnedReader struct {
	Holder
	// Age is how long the connection has been held.
	Age time.Duration
	// Pages counts the page versions in the WAL that were written after the
	// snapshot, and Bytes what these take.
	Pages int
	Bytes int64
}

// PinnedReaders returns the readers that keep something in the WAL, the one
// that keeps most first. It looks at shared memory only, and disturbs nobody.
// Connections of OpenConn are among them, those of other processes are not. On
// Windows, where that memory is not looked at, it finds nobody.
//
// https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files
func (db *DB) PinnedReaders() []PinnedReader {
	var ps []PinnedReader
	now := db.readers.now()
	for _, b := range db.readers.borrowed() {
		if p, ok := pinned(b, time.Duration(now-b.since)); ok {
			ps = append(ps, p)
		}
	}
	if db.watch != nil {
		for _, o := range db.watch.outsiders() {
			state, _ := o.conn.WALState()
			if p := o.pinned(state, time.Since(o.since)); p.Pages > 0 {
				ps = append(ps, p)
			}
		}
	}
	slices.SortStableFunc(ps, func(a, b PinnedReader) int { return b.Pages - a.Pages })
	return ps
}

// outsiders returns the connections of OpenConn that are still open.
func (w *watch) outsiders() []*outsider {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outside = slices.DeleteFunc(w.outside, func(o *outsider) bool {
		_, open := o.conn.WALState()
		return !open
	})
	return slices.Clone(w.outside)
}

// reportOutsiders names those that Close leaves open. They keep the file, and what
// Config.Exclusive has locked.
func (w *watch) reportOutsiders() {
	if w == nil {
		return
	}
	for _, o := range w.outsiders() {
		h := o.holder()
		w.cfg.Logger.Warn("the database was closed, and a connection of OpenConn was not", "path", w.db.path,
			"holder", h.Text, "age", time.Since(h.Since).Round(time.Millisecond), "stack", h.Stack)
	}
}

func (o *outsider) holder() Holder {
	h := Holder{Text: "OpenConn", Stack: o.by.Stack(libraries...), Since: o.since}
	if place := o.by.Place(libraries...); place != "" {
		h.Text = "OpenConn (" + place + ")"
	}
	return h
}

func (o *outsider) pinned(state sqlite.WALState, age time.Duration) PinnedReader {
	p := PinnedReader{Age: age, Pages: state.Pinned, Bytes: int64(state.Pinned) * int64(state.PageBytes)}
	if p.Pages > 0 {
		p.Holder = o.holder()
	}
	return p
}
