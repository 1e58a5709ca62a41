package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/lidodb/lido/pool"
)

// Config says what to back up where, and when. Only Store is required.
type Config struct {
	// Store is where backups go.
	Store Store
	// Name tells the databases of a store apart; the base name of the
	// database file if empty. A name stands for one database: where the store
	// has backups of that name from another path or machine, a backup is
	// refused.
	Name string
	// Moved continues the backups of Name although they were made of a file at
	// another path or machine, or by a Lido that did not record it: the
	// database is the same one and has moved. One backup with it is enough.
	Moved bool

	// Interval is the longest time between two snapshots; 12 h if zero. With
	// a negative one backups are only made on demand.
	Interval time.Duration
	// Jitter is the part of Interval, up to 1, that chance may cut off, so that
	// many instances do not all work at once; 0.1 if zero, none if negative.
	Jitter float64
	// RetryInterval is the wait after a failed backup; 1 minute if zero. It
	// doubles with each further failure, up to Interval.
	RetryInterval time.Duration
	// Keep is the retention; the newest 14 if zero.
	Keep Keep

	// StepPages and StepPause pace the copy: so many pages, then a rest. 256
	// pages and 5 ms if zero; a negative StepPause is none.
	StepPages int
	StepPause time.Duration
	// PaceTimeout and PaceWALBytes end the pacing: the copy holds a snapshot,
	// behind which the WAL only grows. Once it has taken so long, or the WAL
	// has grown so far, the rest is copied without rests. 5 minutes and 256 MB
	// if zero.
	PaceTimeout  time.Duration
	PaceWALBytes int64

	// LockTimeout is how long to wait for the store's lock while another
	// backup is at work; 1 h if zero.
	LockTimeout time.Duration
	// ScratchDir is where plain copies are made, 0600 in a folder 0700; beside
	// the database, with the suffix ".lido-scratch", if empty. It needs room
	// for the whole database.
	ScratchDir string
	// MigrationTable is where the version of the schema is read;
	// "goose_db_version" if empty.
	MigrationTable string
	// AllowForeignKeyViolations has no effect: each backup carries the rows that
	// its database has, and its manifest says in DatabaseInfo.Broken what they
	// break.
	//
	// Deprecated: leave it out.
	AllowForeignKeyViolations bool
	// Limits bound the proof of each backup.
	Limits Limits
	// OnConnect prepares the connection that checks the proof; see ConnectFunc.
	OnConnect ConnectFunc

	// Progress, if set, is told how far each backup has come.
	Progress ProgressFunc
	// OnBackup, if set, is told how each scheduled backup went, from the
	// schedule's goroutine.
	OnBackup func(Result, error)
	// Logger gets a line for each scheduled backup; that of the pool if nil.
	Logger *slog.Logger
}

// Result is a backup that was made, proved and published.
type Result struct {
	Manifest *Manifest
	// Pruned is what retention did afterwards. An error there does not make
	// the backup less good.
	Pruned   PruneResult
	PruneErr error
	// Duration is the time from asking for the lock to the end of retention.
	Duration time.Duration
}

