package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how to torture.
type Config struct {
	// Ledger is the command that runs the ledger: its path, and arguments that
	// come before those of the harness.
	Ledger []string
	// Env is added to its environment.
	Env []string
	// Dir is an empty folder for the books.
	Dir string
	// Rounds is how many times the server is killed under load. Default 3.
	Rounds int
	// Workers is how many clients post at the same time. Default 8.
	Workers int
	// MinAcks is how many transactions of a round are acknowledged before the
	// kill. Default 20.
	MinAcks int
	// RoundsPerBook is after how many rounds new books are begun. Default 25.
	RoundsPerBook int
	// Seed makes the choices of a run: when to kill, and what to post. The
	// interleaving is the machine's own.
	Seed uint64
	// Log is told how the rounds go, if it is not nil.
	Log io.Writer
}

// Report counts what happened.
type Report struct {
	Rounds        int
	KilledStarts  int // kills before the server was ready
	Acknowledged  int // transactions that were acknowledged, and were there
	KillsInFlight int // kills while at least one request was on its way
	KillsInCommit int // kills that for certain came between a commit and its answer
	Unanswered    int // requests that the kill left without an answer
	Stored        int // of those: had been committed all the same
	Repeated      int // of those: sent again, and answered
	Duration      time.Duration
}

// String writes the report in one line.
func (r Report) String() string {
	return fmt.Sprintf("%d kills under load in %s, %d with requests in flight, %d for certain into an open commit, and %d of a server that was starting; "+
		"%d transactions acknowledged, all there exactly once; %d without an answer, %d of them stored, all there once after they were sent again",
		r.Rounds, r.Duration.Round(time.Millisecond), r.KillsInFlight, r.KillsInCommit, r.KilledStarts, r.Acknowledged, r.Unanswered, r.Stored)
}

// A Broken promise: what the ledger answered and what it kept do not agree.
type Broken struct{ What string }

func (b *Broken) Error() string { return b.What }

func broken(format string, args ...any) error { return &Broken{fmt.Sprintf(format, args...)} }

// Kill runs the rounds and returns a *[Broken] at the first promise that was
// not kept.
func Kill(ctx context.Context, cfg Config) (report Report, err error) {
	setDefault(&cfg.Rounds, 3)
	setDefault(&cfg.Workers, 8)
	setDefault(&cfg.MinAcks, 20)
	setDefault(&cfg.RoundsPerBook, 25)
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	begun := time.Now()
	defer func() { report.Duration = time.Since(begun) }()
	t := &torturer{cfg: cfg, report: &report, rnd: rand.New(rand.NewPCG(cfg.Seed, 1))}
	for round := range cfg.Rounds {
		if round%cfg.RoundsPerBook == 0 {
			if err := t.newBooks(ctx, round); err != nil {
				return report, fmt.Errorf("seed %d, before round %d: %w", cfg.Seed, round, err)
			}
		}
		if err := t.round(ctx, round); err != nil {
			return report, fmt.Errorf("seed %d, round %d: %w", cfg.Seed, round, err)
		}
		report.Rounds++
		if report.Rounds%10 == 0 {
			fmt.Fprintf(cfg.Log, "%d rounds, %d acknowledged\n", report.Rounds, report.Acknowledged)
		}
	}
	return report, t.endBooks(ctx)
}

func setDefault(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}

type torturer struct {
	cfg    Config
	report *Report
	rnd    *rand.Rand

	dir  string
	sent []*request // of the round before, not yet verified
	last int64      // the highest id that was verified
	sum  int64      // cents that should be on the account
}

// request is one transaction on its way. The answer is written by the worker
// that sent it and read once that worker has ended.
type request struct {
	key   string
	cents int64
	id    int64 // 0: no answer
}

// newBooks ends the books there are and begins others in an empty folder.
func (t *torturer) newBooks(ctx context.Context, round int) error {
	if t.dir != "" {
		if err := t.endBooks(ctx); err != nil {
			return err
		}
		if err := os.RemoveAll(t.dir); err != nil {
			return err
		}
	}
	t.dir, t.sent, t.last, t.sum = filepath.Join(t.cfg.Dir, "books-"+strconv.Itoa(round)), nil, 0, 0
	s, err := t.start(ctx)
	if err != nil {
		return err
	}
	defer s.kill()
	return s.declare(ctx)
}

// endBooks verifies the last round and stops the server as an operator would.
func (t *torturer) endBooks(ctx context.Context) error {
	s, err := t.start(ctx)
	if err != nil {
		return err
	}
	defer s.kill()
	if err := t.verify(ctx, s); err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(t.dir, "ledger.db-wal")); err == nil {
		return broken("a server that was told to stop has left its -wal")
	}
	return t.check(ctx)
}

