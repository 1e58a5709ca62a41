package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

// Migrator runs the migrations of a program on a database. It holds nothing
// between calls, and is safe for concurrent use.
type Migrator struct {
	db      *pool.DB
	fsys    fs.FS
	opt     options
	sources []source
}

// Up applies what fsys has and db has not. It is New and Migrator.Up in one;
// schema.Migrate makes a pool.Config.Prepare of it.
func Up(ctx context.Context, db *pool.DB, fsys fs.FS, opts ...Option) (Result, error) {
	m, err := New(db, fsys, opts...)
	if err != nil {
		return Result{}, err
	}
	return m.Up(ctx)
}

// New reads the names of the migrations at the root of fsys; use fs.Sub for
// files in a folder. It does not look at the database. The error matches
// ErrNoMigrations if there are none.
func New(db *pool.DB, fsys fs.FS, opts ...Option) (*Migrator, error) {
	m := &Migrator{db: db, fsys: fsys}
	for _, opt := range opts {
		opt(&m.opt)
	}
	handle := m.open()
	defer handle.Close()
	p, err := m.provider(handle)
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil, none(fsys)
	}
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	m.sources, err = collect(fsys, p.ListSources(), m.opt.goMigrations)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return m, nil
}

// open returns the handle through which one operation runs. Goose closes the
// one it is given, so each operation has its own; it costs nothing.
func (m *Migrator) open() *sql.DB {
	return stdlib.OpenDB(m.db, stdlib.WithSchemaChanges(), stdlib.WithTrace(m.opt.trace))
}

func (m *Migrator) provider(handle *sql.DB) (*goose.Provider, error) {
	s, err := newStore()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectCustom, handle, m.fsys,
		goose.WithStore(s),
		goose.WithDisableGlobalRegistry(true),
		goose.WithGoMigrations(m.opt.goMigrations...),
		goose.WithAllowOutofOrder(m.opt.outOfOrder),
		goose.WithSlog(slog.New(slog.DiscardHandler)),
	)
}

func (m *Migrator) newest() int64 { return m.sources[len(m.sources)-1].Version }

func (m *Migrator) find(version int64) (source, bool) {
	for _, s := range m.sources {
		if s.Version == version {
			return s, true
		}
	}
	return source{}, false
}

// Up applies everything that is pending. When nothing is, it takes no lock and
// writes nothing.
//
// It waits for the lock and for the writer as long as ctx allows. The error is
// a *PartialError when a migration failed, a *NewerError or *OutOfOrderError
// when nothing was tried.
func (m *Migrator) Up(ctx context.Context) (Result, error) {
	return m.timed(ctx, func(ctx context.Context, handle *sql.DB, res *Result) error {
		return m.up(ctx, handle, math.MaxInt64, res)
	})
}

// UpTo is Up as far as version, which must be one of the program's.
func (m *Migrator) UpTo(ctx context.Context, version int64) (Result, error) {
	if _, ok := m.find(version); !ok {
		return Result{}, fmt.Errorf("migrate: up to %d: %w", version, ErrUnknownVersion)
	}
	return m.timed(ctx, func(ctx context.Context, handle *sql.DB, res *Result) error {
		return m.up(ctx, handle, version, res)
	})
}

// Down undoes the migration that was applied last. ErrNothingApplied says that
// there is none, ErrIrreversible that it has no Down section.
func (m *Migrator) Down(ctx context.Context) (Result, error) {
	return m.timed(ctx, func(ctx context.Context, handle *sql.DB, res *Result) error {
		return m.last(ctx, handle, res, false)
	})
}

// Redo undoes the migration that was applied last and applies it again. Those
// are two transactions: if the second fails, the first stays.
func (m *Migrator) Redo(ctx context.Context) (Result, error) {
	return m.timed(ctx, func(ctx context.Context, handle *sql.DB, res *Result) error {
		return m.last(ctx, handle, res, true)
	})
}

// Version returns the highest version that has been applied, or 0. It writes
// nothing and waits for no lock.
func (m *Migrator) Version(ctx context.Context) (int64, error) {
	handle := m.open()
	defer handle.Close()
	st, err := readState(ctx, handle)
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	return st.max, nil
}

