package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
)

// draft is a transaction as a client writes it. What must be said is a
// pointer, so that what is left out is not taken for zero.
type draft struct {
	Date        string            `json:"date"`
	Status      string            `json:"status"`
	Code        string            `json:"code"`
	Description *string           `json:"description"`
	Comment     string            `json:"comment"`
	Tags        map[string]string `json:"tags"`
	Postings    []struct {
		Account  string        `json:"account"`
		Amount   *book.Decimal `json:"amount"`
		Currency string        `json:"currency"`
		Status   string        `json:"status"`
		Comment  string        `json:"comment"`
	} `json:"postings"`
}

func (d *draft) draft() (book.Draft, error) {
	if d.Description == nil {
		return book.Draft{}, badRequest(`"description" is missing; it may be ""`)
	}
	out := book.Draft{
		Date: d.Date, Status: d.Status, Code: d.Code, Description: *d.Description, Comment: d.Comment, Tags: d.Tags,
	}
	for i, p := range d.Postings {
		if p.Amount == nil {
			return book.Draft{}, badRequest(`posting %d: "amount" is missing; write it like "12.50"`, i+1)
		}
		out.Lines = append(out.Lines, book.Line{
			Account: p.Account, Amount: *p.Amount, Currency: p.Currency, Status: p.Status, Comment: p.Comment,
		})
	}
	return out, nil
}

func (s *server) postTransaction(w http.ResponseWriter, r *http.Request) error {
	var in draft
	if err := decode(w, r, &in); err != nil {
		return err
	}
	d, err := in.draft()
	if err != nil {
		return err
	}
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) > 1 || (len(keys) == 1 && keys[0] == "") {
		return badRequest("send one Idempotency-Key that is not empty, or none")
	}
	posted, replayed, err := s.book.Post(r.Context(), d, strings.Join(keys, ""))
	if err != nil {
		return err
	}
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.Header().Set("Location", "/v1/transactions/"+strconv.FormatInt(posted.ID, 10))
	answer(w, http.StatusCreated, posted)
	return nil
}

func (s *server) getTransaction(w http.ResponseWriter, r *http.Request) error {
	id, err := transactionID(r)
	if err != nil {
		return err
	}
	t, err := s.book.Transaction(r.Context(), id)
	if err == nil {
		answer(w, http.StatusOK, t)
	}
	return err
}

type page struct {
	Transactions []book.Transaction `json:"transactions"`
	// Next is the after of the next page, absent on the last one.
	Next string `json:"next,omitempty"`
}

func (s *server) listTransactions(w http.ResponseWriter, r *http.Request) error {
	size, err := limit(r, 50, 500)
	if err != nil {
		return err
	}
	after := book.Start
	if text := r.FormValue("after"); text != "" {
		date, id, ok := strings.Cut(text, "_")
		n, err := strconv.ParseInt(id, 10, 64)
		if !ok || err != nil || len(date) != 10 {
			return badRequest("after=%q is not a place in the list; take it from \"next\" of the page before", text)
		}
		after = book.Cursor{Date: date, ID: n}
	}
	list, next, more, err := s.book.Page(r.Context(), after, size)
	if err != nil {
		return err
	}
	out := page{Transactions: list}
	if more {
		out.Next = fmt.Sprintf("%s_%d", next.Date, next.ID)
	}
	answer(w, http.StatusOK, out)
	return nil
}

func (s *server) search(w http.ResponseWriter, r *http.Request) error {
	size, err := limit(r, 20, 200)
	if err != nil {
		return err
	}
	list, err := s.book.Search(r.Context(), r.FormValue("q"), size)
	var refused *book.Invalid
	if errors.As(err, &refused) && refused.Code == "too_large" {
		return &httpError{http.StatusBadRequest, refused.Code, err.Error()}
	}
	if err == nil {
		answer(w, http.StatusOK, page{Transactions: list})
	}
	return err
}

func limit(r *http.Request, usual, most int) (int, error) {
	text := r.FormValue("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, badRequest("limit=%q is not a number from 1 to %d", text, most)
	}
	return n, nil
}

func transactionID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, badRequest("%q is not the id of a transaction", r.PathValue("id"))
	}
	return id, nil
}
