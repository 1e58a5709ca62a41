package health_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
)

func TestTheListOfChecksIsStable(t *testing.T) {
	checks, err := health.Builtin(health.Config{
		Backups: backupAt{}, BackupDir: "backups",
		Migrations: func(context.Context, *pool.DB) (int64, int64, error) { return 0, 0, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%-18s %-9s every %-8s within %s\n", c.Name, c.Cost, c.Interval, c.Timeout)
	}
	golden(t, "checks.txt", []byte(b.String()))
	if len(checks) != len(health.BuiltinNames()) {
		t.Errorf("%d checks, %d names", len(checks), len(health.BuiltinNames()))
	}
}

func TestChecksThatNeedTheProgramAreLeftOutWithoutIt(t *testing.T) {
	checks, err := health.Builtin(health.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		switch c.Name {
		case health.BackupAge, health.DiskBackup, health.MigrationVersion:
			t.Errorf("%s is there", c.Name)
		}
	}
}

func TestConfigIsCheckedAndTheErrorNamesTheField(t *testing.T) {
	fine := check("fine", ok)
	for want, cfg := range map[string]health.Config{
		"Jitter 2":                       {Jitter: 2},
		`Disable: no built-in check`:     {Disable: []string{"nonesuch"}},
		`no check is called "nonesuch"`:  {Schedules: map[string]health.Schedule{"nonesuch": {}}},
		`Schedules["fine"]`:              {Checks: []health.Check{fine}, Schedules: map[string]health.Schedule{"fine": {Interval: -1}}},
		`two checks are called "fine"`:   {Checks: []health.Check{fine, fine}},
		`called "quick_check"`:           {Checks: []health.Check{check("quick_check", ok)}},
		`check name "A b"`:               {Checks: []health.Check{check("A b", ok)}},
		"no Run function":                {Checks: []health.Check{{Name: "x"}}},
		"cost 9 is not":                  {Checks: []health.Check{{Name: "x", Cost: 9, Run: fine.Run}}},
		"Interval -1ns":                  {Checks: []health.Check{{Name: "x", Interval: -1, Run: fine.Run}}},
		"Timeout -1ns":                   {Checks: []health.Check{{Name: "x", Timeout: -1, Run: fine.Run}}},
		"BackupFailedAge 1h0m0s":         {BackupDegradedAge: 2 * time.Hour, BackupFailedAge: time.Hour},
		"WALFailedBytes 1 is below":      {WALFailedBytes: 1},
		"DiskDegradedBytes 1 is below":   {DiskDegradedBytes: 1},
		"ProbeWait -1 is negative":       {ProbeWait: -1},
		"QuickCheckBudget -1 is neg":     {QuickCheckBudget: -1},
		"WALDegradedBytes -5 is neg":     {WALDegradedBytes: -5},
		"DiskFailedBytes -5 is negative": {DiskFailedBytes: -5},
	} {
		if _, err := health.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestSchedulesReplaceIntervalsAndTimeouts(t *testing.T) {
	m, err := health.New(health.Config{Schedules: map[string]health.Schedule{
		health.QuickCheck: {Interval: 7 * time.Hour},
		health.FreshRead:  {Timeout: 3 * time.Second},
		health.BackupAge:  {Interval: time.Minute}, // not there, which is no mistake
	}})
	if err != nil {
		t.Fatal(err)
	}
	rep := m.Report()
	if c := find(t, rep, health.QuickCheck); c.Interval != 7*time.Hour || c.Timeout != 5*time.Minute {
		t.Errorf("quick_check: %+v", c)
	}
	if c := find(t, rep, health.FreshRead); c.Interval != 30*time.Second || c.Timeout != 3*time.Second {
		t.Errorf("fresh_read: %+v", c)
	}
	if rep.Status != health.Unknown || rep.State != health.Starting {
		t.Errorf("before Start: %s, %s", rep.Status, rep.State)
	}
}

func TestStatusAndCostAreWordsInJSON(t *testing.T) {
	type both struct {
		S health.Status
		C health.Cost
	}
	for _, v := range []both{{health.Unknown, health.Cheap}, {health.OK, health.Moderate}, {health.Degraded, health.Expensive}, {health.Failed, health.Cheap}} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back both
		if err := json.Unmarshal(text, &back); err != nil || back != v {
			t.Errorf("%s: %+v, %v", text, back, err)
		}
	}
	if _, err := json.Marshal(both{S: 9}); err == nil {
		t.Error("a status without a name was written")
	}
	var v both
	for _, text := range []string{`{"S":"fine"}`, `{"C":"free"}`} {
		if err := json.Unmarshal([]byte(text), &v); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
