package web

import (
	"log/slog"
	"net/http"

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
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
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
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	return mux
}
