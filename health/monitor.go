package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lidodb/lido/pool"
)

// settleGrace is what a check gets beyond its timeout to return its own result.
// The engine needs up to a second to notice an interrupt in the middle of a
// count or an index.
const settleGrace = time.Second

// Monitor runs checks on a schedule and remembers what they found. It is a
// pool.Service: put it into pool.Config.Services. It is safe for concurrent
// use. Make one with New.
type Monitor struct {
	cfg Config
	log *slog.Logger

	mu       sync.Mutex
	entries  []*entry // sorted by name; the slice itself never changes
	run      *run     // guarded by mu; nil before Start and after Stop
	last     *run     // guarded by mu; the run that Stop ended, until it is joined
	started  bool     // guarded by mu; Start has succeeded once
	draining bool     // guarded by mu; Drain was called, which nothing undoes
	holds    []*State // guarded by mu; what Hold has set, oldest first
}

// entry is one check and what is known of it. Monitor.mu guards all but check.
type entry struct {
	check    Check
	result   Result
	since    time.Time
	lastRun  time.Time
	duration time.Duration
	runs     int64
	failures int64
	next     time.Time // zero while a flight is on, or nothing is scheduled
	again    bool      // what the flight looks at has changed since it began
	flight   *flight   // the run that has not returned
}

// flight is one run of a check, from its start to the return of Check.Run.
type flight struct {
	settled bool          // guarded by Monitor.mu; the result has been taken
	done    chan struct{} // closed when the result is recorded and told
}

// run is the Monitor's life from one Start to the Stop that ends it.
type run struct {
	db     *pool.DB
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // tells the owner that an entry.next has changed
	heavy  chan struct{} // held by the one Expensive check that runs
	joined chan struct{} // closed when every goroutine of the run has ended
	wg     sync.WaitGroup
}

// New makes a Monitor that runs the built-in checks and those of cfg. It
// touches no database. An error names the field of Config and its value.
func New(cfg Config) (*Monitor, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	checks, err := cfg.checks()
	if err != nil {
		return nil, err
	}
	m := &Monitor{cfg: cfg, log: cfg.Logger}
	now := time.Now()
	for _, c := range checks {
		m.entries = append(m.entries, &entry{
			check: c, since: now,
			result: Result{Status: Unknown, Reason: "has not run yet"},
		})
	}
	return m, nil
}

// Start begins to run the checks on db and returns at once; ctx does not bound
// the Monitor's life, Stop ends it. A Monitor may be started again after Stop;
// started twice it returns ErrStarted.
func (m *Monitor) Start(ctx context.Context, db *pool.DB) error {
	if db == nil {
		return errors.New("health: Start without a database")
	}
	return m.start(ctx, db)
}

func (m *Monitor) start(ctx context.Context, db *pool.DB) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run != nil {
		return ErrStarted
	}
	r := &run{
		db:     db,
		wake:   make(chan struct{}, 1),
		heavy:  make(chan struct{}, 1),
		joined: make(chan struct{}),
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	now := time.Now()
	for _, e := range m.entries {
		e.next = now
		if e.check.Cost == Expensive {
			e.next = now.Add(m.jitter(m.cfg.ExpensiveDelay))
		}
	}
	m.run, m.started = r, true
	r.wg.Add(1)
	go m.own(r)
	return nil
}

// Stop ends the schedule, cancels the checks that run, and waits for their
// goroutines until ctx ends; then it returns ErrStuck with the names of those
// that have not returned. What a cancelled check says is not recorded. Stop
// without Start, or again, is fine; again it waits for what is still left.
func (m *Monitor) Stop(ctx context.Context) error {
	m.mu.Lock()
	r := m.run
	if r == nil {
		r = m.last
	} else {
		m.run, m.last = nil, r
		for _, e := range m.entries {
			e.next = time.Time{}
		}
		r.cancel()
		go func() { // ends with the run: it is the join
			r.wg.Wait()
			close(r.joined)
		}()
	}
	m.mu.Unlock()
	if r == nil {
		return nil
	}
	select {
	case <-r.joined:
		return nil
	default:
	}
	select {
	case <-r.joined:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %s: %w", ErrStuck, strings.Join(m.inFlight(), ", "), context.Cause(ctx))
	}
}

