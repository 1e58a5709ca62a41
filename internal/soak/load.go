package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

var (
	getAccount = &lido.Query{Name: "GetAccount", ReadOnly: true, Reads: []string{"account"},
		SQL: "SELECT balance FROM account WHERE id = ?1"}
	listAccounts = &lido.Query{Name: "ListAccounts", ReadOnly: true, Reads: []string{"account"},
		SQL: "SELECT id, balance, note FROM account ORDER BY id"}
	total = &lido.Query{Name: "Total", ReadOnly: true, Reads: []string{"account"},
		SQL: "SELECT sum(balance) FROM account"}
	written = &lido.Query{Name: "Written", ReadOnly: true, Reads: []string{"account"},
		SQL: "SELECT sum(written) FROM account"}
	touch = &lido.Query{Name: "Touch", Writes: []string{"account"},
		SQL: "UPDATE account SET written = written + 1 WHERE id = ?1 RETURNING written"}
	move = &lido.Query{Name: "Move", Writes: []string{"account"},
		SQL: "UPDATE account SET balance = balance + ?2 WHERE id = ?1"}
)

// soak is the load and what is known of it.
type soak struct {
	db   *pool.DB
	load time.Duration // of one cycle
	rand *rand.Rand
	log  logbook

	acknowledged atomic.Int64 // Touch
	peakWAL      atomic.Int64 // bytes, in this cycle

	mu     sync.Mutex
	counts map[string]*count // by kind of call
	err    error             // the first that must not be
}

// count says how the calls of one kind have ended.
type count struct{ fine, cancelled, interrupted, exhausted, own int64 }

// errOwn is returned by closures that want to be undone.
var errOwn = errors.New("to be undone")

// cycle runs the load once.
func (s *soak) cycle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.load)
	defer cancel()
	s.peakWAL.Store(0)
	var wg sync.WaitGroup
	for _, w := range []struct {
		name    string
		workers int
		pause   time.Duration
		call    func(ctx context.Context, r *rand.Rand) error
	}{
		{"read one", 2, 500 * time.Microsecond, s.readOne},
		{"iterate", 1, 5 * time.Millisecond, s.iterate},
		{"iterate and query", 4, 5 * time.Millisecond, s.nest},
		{"single write", 3, time.Millisecond, s.touch},
		{"Write", 1, 2 * time.Millisecond, s.move},
		{"Batch", 2, 2 * time.Millisecond, s.batch},
		{"borrow", 1, 20 * time.Millisecond, s.borrow},
	} {
		for range w.workers {
			r := rand.New(rand.NewPCG(s.rand.Uint64(), s.rand.Uint64()))
			wg.Go(func() {
				tick := time.NewTicker(w.pause)
				defer tick.Stop()
				for ctx.Err() == nil {
					s.note(w.name, s.randomly(ctx, r, w.call))
					select {
					case <-ctx.Done():
					case <-tick.C:
					}
				}
			})
		}
	}
	wg.Go(func() { s.note("pin", s.pinTheWAL(ctx)) })
	wg.Go(func() { s.note("forget", s.forgetAStatement(ctx)) })
	wg.Go(func() { s.watchWAL(ctx) })
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// randomly runs call, now and then under a context that ends soon.
func (s *soak) randomly(ctx context.Context, r *rand.Rand, call func(ctx context.Context, r *rand.Rand) error) (err error) {
	ctx = context.WithoutCancel(ctx) // the end of the cycle is no cancel
	if r.IntN(8) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(2000))*time.Microsecond)
		defer cancel()
	}
	defer func() {
		if v := recover(); v != nil {
			if v != any(errOwn) {
				panic(v)
			}
			err = errOwn
		}
	}()
	return call(ctx, r)
}

// note counts how a call ended. What is not to be expected ends the soak.
func (s *soak) note(kind string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = make(map[string]*count)
	}
	c := s.counts[kind]
	if c == nil {
		c = &count{}
		s.counts[kind] = c
	}
	switch {
	case err == nil:
		c.fine++
	case errors.Is(err, errOwn):
		c.own++
	case errors.Is(err, lido.ErrReadersExhausted):
		c.exhausted++
	case errors.Is(err, context.DeadlineExceeded):
		c.cancelled++
	case errors.Is(err, lido.ErrInterrupted):
		c.interrupted++
	case s.err == nil:
		s.err = fmt.Errorf("%s: %w", kind, err)
	}
}

func account(r *rand.Rand) int64 { return 1 + r.Int64N(accounts) }

func number(ctx context.Context, r lido.Reader, q *lido.Query, args ...int64) (int64, error) {
	stmt, err := r.PrepareRead(ctx, q)
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	for i, a := range args {
		stmt.BindInt64(i+1, a)
	}
	row, err := stmt.Step()
	if err != nil {
		return 0, err
	}
	if !row {
		return 0, lido.ErrNoRows
	}
	n := stmt.ColumnInt64(0)
	return n, stmt.Close()
}

