package health

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/lidodb/lido/pool"
)

// Status is what is known about one check, or about all of them. The greater
// value is the worse one.
type Status int

const (
	// Unknown: the check has not run yet, or what it looks at cannot be
	// determined here; its reason says which. It is neither good nor bad and
	// makes no Report worse.
	Unknown Status = iota
	// OK: nothing to do.
	OK
	// Degraded: the database serves its callers, and somebody should look at it
	// before it no longer does.
	Degraded
	// Failed: something that the database promises does not hold.
	Failed
)

var statusNames = [...]string{Unknown: "unknown", OK: "ok", Degraded: "degraded", Failed: "failed"}

// String returns the word that JSON and logs use: unknown, ok, degraded, failed.
func (s Status) String() string {
	if s < Unknown || s > Failed {
		return fmt.Sprintf("status %d", int(s))
	}
	return statusNames[s]
}

// MarshalText writes the word of String.
func (s Status) MarshalText() ([]byte, error) {
	if s < Unknown || s > Failed {
		return nil, fmt.Errorf("health: %s has no name", s)
	}
	return []byte(statusNames[s]), nil
}

// UnmarshalText reads what MarshalText writes.
func (s *Status) UnmarshalText(text []byte) error {
	for i, name := range statusNames {
		if name == string(text) {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("health: %q is not a status", text)
}

// Cost says what a check asks of the machine.
type Cost int

const (
	// Cheap: reads counters or asks the file system; it never waits for the
	// database. Runs as soon as the Monitor starts.
	Cheap Cost = iota
	// Moderate: opens a connection, takes the writer, or asks another machine.
	// Runs as soon as the Monitor starts.
	Moderate
	// Expensive: reads the whole database. Expensive checks run one at a time,
	// and first after Config.ExpensiveDelay.
	Expensive
)

var costNames = [...]string{Cheap: "cheap", Moderate: "moderate", Expensive: "expensive"}

// String returns the word that JSON uses: cheap, moderate, expensive.
func (c Cost) String() string {
	if c < Cheap || c > Expensive {
		return fmt.Sprintf("cost %d", int(c))
	}
	return costNames[c]
}

// MarshalText writes the word of String.
func (c Cost) MarshalText() ([]byte, error) {
	if c < Cheap || c > Expensive {
		return nil, fmt.Errorf("health: %s has no name", c)
	}
	return []byte(costNames[c]), nil
}

// UnmarshalText reads what MarshalText writes.
func (c *Cost) UnmarshalText(text []byte) error {
	for i, name := range costNames {
		if name == string(text) {
			*c = Cost(i)
			return nil
		}
	}
	return fmt.Errorf("health: %q is not a cost", text)
}

// Result is what one run of a check found. A Result without a Status and
// without a Reason is a mistake in the check and is recorded as Failed.
type Result struct {
	Status Status
	// Reason says what was found, in one sentence with the numbers in it.
	Reason string
	// Remedy says what a person should do about it. Empty when Status is OK.
	Remedy string
}

// Check is one probe of a database. It is a value: what it remembers from run
// to run lies in its Run function.
type Check struct {
	// Name is the check's name in reports, logs and configuration: lower case
	// letters, digits and underscores, beginning with a letter.
	Name string
	// Cost decides when the check first runs and what it runs beside.
	Cost Cost
	// Interval is the time between the end of one run and the start of the
	// next. Default 1 minute; Config.Jitter spreads it.
	Interval time.Duration
	// Timeout ends the context of Run. A check that has not returned then is
	// Failed, and is not started again before it has. Default 10 seconds.
	Timeout time.Duration
	// Run looks at db. It never runs twice at the same time within a Monitor.
	// A panic in it is a Failed result.
	Run func(ctx context.Context, db *pool.DB) Result
}

const (
	defaultInterval = time.Minute
	defaultTimeout  = 10 * time.Second
)

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// withDefaults returns c complete, or an error that names what is wrong.
func (c Check) withDefaults() (Check, error) {
	switch {
	case !validName.MatchString(c.Name):
		return c, fmt.Errorf("health: check name %q: want lower case letters, digits and underscores", c.Name)
	case c.Run == nil:
		return c, fmt.Errorf("health: check %s has no Run function", c.Name)
	case c.Cost < Cheap || c.Cost > Expensive:
		return c, fmt.Errorf("health: check %s: %s is not a cost class", c.Name, c.Cost)
	case c.Interval < 0:
		return c, fmt.Errorf("health: check %s: Interval %s is negative", c.Name, c.Interval)
	case c.Timeout < 0:
		return c, fmt.Errorf("health: check %s: Timeout %s is negative", c.Name, c.Timeout)
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return c, nil
}

func okay(format string, args ...any) Result {
	return Result{Status: OK, Reason: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) Result {
	return Result{Status: Unknown, Reason: fmt.Sprintf(format, args...)}
}

func degraded(remedy, format string, args ...any) Result {
	return Result{Status: Degraded, Reason: fmt.Sprintf(format, args...), Remedy: remedy}
}

func failed(remedy, format string, args ...any) Result {
	return Result{Status: Failed, Reason: fmt.Sprintf(format, args...), Remedy: remedy}
}