// round verifies the round before on a new server, puts load on that and
// kills it.
func (t *torturer) round(ctx context.Context, round int) error {
	s, err := t.start(ctx)
	if err != nil {
		return err
	}
	defer s.kill()
	if err := t.verify(ctx, s); err != nil {
		return err
	}
	if err := t.load(ctx, s, round); err != nil {
		return err
	}
	return t.check(ctx)
}

// start starts a server. Now and then it is killed while it starts.
func (t *torturer) start(ctx context.Context) (*server, error) {
	for t.rnd.IntN(8) == 0 {
		s, err := launch(ctx, t.cfg, t.dir)
		if err != nil {
			return nil, err
		}
		wait(ctx, time.Duration(t.rnd.Int64N(int64(60*time.Millisecond))))
		s.kill()
		t.report.KilledStarts++
	}
	s, err := launch(ctx, t.cfg, t.dir)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

// load posts from all workers until enough is acknowledged, and a random time
// longer, and kills the server.
func (t *torturer) load(ctx context.Context, s *server, round int) error {
	var acks, inFlight atomic.Int64
	enough := make(chan struct{})
	target := int64(t.cfg.MinAcks + t.rnd.IntN(2*t.cfg.MinAcks))
	pause := time.Duration(t.rnd.Int64N(int64(4 * time.Millisecond)))
	sent := make([][]*request, t.cfg.Workers)
	failed := make([]error, t.cfg.Workers)
	loading, stop := context.WithCancel(ctx)
	defer stop()
	var workers sync.WaitGroup
	for w := range t.cfg.Workers {
		amounts := rand.New(rand.NewPCG(t.cfg.Seed, uint64(round*t.cfg.Workers+w)))
		workers.Go(func() {
			for n := 0; loading.Err() == nil; n++ {
				r := &request{key: fmt.Sprintf("round %d worker %d number %d", round, w, n), cents: 1 + amounts.Int64N(100_000)}
				sent[w] = append(sent[w], r)
				inFlight.Add(1)
				id, _, err := s.post(loading, r)
				inFlight.Add(-1)
				var no *refused
				if errors.As(err, &no) {
					failed[w] = err
					return
				}
				if err != nil {
					return // the server is gone
				}
				r.id = id
				if acks.Add(1) == target {
					close(enough)
				}
			}
		})
	}
	died := false
	select {
	case <-enough:
		wait(ctx, pause)
	case <-s.exited:
		died = true
	case <-ctx.Done():
	case <-time.After(time.Minute):
	}
	open := inFlight.Load()
	s.kill()
	stop()
	workers.Wait()
	if err := errors.Join(failed...); err != nil {
		return broken("a transaction was refused: %v", err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if died || acks.Load() < target {
		return broken("the server acknowledged %d transactions, not %d, and then: %s", acks.Load(), target, s.errs)
	}
	if open > 0 {
		t.report.KillsInFlight++
	}
	t.sent = nil
	for _, list := range sent {
		t.sent = append(t.sent, list...)
	}
	return nil
}

// verify compares what a server holds with what the round before has sent and
// heard, and sends again what was not answered.
func (t *torturer) verify(ctx context.Context, s *server) error {
	stored, highest, err := s.storedAfter(ctx, t.last)
	if err != nil {
		return err
	}
	before := t.report.Stored
	for _, r := range t.sent {
		ids := stored[r.key]
		delete(stored, r.key)
		switch {
		case len(ids) > 1:
			return broken("%q is there %d times", r.key, len(ids))
		case r.id != 0 && len(ids) == 0:
			return broken("%q was acknowledged as transaction %d and is lost", r.key, r.id)
		case r.id != 0 && ids[0] != r.id:
			return broken("%q was acknowledged as transaction %d and is there as %d", r.key, r.id, ids[0])
		case r.id != 0:
			t.report.Acknowledged++
			t.sum += r.cents
			continue
		}
		t.report.Unanswered++
		id, replayed, err := s.post(ctx, r)
		if err != nil {
			return broken("%q was sent again and not taken: %v", r.key, err)
		}
		if replayed != (len(ids) == 1) || (replayed && id != ids[0]) {
			return broken("%q was sent again: stored before as %v, answered with %d, replayed %v", r.key, ids, id, replayed)
		}
		t.report.Stored += len(ids)
		t.report.Repeated++
		t.sum += r.cents
		highest = max(highest, id)
	}
	if t.report.Stored > before {
		t.report.KillsInCommit++
	}
	for key, ids := range stored {
		return broken("%q is there as %v and nobody sent it", key, ids)
	}
	t.sent, t.last = nil, highest
	if sum, err := s.balance(ctx); err != nil || sum != t.sum {
		return errors.Join(err, broken("the account holds %d cents, its transactions make %d", sum, t.sum))
	}
	return nil
}

// check runs "ledger check" on the books.
func (t *torturer) check(ctx context.Context) error {
	out, err := t.cfg.command(ctx, "check", "--data", t.dir).CombinedOutput()
	if err != nil {
		return broken("ledger check: %v: %s", err, out)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
