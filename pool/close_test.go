package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

type service struct {
	name     string
	log      *[]string
	startErr error
}

func (s *service) Start(context.Context, *pool.DB) error {
	*s.log = append(*s.log, "start "+s.name)
	return s.startErr
}

func (s *service) Stop(context.Context) error {
	*s.log = append(*s.log, "stop "+s.name)
	return nil
}

func TestServicesStartInOrderAfterPrepareAndStopInReverse(t *testing.T) {
	var log []string
	db := openDB(t, pool.Config{
		Prepare:  func(context.Context, *pool.DB) error { log = append(log, "prepare"); return nil },
		Services: []pool.Service{&service{name: "a", log: &log}, &service{name: "b", log: &log}},
	})
	for range 2 {
		if err := db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(log); got != "[prepare start a start b stop b stop a]" {
		t.Error(got)
	}
}

func TestCloseInterruptsWhatRunsAndNamesWhoHolds(t *testing.T) {
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	started := make(chan struct{})
	result := make(chan error)
	go func() {
		result <- db.Read(ctx, func(ctx context.Context, r lido.Reader) error {
			close(started)
			_, err := scalar(ctx, r, endless)
			return err
		})
	}()
	<-started
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := db.Close(short); err != nil {
		t.Errorf("a statement that can be interrupted must not keep Close from finishing: %v", err)
	}
	if err := <-result; !errors.Is(err, lido.ErrInterrupted) {
		t.Error(err)
	}
	_, connErr := db.OpenConn(ctx)
	for _, err := range []error{
		db.Read(ctx, func(context.Context, lido.Reader) error { return nil }),
		db.Write(ctx, func(context.Context, lido.Tx) error { return nil }),
		run(ctx, db, insertItem, "x"),
		connErr,
	} {
		if !errors.Is(err, lido.ErrClosed) {
			t.Error(err)
		}
	}
}

func TestCloseNamesWhoStillHoldsAConnectionAndCanBeTriedAgain(t *testing.T) {
	// holder                      closer
	// Read, waits for leave
	//                             Close gives up, naming the holder
	// leaves
	//                             Close again: done
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := pool.Open(t.Context(), path, pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	held, leave, left := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		left <- db.Read(t.Context(), func(context.Context, lido.Reader) error {
			close(held)
			<-leave // not in the engine, where nothing can interrupt it
			return nil
		})
	}()
	<-held
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err = db.Close(short)
	var heldErr *pool.HeldError
	if !errors.As(err, &heldErr) || len(heldErr.Holders) != 1 || !strings.Contains(err.Error(), "close_test.go:") {
		t.Errorf("%v", err)
	}
	close(leave)
	if err := <-left; err != nil {
		t.Error(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("-wal is left: %v", err)
	}
}

func TestCloseSendsAwayWhoWaitsForTheWriterWhileSomebodyReads(t *testing.T) {
	// reader         writer         two who wait    closer
	// Read
	//                Write
	//                               wait
	//                                               Close waits for the reader
	//                               ErrClosed
	//                commits
	// returns
	//                                               done
	db := openDB(t, pool.Config{})
	ctx := t.Context()
	leave, left := make(chan struct{}), make(chan error, 2)
	held := make(chan struct{}, 2)
	go func() {
		left <- db.Read(ctx, func(context.Context, lido.Reader) error { held <- struct{}{}; <-leave; return nil })
	}()
	commit, committed := make(chan struct{}), make(chan error)
	go func() {
		committed <- db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
			held <- struct{}{}
			<-commit
			return run(ctx, tx, insertItem, "begun before")
		})
	}()
	<-held
	<-held
	waiting := make(chan error, 2)
	go func() { waiting <- run(ctx, db, insertItem, "waits") }()
	go func() { waiting <- db.Write(ctx, func(context.Context, lido.Tx) error { return nil }) }()
	waitUntil(t, func() bool { return db.Stat().Writer.Waiting == 2 })
	closed := make(chan error)
	go func() { closed <- db.Close(ctx) }()
	for range 2 {
		if err := <-waiting; !errors.Is(err, lido.ErrClosed) {
			t.Error(err)
		}
	}
	close(commit)
	if err := <-committed; err != nil {
		t.Error(err)
	}
	if err := run(ctx, db, insertItem, "after"); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	close(leave)
	if err := errors.Join(<-left, <-closed); err != nil {
		t.Error(err)
	}
}

