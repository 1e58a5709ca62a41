package faultvfs

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido/internal/vfs"
)

// Op is what the engine asks of a file, or a set of that.
type Op uint16

// The operations. Locks are those that are taken, on the file or its shared
// memory; giving one up never fails here, as it does not outside.
const (
	Open Op = 1 << iota
	Delete
	Read
	Write
	Truncate
	Sync
	Size
	Lock
	ShmMap
	ShmLock

	// IO is everything but opening and removing files.
	IO = Read | Write | Truncate | Sync | Size | Lock | ShmMap | ShmLock
)

// Kind is which of a database's files it is, or a set of them.
type Kind uint8

// The files of a database.
const (
	Main Kind = 1 << iota
	WAL
	Journal
	// Temporary are the files of sorts and the like. Only their Open can fail, and
	// only by a Rule that names them.
	Temporary
	AnyFile Kind = 0
)

// Call is one thing that the engine asks.
type Call struct {
	Op   Op
	File Kind
	// Conn tells the connections of a Disk apart, from 1 on in the order in
	// which they were opened; 0 where it is not known. ReadOnly is how it was
	// opened.
	Conn     int
	ReadOnly bool
	// Offset and Bytes are those of a Read or Write; Offset is the new size of
	// a Truncate.
	Offset int64
	Bytes  int
	// Commit marks the Write that begins the last frame of a transaction in
	// the WAL. Until its page, which is the next Write, and the sync after it
	// are done too, the transaction is not committed.
	Commit bool
}

// Rule says what is to become of some calls.
type Rule struct {
	// Ops and Files say which calls: 0 for every one.
	Ops   Op
	Files Kind
	// Match narrows that down. Nil matches all. It runs inside the engine, as
	// Before does, on the goroutine that uses the connection.
	Match func(Call) bool
	// Nth is the only call that the rule applies to, counted from 1 among
	// those that match since it was added; 0: every call.
	Nth int

	// Before runs first. It may wait.
	Before func(Call)
	// Code is answered instead of doing what was asked, unless it is 0.
	Code int32
	// Through has the call done all the same, before Code is answered. After
	// runs in between.
	Through bool
	After   func(Call)
	// Torn is how many bytes of a Write are written before Code is answered.
	Torn int
}

// Armed is a rule in force.
type Armed struct {
	Rule
	disk  *Disk
	seen  atomic.Int64
	fired atomic.Int64
}

// Seen counts the calls that matched, and Fired those that the rule was applied to.
func (a *Armed) Seen() int64  { return a.seen.Load() }
func (a *Armed) Fired() int64 { return a.fired.Load() }

// Remove takes the rule out of force. A call that waits in Before goes on
// waiting. Removing again does nothing.
func (a *Armed) Remove() {
	a.disk.mu.Lock()
	defer a.disk.mu.Unlock()
	a.disk.setRules(slices.DeleteFunc(a.disk.allRules(), func(other *Armed) bool { return other == a }))
}

// Disk is what happens to the files of one database. It is safe for concurrent
// use.
type Disk struct {
	rules    atomic.Pointer[[]*Armed] // never changed in place
	unmapped atomic.Bool              // no mapped memory is offered any more
	calls    [16]atomic.Int64         // by the number of the operation's bit

	mu    sync.Mutex // guards changes of rules, and what follows
	files map[*file]struct{}
	conns map[uintptr]*conn // by the engine's thread, which each connection has to itself
	last  int
	paths []string
}

// conn is one connection, as far as its files show it.
type conn struct {
	number   int
	readOnly bool
	open     int // files
}

// disks finds a Disk by the path of its database.
var disks struct {
	sync.RWMutex
	byPath map[string]*Disk
}

// NewDisk returns a Disk that watches nothing yet.
func NewDisk() *Disk {
	return &Disk{files: make(map[*file]struct{}), conns: make(map[uintptr]*conn)}
}

// Watch makes d responsible for the database at path, its -wal and its journal,
// from the next time they are opened through a layer. The path is the one that
// the engine finds: absolute, with links resolved.
func (d *Disk) Watch(path string) {
	disks.Lock()
	defer disks.Unlock()
	if disks.byPath == nil {
		disks.byPath = make(map[string]*Disk)
	}
	if disks.byPath[path] != d {
		disks.byPath[path] = d
		d.paths = append(d.paths, path)
	}
}

// Forget ends what Watch began. Files that are open stay with d.
func (d *Disk) Forget() {
	disks.Lock()
	defer disks.Unlock()
	for _, path := range d.paths {
		if disks.byPath[path] == d {
			delete(disks.byPath, path)
		}
	}
	d.paths = nil
}

