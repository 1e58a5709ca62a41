package modeltest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/lidodb/lido/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wanted is how many steps to run: LIDO_MODEL_STEPS, or what the test says.
func wanted(t *testing.T, steps int) int {
	if text := os.Getenv("LIDO_MODEL_STEPS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return steps / 10
	}
	return steps
}

func set(t *testing.T, name, value string) {
	t.Helper()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// simulate runs random steps, at least as many as asked for, in sequences of
// about 80 that each begin with an empty database.
func simulate(t *testing.T, steps int, l limits, draw func(rng *rand.Rand) []setup) {
	seed := rand.Uint64()>>1 + 1
	set(t, "rapid.seed", strconv.FormatUint(seed, 10))
	set(t, "rapid.steps", "80")
	set(t, "rapid.checks", strconv.Itoa(steps/8+10)) // more than needed: those left over do nothing
	set(t, "rapid.nofailfile", "true")
	set(t, "rapid.shrinktime", "15s")
	template := template(t)
	dir := memory(t)
	begin, done, sequences, failed := time.Now(), 0, 0, false
	t.Cleanup(func() {
		t.Logf("%d steps, %d sequences, seed %s, %v", done, sequences, flag.Lookup("rapid.seed").Value, time.Since(begin).Round(time.Millisecond))
	})
	rapid.Check(t, func(rt *rapid.T) {
		if done >= steps && !failed {
			return
		}
		sequences++
		root := rapid.Uint64().Draw(rt, "root")
		rng := rand.New(rand.NewPCG(root, 0))
		l := l
		l.fragile = !l.agree && rng.IntN(50) == 0
		setups := draw(rng)
		var text string
		var thrown any
		// A folder of its own: what a failure leaves open must not meet the next.
		dir := filepath.Join(dir, strconv.Itoa(sequences))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		func() {
			defer func() {
				// A bubble in which somebody waits for ever panics.
				if p := recover(); p != nil {
					text = fmt.Sprint(p)
				}
			}()
			synctest.Test(t, func(*testing.T) {
				var worlds []*world
				defer func() {
					p := recover()
					if f, ok := p.(failure); ok {
						text = f.text
					} else {
						thrown = p
					}
					if p != nil {
						for _, w := range worlds {
							w.abandon()
						}
					}
				}()
				for i, s := range setups {
					worlds = append(worlds, newWorld(filepath.Join(dir, fmt.Sprintf("%d.db", i)), template, s))
				}
				rt.Repeat(map[string]func(*rapid.T){"step": func(rt *rapid.T) {
					do := l.step(rand.New(rand.NewPCG(root, rapid.Uint64().Draw(rt, "step"))))
					for _, w := range worlds {
						w.contended = w.rivalTx != nil
						do(w)
						done++
					}
					agree(worlds)
				}})
				for _, w := range worlds {
					w.contended = w.rivalTx != nil
					w.finish()
				}
				agree(worlds)
			})
		}()
		if thrown != nil {
			panic(thrown) // rapid's own
		}
		if text != "" {
			if !failed {
				failed = true
				t.Logf("found after %d steps", done)
			}
			rt.Fatalf("%s", text)
		}
	})
}

// memory is a folder in memory where there is one: nothing here is about power
// cuts, and most of the time would go into waiting for the disk.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "lido-model-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// agree holds the worlds against each other.
func agree(worlds []*world) {
	first := worlds[0]
	slices.Sort(first.outcomes)
	for _, w := range worlds[1:] {
		if !w.committed.equal(first.committed) {
			w.fail("committed is %v, with %v %v\n%s\nhere:", w.committed, first.setup, first.committed, strings.Join(first.trace, "\n"))
		}
		slices.Sort(w.outcomes)
		if !slices.Equal(w.outcomes, first.outcomes) {
			w.fail("with %v:\n  %s\n%s\nhere:\n  %s", first.setup, strings.Join(first.outcomes, "\n  "),
				strings.Join(first.trace, "\n"), strings.Join(w.outcomes, "\n  "))
		}
	}
	for _, w := range worlds {
		w.outcomes = w.outcomes[:0]
	}
}

// template is an empty database.
func template(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "template.db")
	c, err := sqlite.Open(context.Background(), path, sqlite.Options{Create: true,
		Pragmas: []sqlite.Pragma{{Name: "page_size", Value: "512"}, {Name: "journal_mode", Value: "wal"}}})
	if err == nil {
		err = errors.Join(c.Exec(context.Background(), schema), c.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestRandomInterleavingsAgreeWithTheModel(t *testing.T) {
	simulate(t, wanted(t, 15_000), limits{}, func(rng *rand.Rand) []setup {
		return []setup{{readers: 1 + rng.IntN(3), noGroup: rng.IntN(3) == 0}}
	})
}

func TestTheSameStepsComeToTheSameWithOtherSettings(t *testing.T) {
	simulate(t, wanted(t, 10_000), limits{agree: true}, func(*rand.Rand) []setup {
		return []setup{{1, false}, {3, false}, {1, true}, {3, true}}
	})
}