func TestIdleAndOldConnectionsAreRecycled(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2, IdleTimeout: 5 * time.Millisecond, MaxLifetime: 20 * time.Millisecond, LifetimeJitter: time.Millisecond})
	deadline := time.Now().Add(10 * time.Second)
	for {
		count(t, t.Context(), db)
		s := db.Stat()
		if s.Readers.Destroyed.Idle+s.Writer.Destroyed.Idle > 0 && s.Readers.Destroyed.Lifetime+s.Writer.Destroyed.Lifetime > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing was recycled: %+v", s)
		}
	}
	if err := run(t.Context(), db, insertItem, "after"); err != nil {
		t.Error(err)
	}
}

// lastWords is a service that uses the database once more when it is stopped.
type lastWords struct {
	db   *pool.DB
	say  func(ctx context.Context, db *pool.DB) error
	said error
}

func (s *lastWords) Start(_ context.Context, db *pool.DB) error { s.db = db; return nil }

func (s *lastWords) Stop(ctx context.Context) error {
	if s.db != nil {
		s.said = s.say(ctx, s.db)
	}
	s.db = nil
	return nil
}

func TestAServiceThatIsStoppedCanCheckpoint(t *testing.T) {
	for range 20 {
		s := &lastWords{say: func(ctx context.Context, db *pool.DB) error {
			_, err := db.Checkpoint(ctx, sqlite.Truncate)
			return err
		}}
		db := openDB(t, pool.Config{Services: []pool.Service{s}})
		if err := db.Close(t.Context()); err != nil || s.said != nil {
			t.Fatal(err, s.said)
		}
	}
}

func TestACloseWithLittleTimeDoesNotWaitForOneThatHasMore(t *testing.T) {
	// somebody        Close, for as long as it takes    Close, for a moment
	// steps endlessly
	//                 waits
	//                                                   interrupts
	// ends
	//                 nil                               nil
	db := openDB(t, pool.Config{})
	s, err := db.PrepareRead(t.Context(), endless)
	if err != nil {
		t.Fatal(err)
	}
	stepped, patient := make(chan error), make(chan error)
	go func() {
		_, err := s.Step()
		stepped <- errors.Join(err, s.Close())
	}()
	go func() { patient <- db.Close(context.Background()) }()
	eventually(t, "Close has begun", func() bool {
		c, err := db.AcquireReader(t.Context())
		if err == nil {
			c.Release()
		}
		return errors.Is(err, lido.ErrClosed)
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := <-stepped; !errors.Is(err, lido.ErrInterrupted) {
		t.Error(err)
	}
	if err := <-patient; err != nil {
		t.Error(err)
	}
}

func TestACloseWithLittleTimeDoesNotWaitForServicesThatHangInAnother(t *testing.T) {
	stopping, leave := make(chan struct{}), make(chan struct{})
	s := &lastWords{say: func(context.Context, *pool.DB) error { close(stopping); <-leave; return nil }}
	db := openDB(t, pool.Config{Services: []pool.Service{s}})
	patient := make(chan error)
	go func() { patient <- db.Close(context.Background()) }()
	<-stopping
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := count(t, t.Context(), db); n != 0 { // the services go first
		t.Error(n)
	}
	close(leave)
	if err := <-patient; err != nil {
		t.Error(err)
	}
}

func TestCloseNamesConnectionsOfOpenConnThatAreOpen(t *testing.T) {
	var log logbook
	db := openDB(t, pool.Config{Logger: log.logger()})
	closed, err := db.OpenConn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open, err := db.OpenConn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(closed.Close(), db.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if lines := log.lines(); len(lines) != 1 || len(log.lines("connection of OpenConn was not", "OpenConn (pool/close_test.go:", "TestCloseNames")) != 1 {
		t.Error(lines)
	}
	// It goes on, and leaves nothing behind when another has the WAL removed.
	if _, err := open.QueryInt64(t.Context(), countItems.SQL); err != nil {
		t.Error(err)
	}
	if err := open.Close(); err != nil {
		t.Error(err)
	}
	openDBAt(t, db.Path(), pool.Config{})
}