// diskOf finds who watches a file, and which file of the database it is. flags
// are those of an opening, or 0 where only the name is known.
func diskOf(name string, flags int32) (*Disk, Kind) {
	kind, path := Main, name
	switch {
	case flags&lib.SQLITE_OPEN_WAL != 0 || flags == 0 && strings.HasSuffix(name, "-wal"):
		kind, path = WAL, strings.TrimSuffix(name, "-wal")
	case flags&lib.SQLITE_OPEN_MAIN_JOURNAL != 0 || flags == 0 && strings.HasSuffix(name, "-journal"):
		kind, path = Journal, strings.TrimSuffix(name, "-journal")
	case flags&lib.SQLITE_OPEN_MAIN_DB == 0 && flags != 0:
		return nil, 0 // a temporary file
	}
	disks.RLock()
	defer disks.RUnlock()
	return disks.byPath[path], kind
}

// Add puts a rule in force. Where several match a call, the first that answers
// with a Code decides.
func (d *Disk) Add(r Rule) *Armed {
	a := &Armed{Rule: r, disk: d}
	if r.Ops == 0 || r.Ops&Read != 0 {
		d.unmapped.Store(true)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setRules(append(d.allRules(), a))
	return a
}

// Calls counts what has been asked so far, failed or not, of all ops together.
func (d *Disk) Calls(ops Op) (n int64) {
	for i := range d.calls {
		if ops&(1<<i) != 0 {
			n += d.calls[i].Load()
		}
	}
	return n
}

// Kill breaks every connection that is open now and that match accepts: from
// now on whatever it asks of its files fails with an I/O error, until it is
// closed. It returns how many that were.
func (d *Disk) Kill(match func(readOnly bool) bool) int {
	d.unmapped.Store(true)
	d.mu.Lock()
	defer d.mu.Unlock()
	killed := make(map[*conn]bool)
	for f := range d.files {
		if f.conn != nil && match(f.conn.readOnly) && !f.dead.Load() {
			killed[f.conn] = true
			f.dead.Store(true)
		}
	}
	return len(killed)
}

// Recover makes the next connection that looks at the WAL read it from its
// beginning, as the first one does after a crash.
func (d *Disk) Recover() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for f := range d.files {
		if f.shm != 0 {
			// Two copies of the header that differ: somebody died while writing.
			// https://www.sqlite.org/walformat.html#the_wal_index_header
			first, second := (*byte)(vfs.Pointer(f.shm+checksumAt)), (*byte)(vfs.Pointer(f.shm+indexHeaderBytes+checksumAt))
			*second = *first + 1
			return
		}
	}
}

// Layout of the header in the WAL's index.
const (
	indexHeaderBytes = 48
	checksumAt       = 40
)

func (d *Disk) allRules() []*Armed {
	if p := d.rules.Load(); p != nil {
		return slices.Clone(*p)
	}
	return nil
}

func (d *Disk) setRules(rules []*Armed) {
	if len(rules) == 0 {
		d.rules.Store(nil)
		return
	}
	d.rules.Store(&rules)
}

// temporary is consult for the opening of a temporary file by the connection of
// that thread. It finds the disk by what else the connection has open.
func temporary(thread uintptr) int32 {
	disks.RLock()
	defer disks.RUnlock()
	for _, d := range disks.byPath {
		d.mu.Lock()
		_, mine := d.conns[thread]
		d.mu.Unlock()
		if rules := d.rules.Load(); mine && rules != nil && slices.ContainsFunc(*rules, func(a *Armed) bool { return a.Files&Temporary != 0 }) {
			code, _ := d.consult(Call{Op: Open, File: Temporary})
			return code
		}
	}
	return 0
}

// consult counts a call and asks the rules. It returns the code to answer with,
// 0 to go on, and the rule that says so.
func (d *Disk) consult(c Call) (int32, *Armed) {
	d.calls[bit(c.Op)].Add(1)
	rules := d.rules.Load()
	if rules == nil {
		return 0, nil
	}
	for _, a := range *rules {
		if a.Ops != 0 && a.Ops&c.Op == 0 || a.Files != 0 && a.Files&c.File == 0 || a.Match != nil && !a.Match(c) {
			continue
		}
		if n := a.seen.Add(1); a.Nth != 0 && n != int64(a.Nth) {
			continue
		}
		a.fired.Add(1)
		if a.Before != nil {
			a.Before(c)
		}
		if a.Code != 0 {
			return a.Code, a
		}
	}
	return 0, nil
}

func bit(op Op) (n int) {
	for op >>= 1; op != 0; op >>= 1 {
		n++
	}
	return n
}