// inFlight names the checks that have not returned.
func (m *Monitor) inFlight() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, e := range m.entries {
		if e.flight != nil {
			names = append(names, e.check.Name)
		}
	}
	return names
}

// own starts checks when they are due. It is the one goroutine that lives as
// long as the run does.
func (m *Monitor) own(r *run) {
	defer r.wg.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	notifier, _ := m.cfg.Backups.(BackupNotifier)
	var made <-chan struct{} // nil, and so never ready, without a notifier
	if notifier != nil {
		made = notifier.BackupMade()
	}
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-made:
			made = notifier.BackupMade() // before the check asks: no backup falls between
			m.hasten(r, BackupAge)
		case <-r.wake:
		case <-timer.C:
		}
		if wait, ok := m.launchDue(r); ok {
			timer.Reset(wait)
		}
	}
}

// hasten makes a check due now, or once more when it is running.
func (m *Monitor) hasten(r *run, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(name)
	switch {
	case m.run != r || e == nil: // stopped, or disabled
	case e.flight != nil:
		e.again = true
	default:
		e.next = time.Now()
	}
}

// launchDue starts what is due and says how long it is until the next check is.
func (m *Monitor) launchDue(r *run) (wait time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run != r {
		return 0, false
	}
	now := time.Now()
	for _, e := range m.entries {
		if e.flight != nil || e.next.IsZero() {
			continue
		}
		if !e.next.After(now) {
			m.launch(r, e)
			continue
		}
		if d := e.next.Sub(now); !ok || d < wait {
			wait, ok = d, true
		}
	}
	return wait, ok
}

// launch starts a run of e, or returns the one that is on. Monitor.mu is held.
func (m *Monitor) launch(r *run, e *entry) *flight {
	if e.flight == nil {
		e.flight = &flight{done: make(chan struct{})}
		e.next = time.Time{}
		r.wg.Add(1)
		go m.fly(r, e, e.flight)
	}
	return e.flight
}

// fly runs a check once, on a goroutine of its own.
//
// The check may ignore its context. A timer then records the timeout in its
// place, and the flight stays on until the check returns after all, so that it
// never runs beside itself.
func (m *Monitor) fly(r *run, e *entry, f *flight) {
	defer r.wg.Done()
	defer m.land(r, e)

	release := func() {}
	if e.check.Cost == Expensive {
		select {
		case r.heavy <- struct{}{}:
			release = sync.OnceFunc(func() { <-r.heavy })
		case <-r.ctx.Done():
			m.settle(r, e, f, outcome{})
			return
		}
	}
	defer release()

	ctx, cancel := context.WithTimeoutCause(r.ctx, e.check.Timeout, errTimeout)
	defer cancel()
	began := time.Now()
	r.wg.Add(1)
	overdue := time.AfterFunc(e.check.Timeout+settleGrace, func() {
		defer r.wg.Done()
		release() // a stuck check does not hold up the others
		m.settle(r, e, f, outcome{
			took: time.Since(began),
			result: failed(remedyLook,
				"did not return within its timeout of %s, and is still running", e.check.Timeout),
		})
	})
	// Deferred, because runtime.Goexit in a check passes through here.
	out := outcome{result: failed(remedyAuthor, "ended its goroutine without a result")}
	defer func() {
		out.took = time.Since(began)
		if overdue.Stop() {
			r.wg.Done()
		} else {
			<-f.done
		}
		m.settle(r, e, f, out)
	}()
	out = call(ctx, e.check, r.db)
}

// outcome is what a run gave.
type outcome struct {
	result Result
	took   time.Duration
	stack  []byte // of a panic
}

