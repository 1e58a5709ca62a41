package book

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/gen"
)

// ImportOptions say how drafts become transactions.
type ImportOptions struct {
	// Types gives types to top-level accounts whose names do not say them:
	// {"bank": "asset"}.
	Types map[string]string
	// OtherType is the type of such accounts that Types does not name. Empty,
	// they are refused.
	OtherType string
	// Progress is told how many drafts are done, if it is not nil.
	Progress func(done, total int)
}

// ImportResult says what an import did.
type ImportResult struct {
	Added      int `json:"added"`
	Known      int `json:"known"`
	Postings   int `json:"postings"`
	Accounts   int `json:"accounts"`
	Currencies int `json:"currencies"`
}

// Import puts all drafts into the books, or none of them. Accounts and
// currencies that are missing are created.
//
// A draft is known by what it says: importing it again adds nothing. Where
// several drafts of one import say the same, all are kept, as the first, the
// second and so on.
func (b *Book) Import(ctx context.Context, drafts []Draft, opt ImportOptions) (ImportResult, error) {
	hashes := make([][sha256.Size]byte, len(drafts))
	for i := range drafts {
		if err := drafts[i].check(); err != nil {
			return ImportResult{}, err
		}
		var err error
		if hashes[i], err = drafts[i].hash(); err != nil {
			return ImportResult{}, err
		}
	}
	if opt.OtherType != "" && !slices.Contains(Types, opt.OtherType) {
		return ImportResult{}, invalid("malformed", "use one of: "+strings.Join(Types, ", "), "unknown account type %q", opt.OtherType)
	}

	var result ImportResult
	err := b.store.Write(ctx, func(ctx context.Context, q *gen.Queries) error {
		im := importer{poster: newPoster(b.now()), opt: opt}
		if err := im.declare(ctx, q, drafts); err != nil {
			return err
		}
		seen := map[[sha256.Size]byte]int{}
		for i := range drafts {
			seen[hashes[i]]++
			if err := im.add(ctx, q, &drafts[i], contentKey(hashes[i], seen[hashes[i]]), hashes[i]); err != nil {
				return err
			}
			if opt.Progress != nil {
				opt.Progress(i+1, len(drafts))
			}
		}
		if err := im.flush(ctx, q); err != nil {
			return err
		}
		result = im.result
		return nil
	})
	return result, explain(err)
}

// importer is one run of Import inside its transaction.
type importer struct {
	*poster
	opt    ImportOptions
	result ImportResult

	// Created, and still without their lines.
	drafts []*Draft
	ids    []int64
	lines  []gen.AddPostingsParams
}

// importGroup is how many drafts get their lines together.
const importGroup = 1000

// declare makes sure that every currency of the drafts exists with as many
// digits as they need.
func (im *importer) declare(ctx context.Context, q *gen.Queries, drafts []Draft) error {
	type need struct {
		digits int
		place  string
	}
	needs := map[string]need{}
	for i := range drafts {
		for j, l := range drafts[i].Lines {
			if n, ok := needs[l.Currency]; !ok || l.Amount.Scale() > n.digits {
				needs[l.Currency] = need{l.Amount.Scale(), drafts[i].place(j)}
			}
		}
	}
	for code, n := range needs {
		have, err := q.GetCurrency(ctx, code)
		switch {
		case errors.Is(err, lido.ErrNoRows):
			have = gen.Currency{Code: code, Digits: int64(max(usualDigits(code), n.digits))}
			im.result.Currencies++
		case err != nil:
			return err
		case int(have.Digits) >= n.digits:
			im.currencies[code] = int(have.Digits)
			continue
		default:
			have.Digits = int64(n.digits)
		}
		if _, err := q.AddCurrency(ctx, gen.AddCurrencyParams{Code: have.Code, Digits: have.Digits}); err != nil {
			var refused *lido.Error
			if errors.As(err, &refused) && strings.Contains(refused.Message, "in use") {
				return at(n.place, invalid("too_precise", "round the amounts, or import them into new books",
					"amount with %d decimals, but %s is in use with fewer", n.digits, code))
			}
			return at(n.place, explain(err))
		}
		im.currencies[code] = int(have.Digits)
	}
	return nil
}

// add posts one draft unless it is known.
func (im *importer) add(ctx context.Context, q *gen.Queries, d *Draft, key string, hash [sha256.Size]byte) error {
	stored, err := findByKey(ctx, &q.ReadQueries, key, hash[:])
	if err != nil {
		return at(d.Where, err)
	}
	if stored.ID != 0 {
		im.result.Known++
		return nil
	}
	for i, l := range d.Lines {
		if _, known := im.accounts[l.Account]; known {
			continue
		}
		if err := im.open(ctx, q, l.Account); err != nil {
			return at(d.place(i), err)
		}
	}
	id, lines, err := im.create(ctx, q, d, key, hash[:])
	if err != nil {
		return err
	}
	im.drafts, im.ids = append(im.drafts, d), append(im.ids, id)
	for _, l := range lines {
		im.lines = append(im.lines, gen.AddPostingsParams(l))
	}
	im.result.Added++
	im.result.Postings += len(d.Lines)
	if len(im.drafts) < importGroup {
		return nil
	}
	return im.flush(ctx, q)
}

// flush adds the lines of the drafts that were created, and posts these.
func (im *importer) flush(ctx context.Context, q *gen.Queries) error {
	if _, err := q.AddPostings(ctx, im.lines); err != nil {
		return im.blame(ctx, q, err)
	}
	var refused error
	q.PostTransactions(ctx, im.ids).Exec(func(i int, err error) {
		if err != nil && refused == nil {
			refused = at(im.drafts[i].Where, explain(err))
		}
	})
	im.drafts, im.ids, im.lines = im.drafts[:0], im.ids[:0], im.lines[:0]
	return refused
}

// blame finds the line for which all were refused: it adds them one by one.
func (im *importer) blame(ctx context.Context, q *gen.Queries, refused error) error {
	lines := im.lines
	for _, d := range im.drafts {
		for i := range d.Lines {
			if err := q.AddPosting(ctx, gen.AddPostingParams(lines[i])); err != nil {
				return at(d.place(i), explain(err))
			}
		}
		lines = lines[len(d.Lines):]
	}
	return refused
}

// open finds or creates an account and those above it.
func (im *importer) open(ctx context.Context, q *gen.Queries, name string) error {
	account, made, err := ensureAccount(ctx, q, name, "", im.now)
	if isUnknownType(err) {
		top, _, _ := strings.Cut(name, ":")
		kind := im.opt.Types[top]
		if kind == "" {
			kind = im.opt.OtherType
		}
		if kind == "" {
			return err
		}
		account, made, err = ensureAccount(ctx, q, name, kind, im.now)
	}
	if err != nil {
		return err
	}
	im.result.Accounts += made
	im.accounts[name] = account
	return nil
}

func isUnknownType(err error) bool {
	var e *Invalid
	return errors.As(err, &e) && e.Code == "unknown_type"
}
