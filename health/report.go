package health

import "time"

// Report is a snapshot of a Monitor. Its JSON field names are stable.
type Report struct {
	// Status is the worst status of the checks in the report. Checks whose
	// status is Unknown do not count, unless all of them are.
	Status Status `json:"status"`
	// State says whether the database takes work.
	State State `json:"state"`
	// Time is when the snapshot was taken.
	Time time.Time `json:"time"`
	// Checks are sorted by name.
	Checks []CheckReport `json:"checks"`
}

// CheckReport is the last result of one check and what led to it.
type CheckReport struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy,omitempty"`
	Cost   Cost   `json:"cost"`
	// Since is when the check came to its present status: for an Unknown one
	// that never ran, when the Monitor was made.
	Since time.Time `json:"since"`
	// LastRun is when the last run that gave a result ended, and Duration how
	// long it took. A check that never ran has neither.
	LastRun  time.Time     `json:"last_run,omitzero"`
	Duration time.Duration `json:"duration_ns"`
	// NextRun is when the check is due; zero while it runs or the Monitor does not.
	NextRun time.Time `json:"next_run,omitzero"`
	// Running reports that a run has not returned yet.
	Running bool `json:"running"`
	// RunCount counts the runs that gave a result.
	RunCount int64 `json:"run_count"`
	// ConsecutiveFailures counts the runs in a row that were Failed.
	ConsecutiveFailures int64 `json:"consecutive_failures"`
	// Interval and Timeout are the schedule in force.
	Interval time.Duration `json:"interval_ns"`
	Timeout  time.Duration `json:"timeout_ns"`
}

// Check returns the report of the check with the given name.
func (r Report) Check(name string) (CheckReport, bool) {
	for _, c := range r.Checks {
		if c.Name == name {
			return c, true
		}
	}
	return CheckReport{}, false
}

// worst is the status of a report that holds checks.
func worst(checks []CheckReport) Status {
	s := Unknown
	for _, c := range checks {
		s = max(s, c.Status)
	}
	return s
}

// State says whether the database behind a Monitor takes work. Only the state
// decides what /readyz answers.
type State string

// The states of a Monitor. Ready is the only one in which /readyz answers 200.
const (
	// Starting: Start has not been called, or the program holds the state until
	// it serves. Migrations in pool.Config.Prepare run in this state.
	Starting State = "starting"
	// Ready: Start has returned, and no Hold stands.
	Ready State = "ready"
	// Migrating and Restoring last from Hold to the release it returned.
	Migrating State = "migrating"
	Restoring State = "restoring"
	// Draining: Drain was called, or the pool is closing.
	Draining State = "draining"
	// Stopped: Stop was called after Start.
	Stopped State = "stopped"
)

// Change is a check that went from one status to another.
type Change struct {
	Check    string
	From, To Status
	// Result is the one that brought the change.
	Result Result
	// Time is when it came, and Lasted how long the old status had been so.
	Time   time.Time
	Lasted time.Duration
}