// call runs a check and turns everything that is not a result into one.
func call(ctx context.Context, c Check, db *pool.DB) (out outcome) {
	defer func() {
		if v := recover(); v != nil {
			out.stack = debug.Stack()
			out.result = failed(remedyAuthor+"; its stack is in the log", "panicked: %v", v)
		}
	}()
	out.result = c.Run(ctx, db)

	timedOut := errors.Is(context.Cause(ctx), errTimeout)
	switch r := out.result; {
	case timedOut && (r.Status == Failed || r.Status == Unknown):
		reason := fmt.Sprintf("did not finish within its timeout of %s", c.Timeout)
		if r.Reason != "" {
			reason += ": " + r.Reason
		}
		remedy := r.Remedy
		if remedy == "" {
			remedy = remedyLook
		}
		out.result = Result{Status: Failed, Reason: reason, Remedy: remedy}
	case r.Status == Unknown && r.Reason == "", r.Status < Unknown, r.Status > Failed:
		out.result = failed(remedyAuthor, "returned a result without a status")
	case r.Status != OK && r.Reason == "":
		out.result.Reason = "the check gave no reason"
	}
	return out
}

// settle records the outcome of a flight once and tells of a change. What comes
// after Stop is the work of the cancellation, and is dropped.
func (m *Monitor) settle(r *run, e *entry, f *flight, out outcome) {
	m.mu.Lock()
	if f.settled {
		m.mu.Unlock()
		return
	}
	f.settled = true
	defer close(f.done)
	if r.ctx.Err() != nil {
		m.mu.Unlock()
		return
	}
	now := time.Now()
	change := Change{
		Check: e.check.Name, From: e.result.Status, To: out.result.Status,
		Result: out.result, Time: now, Lasted: now.Sub(e.since),
	}
	first := e.runs == 0
	e.result, e.lastRun, e.duration = out.result, now, out.took
	e.runs++
	if change.From != change.To {
		e.since = now
	}
	if change.To == Failed {
		e.failures++
	} else {
		e.failures = 0
	}
	m.mu.Unlock()

	if change.From == change.To || first && change.To == OK {
		return
	}
	m.tell(change, out.stack)
}

// tell logs a change and hands it to the hook.
func (m *Monitor) tell(c Change, stack []byte) {
	level := slog.LevelInfo
	switch c.To {
	case Degraded:
		level = slog.LevelWarn
	case Failed:
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("check", c.Check),
		slog.String("from", c.From.String()),
		slog.String("to", c.To.String()),
		slog.String("reason", c.Result.Reason),
	}
	if c.Result.Remedy != "" {
		attrs = append(attrs, slog.String("remedy", c.Result.Remedy))
	}
	if stack != nil {
		attrs = append(attrs, slog.String("stack", string(stack)))
	}
	ctx := context.Background()
	m.log.LogAttrs(ctx, level, "health check changed", attrs...)
	if m.cfg.OnChange == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			m.log.LogAttrs(ctx, slog.LevelError, "health: OnChange panicked",
				slog.String("check", c.Check), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
		}
	}()
	m.cfg.OnChange(c)
}

// land ends a flight and schedules the next one.
func (m *Monitor) land(r *run, e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.flight = nil
	if m.run == r {
		e.next = time.Now().Add(m.jitter(e.check.Interval))
		if e.again {
			e.next = time.Now()
		}
	}
	e.again = false
	if m.run != nil { // not always r: Stop may have given up on this flight
		select {
		case m.run.wake <- struct{}{}:
		default:
		}
	}
}

// jitter spreads d by Config.Jitter to either side.
func (m *Monitor) jitter(d time.Duration) time.Duration {
	return d + time.Duration(float64(d)*m.cfg.Jitter*(2*rand.Float64()-1))
}

