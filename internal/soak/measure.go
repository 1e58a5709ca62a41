package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// sample is what is left of a cycle when all is quiet.
type sample struct {
	heap, rss, goroutines, descriptors, wal, peakWAL int64
}

// rest waits until all is quiet, holds the database against what was
// acknowledged, and measures.
func (s *soak) rest(ctx context.Context) (m sample, err error) {
	err = within(20*time.Second, func() error {
		st := s.db.Stat()
		switch {
		case st.Readers.InUse+st.Writer.InUse+st.Readers.Constructing+st.Writer.Constructing > 0:
			return fmt.Errorf("connections are in use while nobody works: %+v", st)
		case st.WALBytes > 0:
			return fmt.Errorf("the WAL holds %d bytes while nobody works: %+v", st.WALBytes, st)
		}
		return nil
	})
	if err != nil {
		return m, err
	}
	sum, err := number(ctx, s.db, total)
	n, err2 := number(ctx, s.db, written)
	if err := errors.Join(err, err2); err != nil {
		return m, err
	}
	if sum != accounts*1000 {
		return m, fmt.Errorf("the balances add up to %d, not to %d: half a transfer was kept", sum, accounts*1000)
	}
	if want := s.acknowledged.Load(); n != want {
		return m, fmt.Errorf("%d single writes are in the file, %d were acknowledged", n, want)
	}

	debug.FreeOSMemory() // collects first
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	m.heap = int64(mem.HeapAlloc)
	m.rss = residentBytes()
	m.goroutines = int64(runtime.NumGoroutine())
	m.descriptors = openDescriptors()
	m.wal = s.db.Stat().WALBytes
	m.peakWAL = s.peakWAL.Load()
	return m, nil
}

// residentBytes is -1 where the system does not tell.
//
// https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return -1
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return -1
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return -1
	}
	return pages * int64(os.Getpagesize())
}

func openDescriptors() int64 {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return int64(len(entries))
}

// figure is what is compared, and by how much the last third of the cycles may
// be above the first.
type figure struct {
	name   string
	of     func(m sample) int64
	unit   int64
	factor float64
	extra  int64
}

var figures = []figure{
	{"heap after a collection, KB", func(m sample) int64 { return m.heap }, 1024, 1.1, 512 << 10},
	{"resident memory, MB", func(m sample) int64 { return m.rss }, 1 << 20, 1.15, 8 << 20},
	{"goroutines", func(m sample) int64 { return m.goroutines }, 1, 1, 0},
	{"descriptors", func(m sample) int64 { return m.descriptors }, 1, 1, 0},
	{"WAL while all is quiet, KB", func(m sample) int64 { return m.wal }, 1024, 1, 0},
	{"WAL at its longest, MB", func(m sample) int64 { return m.peakWAL }, 1 << 20, 1.5, 16 << 20},
}

// judge compares the thirds, each by its median, and looks for the names of the
// culprits in the log.
func (s *soak) judge(samples []sample) error {
	var errs []error
	samples = samples[1:] // while caches fill
	third := max(1, len(samples)/3)
	first, last := samples[:third], samples[len(samples)-third:]
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%d cycles\tfirst third\tlast third\tat most\t\t\n", len(samples))
	for _, f := range figures {
		a, b := median(first, f.of), median(last, f.of)
		allowed := int64(float64(a)*f.factor) + f.extra
		verdict := "flat"
		if b > allowed {
			verdict = "GROWS"
			errs = append(errs, fmt.Errorf("%s: from %d to %d", f.name, a/f.unit, b/f.unit))
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t\n", f.name, a/f.unit, b/f.unit, allowed/f.unit, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("\nlogged in %d lines:\n", s.log.lines)
	for i, culprit := range wanted {
		fmt.Printf("  %s: named %d times\n", culprit.culprit, s.log.found[i])
		// The first cycle is among them, too.
		if s.log.found[i] < len(samples) {
			errs = append(errs, fmt.Errorf("%s was named %d times in %d cycles", culprit.culprit, s.log.found[i], len(samples)+1))
		}
	}
	st := s.db.Stat()
	fmt.Printf("\ncheckpoints: %d passive, %d restart, %d truncate, %d busy, %d failed, %d pages in %v\n", st.Checkpoints.Passive,
		st.Checkpoints.Restart, st.Checkpoints.Truncate, st.Checkpoints.Busy, st.Checkpoints.Failed, st.Checkpoints.Pages, st.Checkpoints.Time.Round(time.Millisecond))
	return errors.Join(errs...)
}

func median(ms []sample, of func(m sample) int64) int64 {
	values := make([]int64, len(ms))
	for i, m := range ms {
		values[i] = of(m)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (s *soak) printCounts() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "calls\tfine\tcancelled\tundone by themselves\tinterrupted\tno reader\t")
	for _, kind := range slices.Sorted(maps.Keys(s.counts)) {
		c := s.counts[kind]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", kind, c.fine, c.cancelled, c.own, c.interrupted, c.exhausted)
	}
	_ = w.Flush()
	fmt.Println()
}