// Status lists the migrations of the program and of the database, by version.
// It writes nothing and waits for no lock.
func (m *Migrator) Status(ctx context.Context) (Status, error) {
	handle := m.open()
	defer handle.Close()
	st, err := readState(ctx, handle)
	if err != nil {
		return Status{}, fmt.Errorf("migrate: %w", err)
	}
	return status(m.sources, st), nil
}

// timed runs an operation on a handle of its own.
func (m *Migrator) timed(ctx context.Context, run func(context.Context, *sql.DB, *Result) error) (res Result, err error) {
	start := time.Now()
	handle := m.open()
	err = run(ctx, handle, &res)
	err = errors.Join(err, handle.Close())
	res.Duration = time.Since(start)
	return res, err
}

// plan reads the state and returns what is to be applied, up to target.
func (m *Migrator) plan(ctx context.Context, handle *sql.DB, target int64, res *Result) (state, []source, error) {
	st, err := readState(ctx, handle)
	if err != nil {
		return st, nil, fmt.Errorf("migrate: %w", err)
	}
	pending := st.pending(m.sources)
	res.From, res.To, res.Pending = st.max, st.max, migrations(pending)
	if st.max > m.newest() {
		return st, nil, &NewerError{Database: st.max, Program: m.newest()}
	}
	var todo, missing []source
	for _, s := range pending {
		if s.Version > target {
			continue
		}
		todo = append(todo, s)
		if s.Version < st.max {
			missing = append(missing, s)
		}
	}
	if len(missing) > 0 && !m.opt.outOfOrder {
		return st, nil, &OutOfOrderError{Missing: migrations(missing), Database: st.max}
	}
	return st, todo, nil
}

func (m *Migrator) up(ctx context.Context, handle *sql.DB, target int64, res *Result) (err error) {
	if _, todo, err := m.plan(ctx, handle, target, res); err != nil || len(todo) == 0 {
		return err
	}
	unlock, err := lock(ctx, m.db.Path())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	// Whoever had the lock before may have done the work.
	_, todo, err := m.plan(ctx, handle, target, res)
	if err != nil || len(todo) == 0 {
		return err
	}
	for _, s := range todo {
		if err := m.allowed(s); err != nil {
			return err
		}
	}
	m.log().Info("migrations pending", "path", m.db.Path(), "from", res.From, "to", todo[len(todo)-1].Version, "count", len(todo))
	if err := m.backUp(ctx, handle, res); err != nil {
		return err
	}
	p, err := m.provider(handle)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	applied, err := p.UpTo(ctx, target)
	return m.record(ctx, handle, res, applied, err)
}

// last undoes what was applied last, and applies it again if redo is set.
func (m *Migrator) last(ctx context.Context, handle *sql.DB, res *Result, redo bool) (err error) {
	unlock, err := lock(ctx, m.db.Path())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	st, err := readState(ctx, handle)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	res.From, res.To, res.Pending = st.max, st.max, migrations(st.pending(m.sources))
	if st.max > m.newest() {
		return &NewerError{Database: st.max, Program: m.newest()}
	}
	if len(st.order) == 0 {
		return fmt.Errorf("migrate: down: %w", ErrNothingApplied)
	}
	version := st.order[0]
	s, ok := m.find(version)
	if !ok {
		return fmt.Errorf("migrate: down: version %d was applied last: %w", version, ErrUnknownVersion)
	}
	if !s.down {
		return fmt.Errorf("migrate: down: %s: %w", s, ErrIrreversible)
	}
	if err := m.allowed(s); err != nil {
		return err
	}
	if err := m.backUp(ctx, handle, res); err != nil {
		return err
	}
	p, err := m.provider(handle)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	down, err := p.ApplyVersion(ctx, version, false)
	if err := m.record(ctx, handle, res, results(down), err); err != nil {
		return err
	}
	res.To = st.without(version)
	if !redo {
		return nil
	}
	up, err := p.ApplyVersion(ctx, version, true)
	return m.record(ctx, handle, res, results(up), err)
}