// Run runs the named checks now, all of them without names, and returns what
// they found. A check that is already running is waited for, not started
// twice; one that is stuck gives its last result at once. When ctx ends first,
// Run returns what is known so far and the context's error; the checks go on
// and are recorded.
//
// It returns ErrUnknownCheck for a name that no check has, and ErrNotStarted
// before Start and after Stop.
func (m *Monitor) Run(ctx context.Context, names ...string) (Report, error) {
	m.mu.Lock()
	r := m.run
	if r == nil {
		m.mu.Unlock()
		return Report{}, ErrNotStarted
	}
	chosen := m.entries
	if len(names) > 0 {
		chosen = nil
		for _, name := range names {
			e := m.entry(name)
			if e == nil {
				m.mu.Unlock()
				return Report{}, fmt.Errorf("%w: %q", ErrUnknownCheck, name)
			}
			if !slices.Contains(chosen, e) {
				chosen = append(chosen, e)
			}
		}
	}
	var flights []*flight
	for _, e := range chosen {
		flights = append(flights, m.launch(r, e))
	}
	m.mu.Unlock()

	var err error
	for _, f := range flights {
		select {
		case <-f.done:
			continue
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		break
	}
	if err == nil && r.ctx.Err() != nil {
		err = ErrNotStarted // stopped meanwhile: the results are old ones
	}
	return m.report(chosen), err
}

// entry finds a check by name.
func (m *Monitor) entry(name string) *entry {
	for _, e := range m.entries {
		if e.check.Name == name {
			return e
		}
	}
	return nil
}

// Report returns what is known now. It waits for nothing.
func (m *Monitor) Report() Report { return m.report(m.entries) }

func (m *Monitor) report(entries []*entry) Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	rep := Report{State: m.state(), Time: time.Now().UTC(), Checks: make([]CheckReport, 0, len(entries))}
	for _, e := range entries {
		rep.Checks = append(rep.Checks, CheckReport{
			Name: e.check.Name, Cost: e.check.Cost,
			Status: e.result.Status, Reason: e.result.Reason, Remedy: e.result.Remedy,
			Since: e.since.UTC(), LastRun: utc(e.lastRun), Duration: e.duration,
			NextRun: utc(e.next), Running: e.flight != nil,
			RunCount: e.runs, ConsecutiveFailures: e.failures,
			Interval: e.check.Interval, Timeout: e.check.Timeout,
		})
	}
	slices.SortFunc(rep.Checks, func(a, b CheckReport) int { return strings.Compare(a.Name, b.Name) })
	rep.Status = worst(rep.Checks)
	return rep
}

// utc leaves the zero time as it is, which UTC would give a location.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// State returns what /readyz goes by. It waits for nothing and touches no
// database.
func (m *Monitor) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state()
}

// state is State with Monitor.mu held.
func (m *Monitor) state() State {
	switch {
	case m.draining:
		return Draining
	case m.run == nil && m.started:
		return Stopped
	case len(m.holds) > 0:
		return *m.holds[len(m.holds)-1]
	case m.run == nil:
		return Starting
	case closing(m.run.db):
		return Draining
	}
	return Ready
}

// closing reports that the pool's Close has begun; it asks no connection.
func closing(db *pool.DB) bool {
	if db == nil {
		return false
	}
	select {
	case <-db.Done():
		return true
	default:
		return false
	}
}

// Drain turns /readyz to 503 at once and for good, so that load balancers send
// no more work. Call it when the program is told to end, before the HTTP
// server and the pool are closed. The checks go on.
func (m *Monitor) Drain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.draining = true
}

// Hold keeps /readyz at 503 with the state Starting, Migrating or Restoring
// until release is called. A program that has work to do between pool.Open and
// its first answer holds Starting until it serves: the Monitor is Ready as soon
// as the pool is.
//
// Holds nest: the latest one that still stands is the one reported. Calling
// release again does nothing. Any other state is a programmer's mistake and
// panics.
func (m *Monitor) Hold(s State) (release func()) {
	if s != Starting && s != Migrating && s != Restoring {
		panic(fmt.Sprintf("health: Hold(%q): only Starting, Migrating and Restoring can be held", s))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	hold := &s
	m.holds = append(m.holds, hold)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.holds = slices.DeleteFunc(m.holds, func(h *State) bool { return h == hold })
	}
}
