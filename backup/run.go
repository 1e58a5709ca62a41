package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/lidodb/lido/sqlite"
)

// source is what a backup needs of a database; *pool.DB gives it.
type source interface {
	Path() string
	OpenConn(ctx context.Context) (*sqlite.Conn, error)
}

// runner makes backups of one database.
type runner struct {
	cfg      Config // with defaults
	src      source
	walBytes func() int64
}

// cleanupTimeout bounds the removal of a backup that failed.
const cleanupTimeout = 30 * time.Second

// errNotDue: another process made a backup while this one waited for the lock.
var errNotDue = errors.New("a newer backup exists")

// name is the database's name in manifests.
func (r *runner) name() string {
	if r.cfg.Name != "" {
		return r.cfg.Name
	}
	return filepath.Base(r.src.Path())
}

// scratch is the folder for plain copies.
func (r *runner) scratch() string {
	if r.cfg.ScratchDir != "" {
		return r.cfg.ScratchDir
	}
	return r.src.Path() + scratchSuffix
}

// validate finds what only shows beside a database.
func (r *runner) validate() error {
	if path := r.src.Path(); r.cfg.ScratchDir == "" && (path == "" || path == ":memory:") {
		return errors.New("backup: an in-memory database has no folder for scratch files; set Config.ScratchDir")
	}
	if name := r.name(); !validBaseName(name) {
		return fmt.Errorf("backup: the database's name %.80q cannot be recorded; set Config.Name", name)
	}
	return nil
}

// backup makes one backup. With seen it returns errNotDue if there is one by
// now that is newer than seen.
func (r *runner) backup(ctx context.Context, seen *time.Time) (res Result, err error) {
	begin := time.Now()
	m := &Manifest{Times: Times{Started: utcNow()}}
	held, unlock, err := r.lock(ctx)
	if err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := r.number(held, m, seen); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	if err := r.make(held, m); err != nil {
		return res, fmt.Errorf("backup: %w", errors.Join(err, r.discard(ctx, m)))
	}
	res.Manifest = m
	r.cfg.Progress.report(PhasePrune, 0, 0)
	res.Pruned, res.PruneErr = prune(held, r.cfg.Store, r.cfg.Keep, m.Database.ID, now())
	res.Duration = time.Since(begin)
	return res, nil
}

// lock takes the store's lock. Another backup may be at work under it.
func (r *runner) lock(ctx context.Context) (context.Context, func() error, error) {
	r.cfg.Progress.report(PhaseLock, 0, 0)
	// The lock outlives the wait for it, so the wait has a context of its own
	// that must not end the work.
	type answer struct {
		held   context.Context
		unlock func() error
		err    error
	}
	work, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(r.cfg.LockTimeout, func() {
		cancel(fmt.Errorf("waited %v for the lock (Config.LockTimeout); another process makes a backup, or hangs: %w",
			r.cfg.LockTimeout, ErrLocked))
	})
	var a answer
	a.held, a.unlock, a.err = r.cfg.Store.Lock(work)
	if !timer.Stop() && a.err == nil { // got it in the moment of giving up
		a.err = errors.Join(context.Cause(work), a.unlock())
	}
	if a.err != nil {
		cancel(nil)
		return nil, nil, fmt.Errorf("lock store: %w", a.err)
	}
	return a.held, func() error {
		defer cancel(nil)
		return a.unlock()
	}, nil
}

// number gives the new backup its place among those in the store.
func (r *runner) number(ctx context.Context, m *Manifest, seen *time.Time) error {
	h, err := r.history(ctx)
	if err != nil {
		return err
	}
	m.Format, m.Version = ManifestFormat, ManifestVersion
	m.Sequence = h.sequence + 1
	if m.Sequence > maxSequence {
		return fmt.Errorf("the store has used up its sequence numbers (%d); use a new one", h.sequence)
	}
	m.ID = newID(m.Sequence, m.Times.Started)
	m.Database.ID = randomHex(16)
	if h.last != nil {
		if seen != nil && h.last.Times.Snapshot.After(*seen) {
			return errNotDue
		}
		m.Database.ID = h.last.Database.ID
	}
	return nil
}

// make takes the backup through all its phases up to the manifest, which is
// what makes it count.
func (r *runner) make(ctx context.Context, m *Manifest) (err error) {
	run, err := newScratchRun(r.scratch())
	if err != nil {
		return fmt.Errorf("scratch folder (another by Config.ScratchDir, --scratch): %w", err)
	}
	defer func() { err = errors.Join(err, run.close()) }()

	plain := run.path("copy.db")
	if err := r.copy(ctx, m, plain); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	m.Artifact = ArtifactInfo{Name: m.ID + artifactSuffix, Compression: compressionZstd}
	m.Checksums = PagesInfo{Name: m.ID + pagesSuffix, Algorithm: algorithmSHA256h}
	r.cfg.Progress.report(PhasePack, 0, m.Database.PageSize*m.Database.PageCount)
	if err := pack(ctx, r.cfg.Store, plain, m, run, r.cfg.Progress); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	// The proof reads what was published and nothing else, and two plain
	// copies at once would need twice the room.
	if err := os.Remove(plain); err != nil {
		return err
	}
	if err := r.prove(ctx, m, run); err != nil {
		return err
	}
	m.Times.Verified = utcNow()
	return r.publish(ctx, m)
}