// allowed refuses what goose cannot read, and what cannot be undone by
// a rollback.
func (m *Migrator) allowed(s source) error {
	if s.unmarked {
		return fmt.Errorf("migrate: %s: %w", s, ErrUnmarked)
	}
	if !s.noTransaction || m.opt.noTransaction {
		return nil
	}
	return fmt.Errorf("migrate: %s: %w, so a failure would leave it half done; "+
		"foreign keys are off during every migration anyway, and WithUnsafeNoTransaction allows it all the same", s, ErrNoTransaction)
}

// backUp calls what WithBackup names, if there is anything to lose.
func (m *Migrator) backUp(ctx context.Context, handle *sql.DB, res *Result) error {
	if m.opt.backup == nil {
		return nil
	}
	rows, err := holdsRows(ctx, handle)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if !rows {
		return nil
	}
	start := time.Now()
	if err := m.opt.backup(ctx); err != nil {
		return fmt.Errorf("migrate: nothing was done, for the backup before it failed: %w", err)
	}
	res.BackedUp = true
	m.log().Info("backed up before migrating", "path", m.db.Path(), "duration", time.Since(start))
	return nil
}

// log is the pool's logger: migrations run at the start of a program, where
// their Result reaches nothing that lasts.
func (m *Migrator) log() *slog.Logger { return m.db.Config().Logger }

// lookTimeout bounds the look at what an operation has left, which is made
// even when its context has ended.
const lookTimeout = 10 * time.Second

// kept tells what of applied the database has, and the first that it has not.
// Goose counts what ran; a migration that runs outside of a transaction can
// begin one and never commit it.
func (m *Migrator) kept(ctx context.Context, handle *sql.DB, applied []*goose.MigrationResult) (kept []*goose.MigrationResult, lost *goose.MigrationResult, err error) {
	if len(applied) == 0 {
		return nil, nil, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	st, err := readState(ctx, handle)
	if err != nil {
		return applied, nil, fmt.Errorf("migrate: look at what was applied: %w", err)
	}
	for _, r := range applied {
		_, there := st.at[r.Source.Version]
		switch {
		case there == (Direction(r.Direction) == DirectionUp):
			kept = append(kept, r)
		case lost == nil:
			lost = r
		}
	}
	return kept, lost, nil
}

// record adds to res what goose reports, as far as the database bears it out,
// and turns goose's error into ours.
func (m *Migrator) record(ctx context.Context, handle *sql.DB, res *Result, applied []*goose.MigrationResult, err error) error {
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		applied = partial.Applied
	}
	applied, lost, lookErr := m.kept(ctx, handle, applied)
	for _, r := range applied {
		s := m.step(r)
		res.Applied = append(res.Applied, s)
		m.log().Info("migration applied", "path", m.db.Path(), "migration", s.Migration.String(),
			"direction", string(s.Direction), "duration", s.Duration)
		switch s.Direction {
		case DirectionUp:
			res.To = max(res.To, s.Version)
			res.Pending = without(res.Pending, s.Version)
		case DirectionDown:
			res.Pending = append(res.Pending, s.Migration)
			sortByVersion(res.Pending)
		}
	}
	failed, why := lost, error(ErrNotCommitted)
	switch {
	case lost != nil && partial != nil:
		why = fmt.Errorf("%w; then %s failed: %w", why, m.step(partial.Failed).Migration, cause(ctx, partial.Err))
	case lost != nil && err != nil:
		why = fmt.Errorf("%w; then: %w", why, err)
	case partial != nil:
		failed, why = partial.Failed, cause(ctx, partial.Err)
	}
	switch {
	case failed != nil:
		step := m.step(failed)
		pending := res.Pending
		if step.Direction == DirectionUp {
			pending = without(pending, step.Version)
		}
		return and(&PartialError{Applied: res.Applied, Failed: step, Pending: pending, Err: why}, lookErr)
	case err != nil:
		return and(fmt.Errorf("migrate: %w", err), lookErr)
	}
	return lookErr
}

// and joins what went wrong besides to err, which stays itself if nothing did.
func and(err, other error) error {
	if other == nil {
		return err
	}
	return errors.Join(err, other)
}

func (m *Migrator) step(r *goose.MigrationResult) Step {
	s, _ := m.find(r.Source.Version)
	s.Version = r.Source.Version
	return Step{Migration: s.Migration, Direction: Direction(r.Direction), Duration: r.Duration, Empty: r.Empty}
}
