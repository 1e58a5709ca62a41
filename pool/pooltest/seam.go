package pooltest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lidodb/lido/internal/faultvfs"
	"github.com/lidodb/lido/internal/seam"
)

// opener puts databases that are opened under its context within the reach of
// Faults.
type opener struct {
	mu     sync.Mutex
	opened []*reach // guarded by mu
}

// WithFaults returns a context under which pool.Open opens databases that
// [Faults] can reach. Those of [Open] and [OpenPath] are within reach anyway:
// this is for a program that opens its own, given a context.
//
//	app, err := shop.New(pooltest.WithFaults(t.Context(), t), path)
//	f := pooltest.Faults(t, app.DB)
func WithFaults(ctx context.Context, t testing.TB) context.Context {
	o := new(opener)
	t.Cleanup(o.forget)
	return seam.With(ctx, o)
}

// reach is what of one database can be made to fail. Each has a Disk of its
// own, so that tests that run in parallel do not meet.
type reach struct {
	path, vfs string // vfs is the one that was asked for
	disk      *faultvfs.Disk

	armed atomic.Int32
	mu    sync.Mutex
	stops []*stop // guarded by mu
}

// stop is a fault of one statement.
type stop struct {
	// query is the name or the text of the statement; empty: any.
	query string
	// inGroup asks for a statement of a later member of a group instead.
	inGroup bool
	code    int
	met     func()
}

// reaches finds what of a database can be made to fail, by the name that its
// connections open: a program has a file open once, and each database in memory
// has a name of its own.
var reaches struct {
	sync.Mutex
	byPath map[string]*reach
}

func reachOf(path string) *reach {
	reaches.Lock()
	defer reaches.Unlock()
	return reaches.byPath[path]
}

// Open is asked for each connection. It implements seam.Seam.
func (o *opener) Open(path, vfs string) (seam.Hooks, error) {
	through, err := faultvfs.Register(vfs)
	if err != nil || path == ":memory:" { // SQLite's own kind, one for each connection
		return seam.Hooks{VFS: through}, err
	}
	reaches.Lock()
	defer reaches.Unlock()
	r := reaches.byPath[path]
	if r == nil {
		r = &reach{path: path, vfs: vfs, disk: faultvfs.NewDisk()}
		if reaches.byPath == nil {
			reaches.byPath = make(map[string]*reach)
		}
		reaches.byPath[path] = r
		r.disk.Watch(path)
		o.mu.Lock()
		o.opened = append(o.opened, r)
		o.mu.Unlock()
	}
	conn := &statements{reach: r}
	return seam.Hooks{VFS: through, Armed: func() bool { return r.armed.Load() != 0 }, Statement: conn.begin}, nil
}

// forget lets go of the databases that were opened.
func (o *opener) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	reaches.Lock()
	defer reaches.Unlock()
	for _, r := range o.opened {
		r.disk.Forget()
		if reaches.byPath[r.path] == r {
			delete(reaches.byPath, r.path)
		}
	}
	o.opened = nil
}

// arm has the next statement that fits stopped. What it returns takes the fault
// back if none came.
func (r *reach) arm(s *stop) (disarm func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops = append(r.stops, s)
	r.armed.Add(1)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if i := slices.Index(r.stops, s); i >= 0 {
			r.stops = slices.Delete(r.stops, i, i+1)
			r.armed.Add(-1)
		}
	}
}

// statements follows what one connection runs, on the connection's goroutine.
type statements struct {
	*reach
	members int // savepoints of a group's members since BEGIN
}

// begin is told of each statement while a fault is armed, and returns the code
// with which to stop it.
func (c *statements) begin(query, sql string) (code int) {
	word, rest, _ := strings.Cut(sql, " ")
	switch word {
	case "BEGIN", "COMMIT", "ROLLBACK", "RELEASE", "SAVEPOINT":
		switch {
		case word == "SAVEPOINT" && strings.HasPrefix(rest, "lido_member"):
			c.members++
		case word == "BEGIN" || word == "COMMIT" || sql == "ROLLBACK":
			c.members = 0
		}
		return 0
	case "PRAGMA", "--": // the pool's own; a trigger
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range c.stops {
		if s.inGroup && c.members < 2 || !s.inGroup && s.query != "" && s.query != query && s.query != sql {
			continue
		}
		c.stops = slices.Delete(c.stops, i, i+1)
		c.armed.Add(-1)
		if s.met != nil {
			s.met()
		}
		return s.code
	}
	return 0
}
