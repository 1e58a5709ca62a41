package sqlite

import (
	"context"
	"errors"
	"fmt"

	lib "modernc.org/sqlite/lib"
)

// The Bind methods set parameter i, counted from 1. A mistake is kept and
// returned by the next Step.
//
// https://www.sqlite.org/c3ref/bind_blob.html

// done notes that parameter i was set, or keeps the engine's refusal.
func (s *Stmt) done(i int, rc int32) {
	if rc != lib.SQLITE_OK {
		s.Fail(fmt.Errorf("parameter %d: %w", i, s.conn.fail(context.Background(), rc, "")))
		return
	}
	if s.bound[i-1] != s.run {
		s.bound[i-1] = s.run
		s.boundCount++
	}
}

// usable refuses to touch a statement that has ended with its transaction or
// its connection.
func (s *Stmt) usable() bool { return s.inUse && !s.ended && !s.conn.faulted && s.stmt != 0 }

// bindable is usable, and keeps the mistake of a parameter that is not there
// or that is bound while the statement runs.
func (s *Stmt) bindable(i int) bool {
	switch {
	case !s.usable():
		return false
	case i < 1 || i > len(s.bound):
		s.Fail(fmt.Errorf("parameter %d: the statement has %d", i, len(s.bound)))
		return false
	case s.running || s.finished:
		s.Fail(fmt.Errorf("parameter %d: bound after the statement ran; Reset comes first", i))
		return false
	}
	return true
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
	if s.bindable(i) {
		s.done(i, lib.Xsqlite3_bind_null(s.conn.tls, s.stmt, int32(i)))
	}
}

// BindInt64 sets parameter i to an integer.
func (s *Stmt) BindInt64(i int, v int64) {
	if s.bindable(i) {
		s.done(i, lib.Xsqlite3_bind_int64(s.conn.tls, s.stmt, int32(i), v))
	}
}

// BindFloat64 sets parameter i to a real number. The engine stores NaN as NULL.
func (s *Stmt) BindFloat64(i int, v float64) {
	if s.bindable(i) {
		s.done(i, lib.Xsqlite3_bind_double(s.conn.tls, s.stmt, int32(i), v))
	}
}

// BindText sets parameter i to a copy of v.
func (s *Stmt) BindText(i int, v string) {
	if !s.bindable(i) {
		return
	}
	p, free, err := place(s, i, v)
	if err != nil {
		s.Fail(fmt.Errorf("parameter %d: %w", i, err))
		return
	}
	s.done(i, lib.Xsqlite3_bind_text(s.conn.tls, s.stmt, int32(i), p, int32(len(v)), free))
}

// BindBlob sets parameter i to a copy of v, or to NULL if v is nil.
func (s *Stmt) BindBlob(i int, v []byte) {
	if v == nil {
		s.BindNull(i)
		return
	}
	if !s.bindable(i) {
		return
	}
	p, free, err := place(s, i, v)
	if err != nil {
		s.Fail(fmt.Errorf("parameter %d: %w", i, err))
		return
	}
	s.done(i, lib.Xsqlite3_bind_blob(s.conn.tls, s.stmt, int32(i), p, int32(len(v)), free))
}

// place copies v, for parameter i, to where the engine can read it until the statement is reset,
// and returns the address and the function that frees it, which is 0 for the
// arena.
func place[B string | []byte](s *Stmt, i int, v B) (p, free uintptr, err error) {
	n := len(v)
	if s.arena == 0 {
		if s.arena = malloc(s.conn.tls, arenaBytes); s.arena == 0 {
			return 0, 0, errors.New("out of memory")
		}
	}
	if n <= arenaBytes-s.arenaUsed {
		p = s.arena + uintptr(s.arenaUsed)
		s.arenaUsed += n
		copy(bytesAt(p, n), v)
		return p, 0, nil
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
