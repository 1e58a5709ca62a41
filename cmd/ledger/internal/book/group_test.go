package book_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/cmd/ledger/internal/booktest"
)

// Four clients send each of four drafts at the same moment, one of which the
// book refuses. The cleanup proves that everything sums to zero.
func TestPostsThatShareACommitAreEachStoredOnceOrRefusedAlone(t *testing.T) {
	books, db := booktest.Open(t)
	booktest.Fill(t, books)
	drafts := make([]book.Draft, 4)
	for i := range drafts {
		drafts[i] = booktest.Draft(t, fmt.Sprint("Draft ", i), bank, food, fmt.Sprint(i+1))
	}
	drafts[3].Lines[0].Account = "assets:nosuch"
	w, err := db.AcquireWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids, errs, replays := make([]int64, 16), make([]error, 16), make([]bool, 16)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			var posted book.Transaction
			posted, replays[i], errs[i] = books.Post(t.Context(), drafts[i%4], fmt.Sprint("key ", i%4))
			ids[i] = posted.ID
		})
	}
	for deadline := time.Now().Add(10 * time.Second); db.Stat().Queued < 16; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d posts wait for the writer", db.Stat().Queued)
		}
	}
	w.Release()
	wg.Wait()
	for k := range 4 {
		stored, seen := 0, []int64{}
		for i := k; i < 16; i += 4 {
			if refused := new(book.Invalid); k == 3 {
				if !errors.As(errs[i], &refused) {
					t.Errorf("post %d: %v", i, errs[i])
				}
				continue
			}
			if errs[i] != nil {
				t.Errorf("post %d: %v", i, errs[i])
			}
			if !replays[i] {
				stored++
			}
			seen = append(seen, ids[i])
		}
		if k < 3 && (stored != 1 || len(slices.Compact(seen)) != 1) {
			t.Errorf("draft %d: stored %d times, as %v", k, stored, seen)
		}
	}
	if list, _, _, err := books.Page(t.Context(), book.Start, 100); err != nil || len(list) != 3 {
		t.Errorf("%d transactions (%v), want 3", len(list), err)
	}
	if s := db.Stat(); s.Groups == 0 {
		t.Errorf("none of them shared a commit: %+v", s)
	}
}
