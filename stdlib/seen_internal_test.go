package stdlib

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"
)

func TestATextThatCameBeforeIsKnownForAWhile(t *testing.T) {
	var s seen
	for i := range 50 {
		text := fmt.Sprint("SELECT ", i)
		if s.before(text) {
			t.Errorf("%s is said to have come before", text)
		}
		if !s.before(text) {
			t.Errorf("%s has been forgotten at once", text)
		}
	}
	for i := range 100_000 {
		s.before(fmt.Sprint("SELECT ", i, " -- once"))
	}
	known := 0
	for i := range 50 {
		if s.before(fmt.Sprint("SELECT ", i)) {
			known++
		}
	}
	if known > 0 {
		t.Errorf("%d texts are known after 100,000 others", known)
	}
}

// More texts that come in turn than one bucket can hold: were the oldest
// forgotten, none would ever be known.
func TestTextsOfOneBucketThatComeInTurnAreAllKnownInTheEnd(t *testing.T) {
	var s seen
	var texts []string
	for i := 0; len(texts) < len(s.buckets[0])+2; i++ {
		text := fmt.Sprint("SELECT ", i)
		if maphash.String(seenSeed, text)%uint64(len(s.buckets)) == 0 {
			texts = append(texts, text)
		}
	}
	kept := map[string]bool{} // what is kept is not asked about any more
	for turn := 0; len(kept) < len(texts); turn++ {
		if turn == 10_000 {
			t.Fatalf("%d of %d texts are known after %d turns", len(kept), len(texts), turn)
		}
		for _, text := range texts {
			if !kept[text] && s.before(text) {
				kept[text] = true
			}
		}
	}
}

func TestAPlanIsKeptFromTheSecondTimeOn(t *testing.T) {
	var k plans
	first := k.get("SELECT 1; SELECT 2", false)
	if !first.once || !first.list[0].once || !first.list[1].once || len(k.byText) != 0 {
		t.Error("a text that comes for the first time is kept")
	}
	second := k.get("SELECT 1; SELECT 2", false)
	if second.once || second.list[0].once || k.get("SELECT 1; SELECT 2", false) != second {
		t.Error("a text that comes for the second time is not kept")
	}
	if p := k.get("SELECT 3", true); p.once || k.get("SELECT 3", false) != p {
		t.Error("a text that is prepared is not kept")
	}
	long := "SELECT '" + strings.Repeat("x", keptPlanBytes) + "'"
	if !k.get(long, false).once || k.get(long, false).once {
		t.Error("a long text is not known to come again")
	}
	if len(k.byText) != 2 {
		t.Errorf("%d texts are kept, want 2", len(k.byText))
	}
}