// copy writes one snapshot of the live database to path, 0600.
func (r *runner) copy(ctx context.Context, m *Manifest, path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	src, err := r.src.OpenConn(ctx)
	if err != nil {
		return err
	}
	// Closing ends the transaction, and with it the hold on the WAL.
	defer func() { err = errors.Join(err, src.Close()) }()
	if err := src.Begin(ctx, sqlite.Deferred); err != nil {
		return err
	}
	m.Times.Snapshot = utcNow() // before the first read, which pins the snapshot
	facts, err := inspect(ctx, src, r.cfg.MigrationTable)
	if err != nil {
		return err
	}
	facts.ID, facts.Name, facts.Source = m.Database.ID, r.name(), sourceName(r.src.Path())
	origin := originOf(r.src.Path())
	facts.Origin = &origin
	facts.PageCount = max(facts.PageCount, 1) // the copy of an empty file has its first page
	m.Database = facts

	dst, err := sqlite.Open(ctx, path, sqlite.Options{Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "memory"}, // nobody needs the copy after a crash
		{Name: "synchronous", Value: "0"},
	}})
	if err != nil {
		return err
	}
	p := &pace{ctx: ctx, cfg: &r.cfg, walBytes: r.walBytes, begin: time.Now(), wal: r.walBytes()}
	err = src.Backup(ctx, dst, sqlite.BackupOptions{PagesPerStep: r.cfg.StepPages, Progress: p.step})
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	m.Times.Copied = utcNow()
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if want := facts.PageSize * facts.PageCount; info.Size() != want {
		return fmt.Errorf("the copy has %d bytes, the snapshot %d", info.Size(), want)
	}
	return nil
}

// pace rests between the steps of a copy, so that writers hardly notice it,
// until the copy has held its snapshot for too long: then it runs through.
type pace struct {
	ctx      context.Context
	cfg      *Config
	walBytes func() int64
	begin    time.Time
	wal      int64
	hurry    bool
}

// step is called by the engine's loop after each step.
func (p *pace) step(remaining, total int) {
	p.cfg.Progress.report(PhaseCopy, int64(total-remaining), int64(total))
	if remaining == 0 || p.hurry || p.cfg.StepPause <= 0 {
		return
	}
	if time.Since(p.begin) > p.cfg.PaceTimeout || p.walBytes()-p.wal > p.cfg.PaceWALBytes {
		p.hurry = true
		return
	}
	timer := time.NewTimer(p.cfg.StepPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}

// prove restores the published form and checks it.
func (r *runner) prove(ctx context.Context, m *Manifest, run *scratchRun) error {
	_, err := stage(ctx, r.cfg.Store, m, run.path("proof.db"), stageOptions{
		limits: r.cfg.Limits, onConnect: r.cfg.OnConnect, progress: r.cfg.Progress,
		withSums: true, record: true,
	})
	var damage *DamageError
	if errors.As(err, &damage) && damage.Check == checkNameIntegrity {
		damage.Source = true // every byte was found equal to the copy
	}
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	return nil
}

// publish writes the manifest and reads it back.
func (r *runner) publish(ctx context.Context, m *Manifest) error {
	r.cfg.Progress.report(PhasePublish, 0, 0)
	m.Tools = tools()
	data, err := m.Encode()
	if err != nil {
		return err
	}
	if err := putBytes(ctx, r.cfg.Store, m.ID+manifestSuffix, data); err != nil {
		return fmt.Errorf("put manifest: %w", err)
	}
	if _, err := readManifest(ctx, r.cfg.Store, m.ID); err != nil {
		return fmt.Errorf("read manifest back: %w", err)
	}
	return nil
}

// discard removes what a failed backup has published, on a context of its own
// since the caller's may be what ended it.
func (r *runner) discard(ctx context.Context, m *Manifest) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	e := &Entry{ID: m.ID, names: []string{m.ID + artifactSuffix, m.ID + pagesSuffix}}
	if err := removeEntry(ctx, r.cfg.Store, e); err != nil {
		return fmt.Errorf("remove what the failed backup left: %w", err)
	}
	return nil
}

// tools names what this program is made of.
func tools() Tools {
	t := Tools{
		Lido:         "unknown",
		SQLite:       sqlite.Version(),
		SQLiteSource: sqlite.SourceID(),
		Go:           runtime.Version(),
		Platform:     runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return t
	}
	const module = "github.com/lidodb/lido"
	for _, mod := range append(info.Deps, &info.Main) {
		if mod.Path == module && mod.Version != "" {
			t.Lido = mod.Version
		}
	}
	return t
}

// utcNow is the time as manifests record it.
func utcNow() time.Time { return now().UTC() }
