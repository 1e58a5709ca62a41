package web

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
)

// MaxBodyBytes is how large the JSON of a request can be.
const MaxBodyBytes = 1 << 20

type server struct {
	book *book.Book
	log  *slog.Logger
}

// Handler serves a book. Faults that are not the client's are written to log.
func Handler(b *book.Book, log *slog.Logger) http.Handler {
	s := &server{book: b, log: log}
	mux := http.NewServeMux()
	for pattern, handle := range s.routes() {
		known := parameters[pattern]
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			err := checkQuery(r, known)
			if err == nil {
				err = handle(w, r)
			}
			if err != nil {
				s.fail(w, r, err)
			}
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if plain, pattern := mux.Handler(r); pattern == "" {
			refuse(w, r, plain)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// routes returns what answers each method and path of the API.
func (s *server) routes() map[string]func(http.ResponseWriter, *http.Request) error {
	return map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /v1/accounts":                             s.listAccounts,
		"POST /v1/accounts":                            s.addAccount,
		"GET /v1/accounts/{name}/register":             s.register,
		"GET /v1/currencies":                           s.listCurrencies,
		"PUT /v1/currencies/{code}":                    s.addCurrency,
		"GET /v1/transactions":                         s.listTransactions,
		"POST /v1/transactions":                        s.postTransaction,
		"GET /v1/transactions/{id}":                    s.getTransaction,
		"GET /v1/transactions/{id}/attachments":        s.listAttachments,
		"PUT /v1/transactions/{id}/attachments/{name}": s.putAttachment,
		"GET /v1/transactions/{id}/attachments/{name}": s.getAttachment,
		"GET /v1/search":                               s.search,
	}
}

// parameters are the names that a query string can have.
var parameters = map[string][]string{
	"GET /v1/accounts/{name}/register": {"from", "to"},
	"GET /v1/transactions":             {"after", "limit"},
	"GET /v1/search":                   {"limit", "q"},
}

// checkQuery refuses what a GET would pass over in silence: a misspelt
// parameter must not be taken for one left out.
func checkQuery(r *http.Request, known []string) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("the query string cannot be read: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return badRequest("unknown parameter %q; there are none here", name)
		case !slices.Contains(known, name):
			return badRequest("unknown parameter %q; there are: %s", name, strings.Join(known, ", "))
		case len(values[name]) > 1:
			return badRequest("parameter %q is given more than once", name)
		}
	}
	return nil
}

// refuse answers what no pattern fits in the form all errors have. plain is
// what would answer it otherwise.
func refuse(w http.ResponseWriter, r *http.Request, plain http.Handler) {
	probe := statusOnly{header: http.Header{}}
	plain.ServeHTTP(&probe, r)
	switch allow := probe.header.Get("Allow"); probe.status {
	case http.StatusNotFound:
		Error(w, http.StatusNotFound, "not_found", fmt.Sprintf("there is nothing at %s", r.URL.Path))
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", allow)
		Error(w, http.StatusMethodNotAllowed, "method_not_allowed", fmt.Sprintf("%s takes %s only", r.URL.Path, allow))
	default:
		plain.ServeHTTP(w, r)
	}
}

// statusOnly takes an answer without its body.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }
