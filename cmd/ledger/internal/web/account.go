package web

import (
	"net/http"
	"time"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
)

func (s *server) listAccounts(w http.ResponseWriter, r *http.Request) error {
	tree, err := s.book.Balances(r.Context(), "")
	if err == nil {
		answer(w, http.StatusOK, tree)
	}
	return err
}

func (s *server) addAccount(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	account, err := s.book.AddAccount(r.Context(), in.Name, in.Type)
	if err == nil {
		answer(w, http.StatusOK, account)
	}
	return err
}

func (s *server) register(w http.ResponseWriter, r *http.Request) error {
	from, to := r.FormValue("from"), r.FormValue("to")
	for name, day := range map[string]string{"from": from, "to": to} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return badRequest("%s=%q is not a day; write it like 2025-01-31", name, day)
		}
	}
	entries, err := s.book.Register(r.Context(), r.PathValue("name"), from, to)
	if err == nil {
		answer(w, http.StatusOK, struct {
			Account string       `json:"account"`
			Entries []book.Entry `json:"entries"`
		}{r.PathValue("name"), entries})
	}
	return err
}

func (s *server) listCurrencies(w http.ResponseWriter, r *http.Request) error {
	list, err := s.book.Currencies(r.Context())
	if err == nil {
		answer(w, http.StatusOK, struct {
			Currencies []book.Currency `json:"currencies"`
		}{list})
	}
	return err
}

func (s *server) addCurrency(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Digits *int `json:"digits"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if in.Digits == nil {
		return badRequest(`"digits" is missing; say how many decimals the currency has, such as 2`)
	}
	currency := book.Currency{Code: r.PathValue("code"), Digits: *in.Digits}
	err := s.book.AddCurrency(r.Context(), currency)
	if err == nil {
		answer(w, http.StatusOK, currency)
	}
	return err
}
