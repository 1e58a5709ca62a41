package sqlite

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
	"unsafe"

	lib "modernc.org/sqlite/lib"
)

// The Bind methods set parameter i, counted from 1. A mistake is kept and
// returned by the next Step.
//
// https://www.sqlite.org/c3ref/bind_blob.html

// usable refuses to touch a statement that has ended with its transaction or
// its connection.
func (s *Stmt) usable() bool {
	return (s.phase == ready || s.phase == running || s.phase == finished) && !s.conn.faulted && s.stmt != 0
}

// bindable reports whether parameter i can be set, and keeps the mistake of one
// that is not there or that is bound while the statement runs.
func (s *Stmt) bindable(i int) bool {
	if s.phase == ready && uint(i-1) < uint(len(s.bound)) && !s.conn.faulted {
		return true
	}
	switch {
	case s.phase == inEngine && !s.conn.faulted:
		s.misuse("bind")
	case !s.usable():
	case i < 1 || i > len(s.bound):
		s.Fail(fmt.Errorf("parameter %d: the statement has %d", i, len(s.bound)))
	default:
		s.Fail(fmt.Errorf("parameter %d: bound after the statement ran; Reset comes first", i))
	}
	return false
}

// set notes that parameter i was set.
func (s *Stmt) set(i int) {
	if s.bound[i-1] != s.run {
		s.bound[i-1] = s.run
		s.boundCount++
	}
}

// done is set, or keeps the engine's refusal.
func (s *Stmt) done(i int, rc int32) {
	if rc != lib.SQLITE_OK {
		s.Fail(fmt.Errorf("parameter %d: %w", i, s.conn.fail(context.Background(), rc, "")))
		return
	}
	s.set(i)
}

// slot returns where the engine keeps the value of parameter i, or nil where
// only the engine can set it: where the plan depends on the value, and where
// the one that is there must be freed.
//
// A value that is put there is as good as one that sqlite3_bind_int64 and its
// kin have set. They ask again what bindable knows, and lock and convert where
// there is nothing to lock and convert: for a row of a few short values that is
// a tenth of what inserting it takes. The structures are those of the pinned
// engine; TestValuesAreBoundAsTheEngineBindsThem holds both ways against each
// other.
func (s *Stmt) slot(i int) *cell {
	vm := (*lib.TVdbe)(pointer(s.stmt))
	v := (*cell)(pointer(vm.FaVar + uintptr(i-1)*cellSize))
	if vm.Fexpmask != 0 || v.Fflags&(lib.MEM_Agg|lib.MEM_Dyn) != 0 || v.FszMalloc != 0 {
		return nil
	}
	return v
}

// bindTheRest sets the parameters that this run has left out to NULL.
func (s *Stmt) bindTheRest() {
	for i, run := range s.bound {
		if run != s.run {
			s.done(i+1, lib.Xsqlite3_bind_null(s.conn.tls, s.stmt, int32(i+1)))
		}
	}
}

// BindNull sets parameter i to NULL.
func (s *Stmt) BindNull(i int) {
	if !s.bindable(i) {
		return
	}
	if v := s.slot(i); v != nil {
		v.Fflags = lib.MEM_Null
		s.set(i)
		return
	}
	s.done(i, lib.Xsqlite3_bind_null(s.conn.tls, s.stmt, int32(i)))
}

// BindInt64 sets parameter i to an integer.
func (s *Stmt) BindInt64(i int, n int64) {
	if !s.bindable(i) {
		return
	}
	if v := s.slot(i); v != nil {
		*(*int64)(unsafe.Pointer(&v.Fu)) = n
		v.Fflags = lib.MEM_Int
		s.set(i)
		return
	}
	s.done(i, lib.Xsqlite3_bind_int64(s.conn.tls, s.stmt, int32(i), n))
}

