package book

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/gen"
)

// Transaction is a posted transaction. It never changes.
type Transaction struct {
	ID          int64             `json:"id"`
	Date        string            `json:"date"`
	Status      string            `json:"status,omitempty"`
	Code        string            `json:"code,omitempty"`
	Description string            `json:"description"`
	Comment     string            `json:"comment,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Postings    []Posting         `json:"postings"`
	CreatedAt   time.Time         `json:"created_at"`
}

// Posting is one line of a Transaction. Amount is a decimal number.
type Posting struct {
	Account  string `json:"account"`
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
	Status   string `json:"status,omitempty"`
	Comment  string `json:"comment,omitempty"`
}

// Post puts a draft into the books and returns what it became. When Post
// returns nil the transaction is committed.
//
// With an idempotency key the same draft is stored once, however often it is
// posted: replayed tells that it had been before. Another draft under the same
// key is refused with [ErrKeyReused]. Without a key (the empty one) every call
// stores a transaction.
func (b *Book) Post(ctx context.Context, d Draft, key string) (posted Transaction, replayed bool, err error) {
	if err := d.check(); err != nil {
		return Transaction{}, false, err
	}
	if len(key) > MaxKeyBytes {
		return Transaction{}, false, invalid("malformed", "shorten it", "the idempotency key is longer than %d bytes", MaxKeyBytes)
	}
	if key != "" {
		key = "post:" + key // a client cannot take the keys of imports
	}
	hash, err := d.hash()
	if err != nil {
		return Transaction{}, false, err
	}
	err = b.commit(ctx, func(ctx context.Context, q *gen.Queries) error {
		stored, err := findByKey(ctx, &q.ReadQueries, key, hash[:])
		if err != nil {
			return err
		}
		id := stored.ID
		if replayed = id != 0; !replayed {
			if id, err = newPoster(b.now()).post(ctx, q, &d, key, hash[:]); err != nil {
				return err
			}
		}
		posted, err = load(ctx, &q.ReadQueries, id)
		return err
	})
	if err != nil {
		return Transaction{}, false, explain(err)
	}
	return posted, replayed, nil
}

// findByKey returns the transaction stored under key, or a zero one.
func findByKey(ctx context.Context, q *gen.ReadQueries, key string, hash []byte) (gen.Transaction, error) {
	if key == "" {
		return gen.Transaction{}, nil
	}
	stored, err := q.GetTransactionByKey(ctx, sql.NullString{String: key, Valid: true})
	switch {
	case errors.Is(err, lido.ErrNoRows):
		return gen.Transaction{}, nil
	case err != nil:
		return gen.Transaction{}, err
	case !bytes.Equal(stored.RequestHash, hash):
		return gen.Transaction{}, fmt.Errorf("%w: transaction %d, %q of %s", ErrKeyReused, stored.ID, stored.Description, stored.Date)
	}
	return stored, nil
}

// poster writes drafts inside one database transaction and remembers accounts
// and currencies meanwhile.
type poster struct {
	now        time.Time
	accounts   map[string]gen.Account
	currencies map[string]int
}

func newPoster(now time.Time) *poster {
	return &poster{now: now, accounts: map[string]gen.Account{}, currencies: map[string]int{}}
}

// post writes one draft, whose accounts and currencies must exist.
func (p *poster) post(ctx context.Context, q *gen.Queries, d *Draft, key string, hash []byte) (int64, error) {
	id, lines, err := p.create(ctx, q, d, key, hash)
	if err != nil {
		return 0, err
	}
	for i, l := range lines {
		if err := q.AddPosting(ctx, l); err != nil {
			return 0, at(d.place(i), explain(err))
		}
	}
	if _, err := q.PostTransaction(ctx, id); err != nil {
		return 0, at(d.Where, explain(err))
	}
	return id, nil
}

// create writes a draft without its lines, which it returns.
func (p *poster) create(ctx context.Context, q *gen.Queries, d *Draft, key string, hash []byte) (int64, []gen.AddPostingParams, error) {
	if err := p.learn(ctx, q, d); err != nil {
		return 0, nil, err
	}
	minor := make([]int64, len(d.Lines))
	for i, l := range d.Lines {
		var err error
		if minor[i], err = l.Amount.Minor(p.currencies[l.Currency]); err != nil {
			return 0, nil, at(d.place(i), at(l.Currency, err))
		}
	}
	if err := d.sums(minor, p.currencies); err != nil {
		return 0, nil, err
	}
	tags := d.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	tagText, err := json.Marshal(tags)
	if err != nil {
		return 0, nil, err
	}
	add := gen.CreateTransactionParams{
		Date: d.Date, Status: d.Status, Code: d.Code, Description: d.Description, Comment: d.Comment,
		Tags: tagText, CreatedAt: p.now,
	}
	if key != "" {
		add.IdempotencyKey, add.RequestHash = sql.NullString{String: key, Valid: true}, hash
	}
	id, err := q.CreateTransaction(ctx, add)
	if err != nil {
		return 0, nil, at(d.Where, explain(err))
	}
	lines := make([]gen.AddPostingParams, len(d.Lines))
	for i, l := range d.Lines {
		lines[i] = gen.AddPostingParams{
			TransactionID: id, Line: int64(i + 1), AccountID: p.accounts[l.Account].ID,
			Currency: l.Currency, Amount: minor[i], Status: l.Status, Comment: l.Comment,
		}
	}
	return id, lines, nil
}

// learn looks up the accounts and currencies of a draft that are not known.
func (p *poster) learn(ctx context.Context, q *gen.Queries, d *Draft) error {
	var names []string
	for _, l := range d.Lines {
		if _, known := p.accounts[l.Account]; !known {
			names = append(names, l.Account)
		}
	}
	if len(names) > 0 {
		rows, err := q.ListAccountsByName(ctx, names)
		if err != nil {
			return err
		}
		for _, a := range rows {
			p.accounts[a.Name] = a
		}
	}
	for i, l := range d.Lines {
		account, known := p.accounts[l.Account]
		switch {
		case !known:
			return at(d.place(i), invalid("unknown_account", "create it first, or check the spelling", "there is no account %q", l.Account))
		case account.Closed:
			return at(d.place(i), invalid("account_closed", "choose another account or open it again", "account %q is closed", l.Account))
		}
		if _, known := p.currencies[l.Currency]; known {
			continue
		}
		currency, err := q.GetCurrency(ctx, l.Currency)
		if errors.Is(err, lido.ErrNoRows) {
			return at(d.place(i), invalid("unknown_currency", "declare it first, or check the spelling", "there is no currency %q", l.Currency))
		}
		if err != nil {
			return err
		}
		p.currencies[l.Currency] = int(currency.Digits)
	}
	return nil
}

// Transaction returns the posted transaction with an id.
func (b *Book) Transaction(ctx context.Context, id int64) (t Transaction, err error) {
	err = b.store.Read(ctx, func(ctx context.Context, q *gen.ReadQueries) error {
		t, err = load(ctx, q, id)
		return err
	})
	return t, err
}

func load(ctx context.Context, q *gen.ReadQueries, id int64) (Transaction, error) {
	row, err := q.GetTransaction(ctx, id)
	if errors.Is(err, lido.ErrNoRows) || (err == nil && !row.Posted) {
		return Transaction{}, fmt.Errorf("transaction %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Transaction{}, err
	}
	list, err := withPostings(ctx, q, []gen.Transaction{row})
	if err != nil {
		return Transaction{}, err
	}
	return list[0], nil
}

// withPostings adds the lines to transactions, with one query for all.
func withPostings(ctx context.Context, q *gen.ReadQueries, rows []gen.Transaction) ([]Transaction, error) {
	list := make([]Transaction, len(rows))
	ids := make([]int64, len(rows))
	place := make(map[int64]int, len(rows))
	for i, r := range rows {
		ids[i], place[r.ID] = r.ID, i
		list[i] = Transaction{
			ID: r.ID, Date: r.Date, Status: r.Status, Code: r.Code, Description: r.Description,
			Comment: r.Comment, CreatedAt: r.CreatedAt,
		}
		if err := json.Unmarshal(r.Tags, &list[i].Tags); err != nil {
			return nil, fmt.Errorf("transaction %d: tags: %w", r.ID, err)
		}
	}
	lines, err := q.ListPostingsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		t := &list[place[l.Posting.TransactionID]]
		t.Postings = append(t.Postings, Posting{
			Account: l.Account, Amount: FormatMinor(l.Posting.Amount, int(l.Digits)), Currency: l.Posting.Currency,
			Status: l.Posting.Status, Comment: l.Posting.Comment,
		})
	}
	return list, nil
}

// Cursor is a place in the list of transactions.
type Cursor struct {
	Date string
	ID   int64
}

// Start is the cursor before the latest transaction.
var Start = Cursor{Date: "9999-99-99"}

// Page returns posted transactions after a place, the latest day first, and
// where the next page starts. ok tells whether there may be one.
func (b *Book) Page(ctx context.Context, after Cursor, size int) (list []Transaction, next Cursor, ok bool, err error) {
	err = b.store.Read(ctx, func(ctx context.Context, q *gen.ReadQueries) error {
		rows, err := q.ListTransactions(ctx, gen.ListTransactionsParams{
			BeforeDate: after.Date, BeforeID: after.ID, PageSize: int64(size),
		})
		if err != nil {
			return err
		}
		if ok = len(rows) == size; ok {
			next = Cursor{rows[size-1].Date, rows[size-1].ID}
		}
		list, err = withPostings(ctx, q, rows)
		return err
	})
	return list, next, ok, err
}

// Search returns the transactions whose description or comment matches words,
// the best match first.
func (b *Book) Search(ctx context.Context, words string, limit int) (list []Transaction, err error) {
	query, err := ftsQuery(words)
	if err != nil {
		return nil, err
	}
	err = b.store.Read(ctx, func(ctx context.Context, q *gen.ReadQueries) error {
		rows, err := q.SearchTransactions(ctx, gen.SearchTransactionsParams{Query: query, PageSize: int64(limit)})
		if err != nil {
			return err
		}
		list, err = withPostings(ctx, q, rows)
		return err
	})
	return list, err
}

// contentKey identifies the n-th transaction of an import that says the same.
func contentKey(hash [sha256.Size]byte, n int) string { return fmt.Sprintf("import:%x:%d", hash, n) }