func exec(ctx context.Context, w lido.Writer, q *lido.Query, args ...int64) error {
	stmt, err := w.PrepareWrite(ctx, q)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for i, a := range args {
		stmt.BindInt64(i+1, a)
	}
	for {
		if row, err := stmt.Step(); !row || err != nil {
			return errors.Join(err, stmt.Close())
		}
	}
}

func (s *soak) readOne(ctx context.Context, r *rand.Rand) error {
	_, err := number(ctx, s.db, getAccount, account(r))
	return err
}

// iterate goes through the accounts and leaves somewhere.
func (s *soak) iterate(ctx context.Context, r *rand.Rand) error {
	return s.each(ctx, s.db, r.IntN(2*accounts), func() error { return nil })
}

// nest queries in the body, half of the time outside Read.
func (s *soak) nest(ctx context.Context, r *rand.Rand) error {
	if r.IntN(2) == 0 {
		return s.each(ctx, s.db, 20, func() error { return s.readOne(ctx, r) })
	}
	return s.db.Read(ctx, func(ctx context.Context, tx lido.Reader) error {
		return s.each(ctx, tx, 20, func() error {
			_, err := number(ctx, tx, getAccount, account(r))
			return err
		})
	})
}

func (s *soak) each(ctx context.Context, r lido.Reader, rows int, body func() error) error {
	stmt, err := r.PrepareRead(ctx, listAccounts)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for range rows {
		if row, err := stmt.Step(); !row || err != nil {
			return err
		}
		_ = stmt.ColumnText(2)
		if err := body(); err != nil {
			return err
		}
	}
	return stmt.Close()
}

func (s *soak) touch(ctx context.Context, r *rand.Rand) error {
	err := exec(ctx, s.db, touch, account(r))
	if err == nil {
		s.acknowledged.Add(1)
	}
	return err
}

// move moves money between two accounts, if nothing comes between.
func (s *soak) move(ctx context.Context, r *rand.Rand) error {
	return s.db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return transfer(ctx, tx, r) })
}

func (s *soak) batch(ctx context.Context, r *rand.Rand) error {
	return s.db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error { return transfer(ctx, tx, r) })
}

func transfer(ctx context.Context, tx lido.Tx, r *rand.Rand) error {
	amount := r.Int64N(100)
	if err := exec(ctx, tx, move, account(r), -amount); err != nil {
		return err
	}
	switch r.IntN(20) {
	case 0:
		return errOwn
	case 1:
		panic(errOwn)
	}
	return exec(ctx, tx, move, account(r), amount)
}

// borrow gives a connection back in a state in which nobody else may have it.
func (s *soak) borrow(ctx context.Context, r *rand.Rand) error {
	with := s.db.WithReader
	if r.IntN(2) == 0 {
		with = s.db.WithWriter
	}
	return with(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		switch r.IntN(3) {
		case 0:
			return c.Exec(ctx, "PRAGMA cache_size=10")
		case 1:
			_, err := c.Prepare(ctx, "SELECT 1")
			return err
		}
		return c.Exec(ctx, "BEGIN")
	})
}

// pinTheWAL holds a snapshot while the others write.
func (s *soak) pinTheWAL(ctx context.Context) error {
	return s.db.Read(ctx, func(ctx context.Context, r lido.Reader) error {
		if _, err := number(ctx, r, total); err != nil {
			return err
		}
		wait(ctx, s.load/2)
		return nil
	})
}

// forgetAStatement leaves one on its first row until the cycle is over.
func (s *soak) forgetAStatement(ctx context.Context) error {
	stmt, err := s.db.PrepareRead(context.WithoutCancel(ctx), listAccounts)
	if err != nil {
		return err
	}
	defer stmt.Close()
	if _, err := stmt.Step(); err != nil {
		return err
	}
	wait(ctx, s.load)
	if _, err := stmt.Step(); !errors.Is(err, lido.ErrInterrupted) || !strings.Contains(err.Error(), "IteratorLifetime") {
		return fmt.Errorf("a statement that was held for %v ended with %v", s.load, err)
	}
	return nil
}

func (s *soak) watchWAL(ctx context.Context) {
	for ctx.Err() == nil {
		s.peakWAL.Store(max(s.peakWAL.Load(), s.db.Stat().WALBytes))
		wait(ctx, 10*time.Millisecond)
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// logbook counts the lines that say what is looked for, and keeps none: it must
// not be what grows.
type logbook struct {
	mu    sync.Mutex
	found [len(wanted)]int
	lines int
}

// wanted is what must have been logged of those who do wrong on purpose.
var wanted = [...]struct {
	culprit string
	words   []string
}{
	{"the reader that pins the WAL", []string{"keeps the WAL", "Read closure (soak/load.go:", "pages=", "pinTheWAL"}},
	{"the forgotten statement, as a leak", []string{"was not given back", "ListAccounts (soak/load.go:", "forgetAStatement"}},
	{"the forgotten statement, over its time", []string{"was interrupted", "ListAccounts (soak/load.go:", "limit="}},
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines++
	for i, w := range wanted {
		if !slices.ContainsFunc(w.words, func(word string) bool { return !bytes.Contains(p, []byte(word)) }) {
			l.found[i]++
		}
	}
	return len(p), nil
}