// withDefaults fills in the zero fields and refuses contradictions.
func (c Config) withDefaults() (Config, error) {
	if c.Store == nil {
		return c, errors.New("backup: Config.Store is nil; give it a store, for instance NewDirStore(dir)")
	}
	if c.Name != "" && !validBaseName(c.Name) {
		return c, fmt.Errorf("backup: Config.Name is %.80q; it must be short and without slashes", c.Name)
	}
	if c.Jitter > 1 {
		return c, fmt.Errorf("backup: Config.Jitter is %v; it is a part of Interval, at most 1", c.Jitter)
	}
	if c.MigrationTable != "" && !validTable(c.MigrationTable) {
		return c, fmt.Errorf("backup: Config.MigrationTable is %.80q, which names no table", c.MigrationTable)
	}
	if c.StepPages < 0 {
		return c, fmt.Errorf("backup: Config.StepPages is %d; it cannot be negative", c.StepPages)
	}
	if err := c.Keep.validate(); err != nil {
		return c, fmt.Errorf("backup: Config.%w", err)
	}
	setDefault(&c.Interval, 12*time.Hour)
	setDefault(&c.Jitter, 0.1)
	c.Jitter = max(c.Jitter, 0)
	setDefault(&c.StepPages, 256)
	setDefault(&c.StepPause, 5*time.Millisecond)
	setDefault(&c.PaceWALBytes, 256e6)
	setDefault(&c.MigrationTable, "goose_db_version")
	for _, d := range []struct {
		field *time.Duration
		name  string
		value time.Duration
	}{
		{&c.RetryInterval, "RetryInterval", time.Minute},
		{&c.PaceTimeout, "PaceTimeout", 5 * time.Minute},
		{&c.LockTimeout, "LockTimeout", time.Hour},
	} {
		if *d.field < 0 {
			return c, fmt.Errorf("backup: Config.%s is %v; it cannot be negative", d.name, *d.field)
		}
		setDefault(d.field, d.value)
	}
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Service makes backups of a pool's database while the pool is open. It is
// safe for concurrent use.
type Service struct {
	cfg Config

	// turn holds one token: backups of this Service run one at a time.
	turn chan struct{}
	// wake tells the schedule of a backup that was made on demand.
	wake chan struct{}

	mu     sync.Mutex
	runner *runner            // nil: not running
	base   context.Context    // ends when Stop begins
	cancel context.CancelFunc // of base
	work   *sync.WaitGroup    // the schedule and the backups under way
	made   chan struct{}      // closed and replaced by each backup that is made
}

var _ pool.Service = (*Service)(nil)

// New returns a Service for pool.Config.Services. It touches nothing.
func New(cfg Config) (*Service, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), made: make(chan struct{})}, nil
}

// Take makes one backup of db without a Service, for instance from
// pool.Config.Prepare before a migration. The schedule's fields of cfg are
// not used.
func Take(ctx context.Context, db *pool.DB, cfg Config) (Result, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Result{}, err
	}
	r := newRunner(db, cfg)
	if err := r.validate(); err != nil {
		return Result{}, err
	}
	return r.backup(ctx, nil)
}

func newRunner(db *pool.DB, cfg Config) *runner {
	return &runner{cfg: cfg, src: db, walBytes: func() int64 { return db.Stat().WALBytes }}
}

// Start begins the schedule. It removes what a crash has left in the scratch
// folder, and does not look at the store: a store that cannot be reached is
// retried and reported, and does not keep the application from starting.
func (s *Service) Start(_ context.Context, db *pool.DB) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runner != nil {
		return errors.New("backup: the service is already running; make one for each pool")
	}
	r := newRunner(db, s.cfg)
	if r.cfg.Logger == nil {
		r.cfg.Logger = db.Config().Logger
	}
	if r.cfg.Logger == nil {
		r.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := r.validate(); err != nil {
		return err
	}
	if err := sweepScratch(r.scratch()); err != nil {
		return fmt.Errorf("backup: sweep %s: %w", r.scratch(), err)
	}
	s.runner = r
	s.base, s.cancel = context.WithCancel(context.Background())
	s.work = new(sync.WaitGroup)
	if s.cfg.Interval > 0 {
		s.startSchedule(s.base, r)
	}
	return nil
}

func (s *Service) startSchedule(base context.Context, r *runner) {
	sched := &schedule{
		interval: s.cfg.Interval,
		jitter:   s.cfg.Jitter,
		retry:    s.cfg.RetryInterval,
		random:   rand.Float64,
		wake:     s.wake,
		last:     r.lastVerified,
		run:      func(ctx context.Context, last time.Time) error { return s.scheduled(ctx, r, last) },
		failed:   func(err error) { s.tell(r, Result{}, err) },
	}
	s.work.Go(func() { sched.loop(base) })
}

// scheduled makes the backup that is due, unless somebody else just has.
func (s *Service) scheduled(ctx context.Context, r *runner, seen time.Time) error {
	res, err := s.takeTurn(ctx, r, &seen)
	if errors.Is(err, errNotDue) || err != nil && ctx.Err() != nil {
		return nil
	}
	s.tell(r, res, err)
	return err
}

