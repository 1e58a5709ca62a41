package book

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/lidodb/lido/gen"
)

// Difference is the first thing Check found that does not add up.
type Difference struct{ What string }

// Error says what does not add up.
func (d *Difference) Error() string { return d.What }

func differ(format string, args ...any) error { return &Difference{fmt.Sprintf(format, args...)} }

// CheckResult says what Check has looked at.
type CheckResult struct {
	Transactions int `json:"transactions"`
	Postings     int `json:"postings"`
	Balances     int `json:"balances"`
	Attachments  int `json:"attachments"`
	Drafts       int `json:"drafts"`
}

// accountCurrency identifies a balance.
type accountCurrency struct {
	account  int64
	currency string
}

type tally struct{ amount, postings int64 }

// Check adds up every posting anew, in Go and on one snapshot, and compares:
// every transaction sums to zero in each currency, every balance and turnover
// that the database keeps equals its postings, all balances of a currency sum
// to zero, and attachments have the content they were stored with. The first
// thing that is off is returned as *[Difference].
func (b *Book) Check(ctx context.Context) (result CheckResult, err error) {
	err = b.store.Read(ctx, func(ctx context.Context, q *gen.ReadQueries) error {
		result = CheckResult{}
		proved, moved, err := provePostings(ctx, q, &result)
		if err != nil {
			return err
		}
		if err := compareTurnover(ctx, q, moved); err != nil {
			return err
		}
		if err := compareBalances(ctx, q, proved, &result); err != nil {
			return err
		}
		if err := checkAttachments(ctx, q, &result); err != nil {
			return err
		}
		counts, err := q.CountTransactions(ctx)
		if err != nil {
			return err
		}
		result.Drafts = int(counts.Drafts)
		// One without postings would not have been met above.
		if int(counts.Posted) != result.Transactions {
			return differ("%d transactions are posted, but only %d have postings", counts.Posted, result.Transactions)
		}
		return nil
	})
	return result, err
}

// provePostings reads all postings and returns the balances they make and what
// was moved in each currency.
func provePostings(ctx context.Context, q *gen.ReadQueries, result *CheckResult) (proved map[accountCurrency]tally, moved map[string]int64, err error) {
	proved, moved = map[accountCurrency]tally{}, map[string]int64{}
	sums := map[string]int64{}
	var current gen.ListAllPostingsRow
	finish := func() error {
		for currency, sum := range sums {
			if sum != 0 {
				return differ("transaction %d, %q of %s, is off by %d of the smallest unit of %s",
					current.TransactionID, current.Description, current.Date, sum, currency)
			}
		}
		clear(sums)
		return nil
	}
	for p, err := range q.ListAllPostingsSeq(ctx) {
		if err != nil {
			return nil, nil, err
		}
		if p.TransactionID != current.TransactionID {
			if err := finish(); err != nil {
				return nil, nil, err
			}
			current = p
			result.Transactions++
		}
		result.Postings++
		key := accountCurrency{p.AccountID, p.Currency}
		// No sum of postings is larger than what was moved.
		var ok bool
		if moved[p.Currency], ok = addChecked(moved[p.Currency], max(p.Amount, -p.Amount)); !ok {
			return nil, nil, differ("transaction %d: its postings in %s sum up beyond 64 bits", p.TransactionID, p.Currency)
		}
		sums[p.Currency] += p.Amount
		t := proved[key]
		t.amount += p.Amount
		t.postings++
		proved[key] = t
	}
	return proved, moved, finish()
}

// compareTurnover compares what the database says was moved with what was.
func compareTurnover(ctx context.Context, q *gen.ReadQueries, moved map[string]int64) error {
	currencies, err := q.ListCurrencies(ctx)
	for _, c := range currencies {
		if c.Turnover != moved[c.Code] {
			return differ("currency %s: the turnover kept is %d, the postings make %d", c.Code, c.Turnover, moved[c.Code])
		}
	}
	return err
}

// compareBalances compares what the database keeps with what was proved.
func compareBalances(ctx context.Context, q *gen.ReadQueries, proved map[accountCurrency]tally, result *CheckResult) error {
	sums := map[string]int64{}
	for k, err := range q.ListKeptBalancesSeq(ctx) {
		if err != nil {
			return err
		}
		result.Balances++
		if k.Account == nil {
			return differ("a balance of %d in %s is kept for account %d, which does not exist", k.Balance.Amount, k.Balance.Currency, k.Balance.AccountID)
		}
		key := accountCurrency{k.Balance.AccountID, k.Balance.Currency}
		want := proved[key]
		delete(proved, key)
		if k.Balance.Amount != want.amount || k.Balance.Postings != want.postings {
			return differ("account %q in %s: the balance kept is %d after %d postings, the postings make %d after %d",
				k.Account.Name, k.Balance.Currency, k.Balance.Amount, k.Balance.Postings, want.amount, want.postings)
		}
		var ok bool
		if sums[k.Balance.Currency], ok = addChecked(sums[k.Balance.Currency], k.Balance.Amount); !ok {
			return differ("the balances in %s sum up beyond 64 bits", k.Balance.Currency)
		}
	}
	for key, t := range proved {
		account, err := q.GetAccount(ctx, key.account)
		if err != nil {
			return differ("account %d has %d postings in %s but does not exist: %v", key.account, t.postings, key.currency, err)
		}
		return differ("account %q in %s: no balance is kept, the postings make %d", account.Name, key.currency, t.amount)
	}
	for currency, sum := range sums {
		if sum != 0 {
			return differ("all balances in %s sum up to %d instead of zero", currency, sum)
		}
	}
	return nil
}

func checkAttachments(ctx context.Context, q *gen.ReadQueries, result *CheckResult) error {
	for a, err := range q.ListAttachmentContentsSeq(ctx) {
		if err != nil {
			return err
		}
		result.Attachments++
		if sum := sha256.Sum256(a.Content); string(sum[:]) != string(a.Sha256) {
			return differ("attachment %q of transaction %d: its content has another sha256 than when it was stored", a.Name, a.TransactionID)
		}
	}
	return nil
}
