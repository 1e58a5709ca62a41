//go:build seeded

package modeltest

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/lidodb/lido/internal/seeded"
)

// within is how many steps the model may need.
const within = 20_000

// TestEverySeededMistakeIsFound runs the model once for each, in a process of
// its own, and once without any.
func TestEverySeededMistakeIsFound(t *testing.T) {
	if os.Getenv("LIDO_SEEDED") != "" {
		t.Skip("inside itself")
	}
	found := regexp.MustCompile(`found after (\d+) steps`)
	for _, name := range append([]string{"none"}, seeded.Names...) {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			model := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run", "^TestRandomInterleavingsAgreeWithTheModel$",
				"-test.timeout", "120s", "-rapid.shrinktime", "0s")
			model.Env = append(os.Environ(), "LIDO_SEEDED="+name, "LIDO_MODEL_STEPS="+strconv.Itoa(within))
			out, err := model.CombinedOutput()
			took := time.Since(begin).Round(time.Millisecond)
			m := found.FindSubmatch(out)
			switch {
			case name == "none" && err != nil:
				t.Errorf("without a mistake:\n%s", out)
			case name == "none":
			case err == nil:
				t.Errorf("not found in %d steps, %v", within, took)
			case m == nil:
				t.Logf("found, %v:\n%s", took, out)
			default:
				t.Logf("found after %s steps, %v", m[1], took)
			}
		})
	}
}
