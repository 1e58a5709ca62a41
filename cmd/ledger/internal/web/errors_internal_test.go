package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
)

func TestACommitOfUnknownOutcomeIsNotCalledUndone(t *testing.T) {
	s := &server{log: slog.New(slog.DiscardHandler)}
	for key, want := range map[string]string{"": "look before you send it again", "k": "try again, with the same Idempotency-Key"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/transactions", nil)
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		w := httptest.NewRecorder()
		s.fail(w, r, fmt.Errorf("pool: commit: %w", lido.ErrCommitUnknown))
		if body := w.Body.String(); w.Code != http.StatusServiceUnavailable || !strings.Contains(body, `"outcome_unknown"`) || !strings.Contains(body, want) {
			t.Errorf("key %q: %d %s", key, w.Code, body)
		}
	}
}

// The file was moved away, so that the writer cannot be opened again: the
// request is sound, and the service is not.
func TestAWriterThatCannotBeOpenedIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	db, err := pool.Open(t.Context(), path, pool.Config{MaxLifetime: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	s := &server{log: slog.New(slog.DiscardHandler)}
	if _, err = db.AcquireWriter(t.Context()); err == nil {
		t.Fatal("the writer was opened")
	}
	w := httptest.NewRecorder()
	s.fail(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/transactions", nil), err)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"unavailable"`) {
		t.Errorf("%v: %d %s", err, w.Code, w.Body)
	}
}
