package book

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/gen"
)

// Amount is a decimal number of a currency.
type Amount struct {
	Currency string `json:"currency"`
	Amount   string `json:"amount"`
}

// Node is an account with its balance. Total includes all accounts below.
type Node struct {
	Account
	Depth int      `json:"-"`
	Own   []Amount `json:"balances"`
	Total []Amount `json:"totals"`
}

// Tree is the tree of accounts, parents before children, and what they come
// to. Over whole books that is zero.
type Tree struct {
	Nodes []Node   `json:"accounts"`
	Total []Amount `json:"total"`
}

// Balances returns the tree below an account, or all of it when name is empty,
// as of one moment.
func (b *Book) Balances(ctx context.Context, name string) (tree Tree, err error) {
	err = b.store.Read(ctx, func(ctx context.Context, q *gen.ReadQueries) error {
		tree = Tree{Nodes: []Node{}, Total: []Amount{}}
		if name != "" {
			if err := mustExist(ctx, q, name); err != nil {
				return err
			}
		}
		accounts, err := q.ListAccounts(ctx)
		if err != nil {
			return err
		}
		place := map[string]int{}
		for _, a := range accounts {
			if !within(a.Name, name) {
				continue
			}
			place[a.Name] = len(tree.Nodes)
			tree.Nodes = append(tree.Nodes, Node{
				Account: Account{a.Name, a.Type, a.Closed}, Depth: strings.Count(a.Name, ":"),
				Own: []Amount{}, Total: []Amount{},
			})
		}
		own, err := q.ListBalances(ctx)
		if err != nil {
			return err
		}
		for _, r := range own {
			if i, ok := place[r.Name]; ok {
				tree.Nodes[i].Own = append(tree.Nodes[i].Own, Amount{r.Currency, FormatMinor(r.Amount, int(r.Digits))})
			}
		}
		totals, err := q.ListSubtreeBalances(ctx)
		if err != nil {
			return err
		}
		for _, r := range totals {
			if i, ok := place[r.Name]; ok {
				tree.Nodes[i].Total = append(tree.Nodes[i].Total, Amount{r.Currency, FormatMinor(r.Amount, int(r.Digits))})
			}
		}
		tree.Total, err = total(ctx, q, name)
		return err
	})
	return tree, err
}

// total sums an account and everything below it, or the whole books.
func total(ctx context.Context, q *gen.ReadQueries, name string) ([]Amount, error) {
	list := []Amount{}
	if name != "" {
		rows, err := q.GetSubtreeBalance(ctx, name)
		for _, r := range rows {
			list = append(list, Amount{r.Currency, FormatMinor(r.Amount, int(r.Digits))})
		}
		return list, err
	}
	rows, err := q.ListTotalsByType(ctx)
	if err != nil {
		return nil, err
	}
	sums, digits, order := map[string]int64{}, map[string]int{}, []string{}
	for _, r := range rows {
		if _, seen := sums[r.Currency]; !seen {
			order = append(order, r.Currency)
		}
		digits[r.Currency] = int(r.Digits)
		sum, ok := addChecked(sums[r.Currency], r.Amount)
		if !ok {
			return nil, fmt.Errorf("the total in %s is too large to be written", r.Currency)
		}
		sums[r.Currency] = sum
	}
	for _, code := range order {
		list = append(list, Amount{code, FormatMinor(sums[code], digits[code])})
	}
	return list, nil
}

// within reports whether account is top or below it. Everything is below "".
func within(account, top string) bool {
	return top == "" || account == top || strings.HasPrefix(account, top+":")
}

func mustExist(ctx context.Context, q *gen.ReadQueries, name string) error {
	_, err := q.GetAccountByName(ctx, name)
	if errors.Is(err, lido.ErrNoRows) {
		return fmt.Errorf("account %q: %w; see the names with: ledger balance", name, ErrNotFound)
	}
	return err
}

// Entry is one line of a register.
type Entry struct {
	Transaction int64  `json:"transaction_id"`
	Date        string `json:"date"`
	Description string `json:"description"`
	Account     string `json:"account"`
	Amount      string `json:"amount"`
	Currency    string `json:"currency"`
	// Balance is what the account and those below it held after the line, in
	// the line's currency.
	Balance string `json:"balance"`
}

// Register returns the lines of an account and the accounts below it, in the
// order of the books. first and last bound the days, or are empty.
func (b *Book) Register(ctx context.Context, name, first, last string) (entries []Entry, err error) {
	err = b.store.Read(ctx, func(ctx context.Context, q *gen.ReadQueries) error {
		if err := mustExist(ctx, q, name); err != nil {
			return err
		}
		entries = []Entry{}
		for r, err := range q.ListRegisterSeq(ctx, gen.ListRegisterParams{
			Name:      name,
			FirstDate: sql.NullString{String: first, Valid: first != ""},
			LastDate:  sql.NullString{String: last, Valid: last != ""},
		}) {
			if err != nil {
				return err
			}
			entries = append(entries, Entry{
				Transaction: r.TransactionID, Date: r.Date, Description: r.Description, Account: r.Account,
				Amount: FormatMinor(r.Amount, int(r.Digits)), Currency: r.Currency, Balance: FormatMinor(r.Balance, int(r.Digits)),
			})
		}
		return nil
	})
	return entries, err
}
