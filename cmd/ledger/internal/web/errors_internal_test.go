package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lidodb/lido"
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