// BindFloat64 sets parameter i to a real number. NaN is a mistake, as the
// engine would store NULL.
func (s *Stmt) BindFloat64(i int, f float64) {
	if !s.bindable(i) {
		return
	}
	if f != f {
		s.Fail(fmt.Errorf("parameter %d: NaN is no number that SQLite can hold; bind NULL", i))
		return
	}
	if v := s.slot(i); v != nil {
		*(*float64)(unsafe.Pointer(&v.Fu)) = f
		v.Fflags = lib.MEM_Real
		s.set(i)
		return
	}
	s.done(i, lib.Xsqlite3_bind_double(s.conn.tls, s.stmt, int32(i), f))
}

// errNotUTF8 is the refusal of text that the engine would change.
var errNotUTF8 = errors.New("the text is not valid UTF-8, and the database keeps text as UTF-16; bind a blob")

// BindText sets parameter i to a copy of text.
func (s *Stmt) BindText(i int, text string) {
	if !s.bindable(i) {
		return
	}
	if db(s.conn).Fenc == lib.SQLITE_UTF8 {
		if s.bindShort(i, text, lib.MEM_Str) {
			return
		}
	} else if !utf8.ValidString(text) {
		s.Fail(fmt.Errorf("parameter %d: %w", i, errNotUTF8))
		return
	}
	p, free, err := place(s, i, text)
	if err != nil {
		s.Fail(fmt.Errorf("parameter %d: %w", i, err))
		return
	}
	s.done(i, lib.Xsqlite3_bind_text(s.conn.tls, s.stmt, int32(i), p, int32(len(text)), free))
}

// BindBlob sets parameter i to a copy of b, or to NULL if b is nil.
func (s *Stmt) BindBlob(i int, b []byte) {
	if b == nil {
		s.BindNull(i)
		return
	}
	text := unsafe.String(unsafe.SliceData(b), len(b)) // for these calls
	if !s.bindable(i) || s.bindShort(i, text, lib.MEM_Blob) {
		return
	}
	p, free, err := place(s, i, text)
	if err != nil {
		s.Fail(fmt.Errorf("parameter %d: %w", i, err))
		return
	}
	s.done(i, lib.Xsqlite3_bind_blob(s.conn.tls, s.stmt, int32(i), p, int32(len(b)), free))
}

// bindShort sets parameter i to a copy of v in the arena, unless only the engine
// can set it or there is no room. An empty v needs room too: without an arena
// there is no address for it.
func (s *Stmt) bindShort(i int, v string, as uint16) bool {
	d, c := db(s.conn), s.slot(i)
	if c == nil || len(v) >= s.arenaLeft || len(v) > int(d.FaLimit[LimitLength]) {
		return false
	}
	c.Fz, c.Fn, c.FxDel = s.copyToArena(v), int32(len(v)), 0
	c.Fflags, c.Fenc = as|lib.MEM_Static, d.Fenc
	s.set(i)
	return true
}

// copyToArena copies v, for which there is room, and returns where it is.
func (s *Stmt) copyToArena(v string) uintptr {
	p := s.arena + uintptr(arenaBytes-s.arenaLeft)
	s.arenaLeft -= len(v)
	copy(bytesAt(p, len(v)), v)
	return p
}

// place copies v, for parameter i, to where the engine can read it until the
// statement is reset, and returns the address and the function that frees it,
// which is 0 for the arena.
func place(s *Stmt, i int, v string) (p, free uintptr, err error) {
	n := len(v)
	if s.arena == 0 {
		// With a byte behind it, where an empty value lies once it is full.
		if s.arena = malloc(s.conn.tls, arenaBytes+1); s.arena == 0 {
			return 0, 0, errors.New("out of memory")
		}
		s.arenaLeft = arenaBytes
	}
	if n <= s.arenaLeft {
		return s.copyToArena(v), 0, nil
	}
	if n > s.conn.maxLength() { // before it is copied
		return 0, 0, s.conn.tooBig("")
	}
	if p = malloc(s.conn.tls, n); p == 0 {
		return 0, 0, errors.New("out of memory")
	}
	copy(bytesAt(p, n), v)
	s.large = append(s.large, int32(i))
	return p, freeFunction, nil
}
