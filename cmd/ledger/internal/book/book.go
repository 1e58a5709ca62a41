package book

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/gen"
)

// Book keeps the books in a store.
type Book struct {
	store *gen.Store
	now   func() time.Time
}

// New returns the book that store holds.
func New(store *gen.Store) *Book { return &Book{store: store, now: time.Now} }

// Empty reports whether no transaction was ever recorded.
func (b *Book) Empty(ctx context.Context) (bool, error) {
	present, err := b.store.HasTransactions(ctx)
	return present == 0, err
}

// Account is one account of the tree.
type Account struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Closed bool   `json:"closed"`
}

// AddAccount creates an account, and the accounts above it that are missing.
// kind may be empty where the name says it: "assets:bank" is an asset. An
// account that exists with the same type is returned as it is.
func (b *Book) AddAccount(ctx context.Context, name, kind string) (Account, error) {
	if err := CheckAccountName(name); err != nil {
		return Account{}, err
	}
	if kind != "" && !slices.Contains(Types, kind) {
		return Account{}, invalid("malformed", "use one of: "+strings.Join(Types, ", "), "unknown account type %q", kind)
	}
	var account gen.Account
	err := b.store.Write(ctx, func(ctx context.Context, q *gen.Queries) (err error) {
		account, _, err = ensureAccount(ctx, q, name, kind, b.now())
		return err
	})
	return Account{account.Name, account.Type, account.Closed}, err
}

// CloseAccount closes an account to further postings, or opens it again.
func (b *Book) CloseAccount(ctx context.Context, name string, closed bool) error {
	n, err := b.store.SetAccountClosed(ctx, gen.SetAccountClosedParams{Closed: closed, Name: name})
	if err == nil && n == 0 {
		return fmt.Errorf("account %q: %w", name, ErrNotFound)
	}
	return err
}

// ensureAccount finds an account or creates it below its parents. It says how
// many it made.
func ensureAccount(ctx context.Context, q *gen.Queries, name, kind string, now time.Time) (account gen.Account, made int, err error) {
	account, err = q.GetAccountByName(ctx, name)
	if err == nil {
		if kind != "" && account.Type != kind {
			return gen.Account{}, 0, invalid("wrong_type", "leave the type out or choose another name",
				"account %q exists as %s, not as %s", name, account.Type, kind)
		}
		return account, 0, nil
	}
	if !errors.Is(err, lido.ErrNoRows) {
		return gen.Account{}, 0, err
	}
	add := gen.CreateAccountParams{Name: name, Type: kind, CreatedAt: now}
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		var parent gen.Account
		if parent, made, err = ensureAccount(ctx, q, name[:i], kind, now); err != nil {
			return gen.Account{}, 0, err
		}
		add.ParentID = sql.NullInt64{Int64: parent.ID, Valid: true}
		add.Type = parent.Type
	} else if add.Type == "" {
		if add.Type = TypeOf(name); add.Type == "" {
			return gen.Account{}, 0, invalid("unknown_type", "say which type it has: "+strings.Join(Types, ", "),
				"the name of account %q does not say its type", name)
		}
	}
	account, err = q.CreateAccount(ctx, add)
	return account, made + 1, err
}

// Currency is a currency and how many decimals it has.
type Currency struct {
	Code   string `json:"code"`
	Digits int    `json:"digits"`
}

// AddCurrency declares a currency. Its digits can change until an amount is
// stored in it.
func (b *Book) AddCurrency(ctx context.Context, c Currency) error {
	if err := CheckCurrencyCode(c.Code); err != nil {
		return err
	}
	if c.Digits < 0 || c.Digits > MaxDigits {
		return invalid("malformed", "choose a number from 0 to 12", "currency %s cannot have %d digits", c.Code, c.Digits)
	}
	_, err := b.store.AddCurrency(ctx, gen.AddCurrencyParams{Code: c.Code, Digits: int64(c.Digits)})
	return explain(err)
}

// Currencies returns every currency, by code.
func (b *Book) Currencies(ctx context.Context) ([]Currency, error) {
	rows, err := b.store.ListCurrencies(ctx)
	list := make([]Currency, len(rows))
	for i, r := range rows {
		list[i] = Currency{r.Code, int(r.Digits)}
	}
	return list, err
}

// usualDigits are the digits of a currency that nobody has declared: two, but
// for the few that ISO 4217 gives another number.
func usualDigits(code string) int {
	switch code {
	case "JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "XPF", "PYG", "RWF", "DJF", "GNF", "KMF", "BIF", "VUV", "¥", "₩":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}

// explain turns what the database refused into words for its caller. What the
// book checks beforehand should not come so far.
func explain(err error) error {
	var refused *lido.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.Constraint == "balance_is_below_4_times_10_to_18", refused.Constraint == "turnover_is_below_9_times_10_to_18",
		strings.Contains(refused.Message, "cannot store REAL value in INTEGER column"), refused.Message == "integer overflow":
		return invalid("too_large", "use a coarser currency",
			"a balance would grow beyond 4 times 10 to the 18th of the smallest unit, or all that was ever moved in the currency beyond 9 times")
	case errors.Is(err, lido.ErrCheck), strings.Contains(refused.Message, "unbalanced"),
		strings.Contains(refused.Message, "closed"), strings.Contains(refused.Message, "in use"):
		return invalid("refused", "", "the database refused it: %s", refused.Message)
	}
	return err
}
