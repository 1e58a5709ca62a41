package book

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what one transaction may hold.
const (
	MaxLines       = 1000
	MaxTextBytes   = 10_000
	MaxAccountName = 255
	MaxKeyBytes    = 200
)

// Draft is a transaction that somebody wants in the books.
type Draft struct {
	// Where names it in errors: "books.csv:17". It may be empty.
	Where string `json:"-"`

	Date        string            `json:"date"`
	Status      string            `json:"status,omitempty"`
	Code        string            `json:"code,omitempty"`
	Description string            `json:"description"`
	Comment     string            `json:"comment,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Lines       []Line            `json:"postings"`
}

// Line is one posting of a Draft.
type Line struct {
	Where string `json:"-"`

	Account  string  `json:"account"`
	Amount   Decimal `json:"amount"`
	Currency string  `json:"currency"`
	Status   string  `json:"status,omitempty"`
	Comment  string  `json:"comment,omitempty"`
}

// MarshalText writes the number as [Decimal.String] does.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [ParseDecimal] reads.
func (d *Decimal) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDecimal(string(text))
	return err
}

// hash identifies what a draft says. Where it came from does not count.
func (d *Draft) hash() ([sha256.Size]byte, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(text), nil
}

// check refuses what can be refused without the database.
func (d *Draft) check() error {
	if _, err := time.Parse(time.DateOnly, d.Date); err != nil {
		return at(d.Where, invalid("malformed", "write it like 2025-01-31", "date %q is not a day", d.Date))
	}
	if err := checkStatus(d.Status); err != nil {
		return at(d.Where, err)
	}
	for name, text := range map[string]string{"code": d.Code, "description": d.Description, "comment": d.Comment} {
		if err := checkText(name, text); err != nil {
			return at(d.Where, err)
		}
	}
	for name, value := range d.Tags {
		if err := checkText("tag "+name, name+value); err != nil {
			return at(d.Where, err)
		}
	}
	switch {
	case len(d.Lines) == 0:
		return at(d.Where, invalid("malformed", "add two or more that sum to zero", "transaction has no postings"))
	case len(d.Lines) > MaxLines:
		return at(d.Where, invalid("too_large", "split it", "transaction has %d postings, more than %d", len(d.Lines), MaxLines))
	}
	for i := range d.Lines {
		if err := d.Lines[i].check(); err != nil {
			return at(d.place(i), err)
		}
	}
	return nil
}

// place names a line in errors.
func (d *Draft) place(i int) string {
	if d.Lines[i].Where != "" {
		return d.Lines[i].Where
	}
	return fmt.Sprintf("posting %d", i+1)
}

func (l *Line) check() error {
	if err := CheckAccountName(l.Account); err != nil {
		return err
	}
	if err := CheckCurrencyCode(l.Currency); err != nil {
		return err
	}
	if err := checkStatus(l.Status); err != nil {
		return err
	}
	return checkText("comment", l.Comment)
}

// sums adds up the lines, given in smallest units, and refuses the draft
// unless every currency comes to zero.
func (d *Draft) sums(minor []int64, digits map[string]int) error {
	sums, moved := map[string]int64{}, map[string]int64{}
	for i, l := range d.Lines {
		var ok bool
		if moved[l.Currency], ok = addChecked(moved[l.Currency], max(minor[i], -minor[i])); !ok {
			return at(d.place(i), invalid("too_large", "split the transaction", "the postings in %s sum up beyond what the ledger can hold", l.Currency))
		}
		sums[l.Currency] += minor[i] // no larger than what was moved
	}
	var off []string
	for currency, sum := range sums {
		if sum != 0 {
			off = append(off, FormatMinor(sum, digits[currency])+" "+currency)
		}
	}
	if len(off) == 0 {
		return nil
	}
	slices.Sort(off)
	remedy := "make them sum to zero in each currency"
	if len(off) > 1 {
		remedy += "; for an exchange add postings to an account such as equity:conversion"
	}
	return at(d.Where, invalid("unbalanced", remedy, "transaction %q of %s is off by %s", d.Description, d.Date, strings.Join(off, ", ")))
}

// CheckAccountName refuses what cannot name an account.
func CheckAccountName(name string) error {
	switch {
	case name == "":
		return invalid("malformed", `name it like "assets:bank:checking"`, "account has no name")
	case len(name) > MaxAccountName:
		return invalid("malformed", "shorten it", "account name %.40q... is longer than %d bytes", name, MaxAccountName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return invalid("malformed", "remove them", "account name %q holds control characters or broken UTF-8", name)
	}
	for part := range strings.SplitSeq(name, ":") {
		if part == "" || strings.TrimSpace(part) != part {
			return invalid("malformed", `write it like "assets:bank:checking"`,
				"account name %q has an empty part, or spaces around one", name)
		}
	}
	return nil
}

// CheckCurrencyCode refuses what cannot name a currency.
func CheckCurrencyCode(code string) error {
	if code == "" || utf8.RuneCountInString(code) > 32 || strings.TrimSpace(code) != code || !utf8.ValidString(code) ||
		strings.ContainsFunc(code, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid("malformed", `name it like "EUR"`, "currency %q is not a name of 1 to 32 characters", code)
	}
	return nil
}

func checkStatus(status string) error {
	if status != "" && status != "!" && status != "*" {
		return invalid("malformed", `leave it out or write "!" or "*"`, "unknown status %q", status)
	}
	return nil
}

func checkText(name, text string) error {
	if len(text) > MaxTextBytes {
		return invalid("too_large", "shorten it", "%s is longer than %d bytes", name, MaxTextBytes)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return invalid("malformed", "remove them", "%s holds NUL or broken UTF-8", name)
	}
	return nil
}

// Account types.
const (
	Asset     = "asset"
	Liability = "liability"
	Equity    = "equity"
	Income    = "income"
	Expense   = "expense"
)

// Types are the types an account can have.
var Types = []string{Asset, Liability, Equity, Income, Expense}

// typeNames are the top-level names that say their type, as hledger has them.
//
// https://hledger.org/hledger.html#account-types
var typeNames = []struct {
	pattern *regexp.Regexp
	kind    string
}{
	{regexp.MustCompile(`(?i)^assets?$`), Asset},
	{regexp.MustCompile(`(?i)^(debts?|liabilit(y|ies))$`), Liability},
	{regexp.MustCompile(`(?i)^equity$`), Equity},
	{regexp.MustCompile(`(?i)^(income|revenue)s?$`), Income},
	{regexp.MustCompile(`(?i)^expenses?$`), Expense},
}

// TypeOf tells the type of an account by its top-level name, or "" when the
// name says nothing.
func TypeOf(name string) string {
	top, _, _ := strings.Cut(name, ":")
	for _, t := range typeNames {
		if t.pattern.MatchString(top) {
			return t.kind
		}
	}
	return ""
}