// tell reports a scheduled backup.
func (s *Service) tell(r *runner, res Result, err error) {
	switch {
	case err != nil:
		r.cfg.Logger.Error("backup failed", "database", r.name(), "error", err)
	case res.PruneErr != nil:
		r.cfg.Logger.Warn("backup made, retention failed", "id", res.Manifest.ID, "error", res.PruneErr)
	default:
		if lines := res.Manifest.Database.Broken.Lines(); len(lines) > 0 {
			r.cfg.Logger.Warn("backup carries rows that break the schema", "id", res.Manifest.ID, "broken", strings.Join(lines, "; "))
		}
		r.cfg.Logger.Info("backup made", "id", res.Manifest.ID, "bytes", res.Manifest.Artifact.Bytes, "duration", res.Duration)
	}
	if s.cfg.OnBackup != nil {
		s.cfg.OnBackup(res, err)
	}
}

// Stop ends the schedule, interrupts backups under way and waits for them
// until ctx ends. Stopping twice, or without Start, does nothing.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	work := s.work
	if s.runner != nil {
		s.cancel()
		s.runner = nil
	}
	s.mu.Unlock()
	if work == nil {
		return nil
	}
	done := make(chan struct{})
	go func() {
		work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("backup: a backup is still under way: %w", context.Cause(ctx))
	}
}

// Backup makes a backup now and returns once it has been restored, checked
// and published. It waits for a backup that is already under way, of this
// process or another. The database goes on working meanwhile.
//
// It returns ErrNotRunning outside Start and Stop, ErrLocked when another
// process keeps the store's lock for too long, and a *DamageError when the
// proof fails.
func (s *Service) Backup(ctx context.Context) (Result, error) {
	r, ctx, done, err := s.enter(ctx)
	if err != nil {
		return Result{}, err
	}
	defer done()
	res, err := s.takeTurn(ctx, r, nil)
	if err != nil {
		return res, err
	}
	select {
	case s.wake <- struct{}{}:
	default: // told already
	}
	return res, nil
}

// enter ties ctx to the life of the Service.
func (s *Service) enter(ctx context.Context) (*runner, context.Context, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runner == nil {
		return nil, nil, nil, fmt.Errorf("backup: %w", ErrNotRunning)
	}
	work := s.work
	work.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.base, func() { cancel(fmt.Errorf("stopped: %w", ErrNotRunning)) })
	return s.runner, ctx, func() {
		stop()
		cancel(nil)
		work.Done()
	}, nil
}

func (s *Service) takeTurn(ctx context.Context, r *runner, seen *time.Time) (Result, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return Result{}, fmt.Errorf("backup: %w", context.Cause(ctx))
	}
	defer func() { <-s.turn }()
	res, err := r.backup(ctx, seen)
	if err == nil {
		s.announce()
	}
	return res, stopped(ctx, err)
}

// BackupMade returns a channel that is closed when this Service has made its
// next backup, so that a health check can read its age at once.
func (s *Service) BackupMade() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made
}

func (s *Service) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.made)
	s.made = make(chan struct{})
}

// stopped says so where it was Stop that ended ctx: the engine tells the cause
// of a context without wrapping it.
func stopped(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, ErrNotRunning) || !errors.Is(context.Cause(ctx), ErrNotRunning) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotRunning, err)
}

// LastVerified returns the time of the snapshot in the newest verified backup
// of this database, and false if there is none. It asks the store, so that a
// backup somebody has deleted is not reported for ever.
func (s *Service) LastVerified(ctx context.Context) (time.Time, bool, error) {
	r, ctx, done, err := s.enter(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	defer done()
	return r.lastVerified(ctx)
}

// LastSound is LastVerified for a backup in which no row breaks the schema. It
// is false if the newest verified backup has such rows.
func (s *Service) LastSound(ctx context.Context) (time.Time, bool, error) {
	r, ctx, done, err := s.enter(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	defer done()
	h, err := r.history(ctx)
	if err != nil || h.last == nil || h.last.Database.Broken != nil {
		return time.Time{}, false, err
	}
	return h.last.Times.Snapshot, true, nil
}

func (r *runner) lastVerified(ctx context.Context) (time.Time, bool, error) {
	h, err := r.history(ctx)
	if err != nil || h.last == nil {
		return time.Time{}, false, err
	}
	return h.last.Times.Snapshot, true, nil
}
