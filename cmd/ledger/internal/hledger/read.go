package hledger

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
)

// Header is the first row of the format.
var Header = []string{
	"txnidx", "date", "date2", "status", "code", "description", "comment", "account",
	"amount", "commodity", "credit", "debit", "posting-status", "posting-comment",
}

// NoCurrency is the currency of amounts that have none, as ISO 4217 has it.
const NoCurrency = "XXX"

// Options say how to read a file. The zero value is right for most.
type Options struct {
	// DecimalMark is '.' or ','; 0 finds it in each number.
	DecimalMark byte
	// RealOnly leaves out virtual postings, as hledger's --real does.
	RealOnly bool
}

// row is one line of the file by the names of its columns.
type row struct {
	line                                                  int
	txnidx, date, date2, status, code, description        string
	comment, account, amount, commodity, pstatus, pcommnt string
}

// Read reads a whole file. name is what errors call it. Nothing is returned
// with an error, which is a *[book.Invalid] for a mistake in the file.
func Read(r io.Reader, name string, opt Options) ([]book.Draft, error) {
	buffered := bufio.NewReader(r)
	if mark, _ := buffered.Peek(3); string(mark) == "\ufeff" {
		if _, err := buffered.Discard(3); err != nil {
			return nil, err
		}
	}
	in := csv.NewReader(buffered)
	in.FieldsPerRecord = -1 // counted below, with a better message
	in.ReuseRecord = true

	var drafts []book.Draft
	var previous row
	for first := true; ; first = false {
		record, err := in.Read()
		if err == io.EOF && first {
			return nil, malformed(name, 1, "write it with: hledger print -O csv", "the file is empty")
		}
		if err == io.EOF {
			return finish(drafts), nil
		}
		if err != nil {
			return nil, csvError(name, err)
		}
		line, _ := in.FieldPos(0)
		if first {
			if err := checkHeader(name, record); err != nil {
				return nil, err
			}
			continue
		}
		if len(record) != len(Header) {
			return nil, malformed(name, line, "the file may have been cut or edited; export it again",
				"%d columns where %d belong", len(record), len(Header))
		}
		this := newRow(record, line)
		if drafts, err = this.appendTo(drafts, previous, name, opt); err != nil {
			return nil, err
		}
		previous = this
	}
}

func newRow(f []string, line int) row {
	return row{line: line, txnidx: f[0], date: f[1], date2: f[2], status: f[3], code: f[4], description: f[5],
		comment: f[6], account: f[7], amount: f[8], commodity: f[9], pstatus: f[12], pcommnt: f[13]}
}

// appendTo adds the row to the transaction before it, or begins a new one.
func (r row) appendTo(drafts []book.Draft, previous row, name string, opt Options) ([]book.Draft, error) {
	place := func(column string) string { return fmt.Sprintf("%s:%d, column %s", name, r.line, column) }
	if r.txnidx == "" {
		return nil, &book.Invalid{Code: "malformed", Where: place("txnidx"), Problem: "no transaction number",
			Remedy: "write the file with: hledger print -O csv"}
	}
	if len(drafts) == 0 || r.txnidx != previous.txnidx {
		if _, err := time.Parse(time.DateOnly, r.date); err != nil {
			return nil, &book.Invalid{Code: "malformed", Where: place("date"),
				Problem: fmt.Sprintf("%q is not a day", r.date), Remedy: "write it like 2025-01-31"}
		}
		if r.status != "" && r.status != "!" && r.status != "*" {
			return nil, &book.Invalid{Code: "malformed", Where: place("status"),
				Problem: fmt.Sprintf("unknown status %q", r.status), Remedy: `leave it empty or write "!" or "*"`}
		}
		drafts = append(drafts, book.Draft{
			Where: fmt.Sprintf("%s:%d", name, r.line), Date: r.date, Status: r.status, Code: r.code,
			Description: r.description, Comment: r.comment, Tags: tags(r.comment, r.date2),
		})
	} else if r.date != previous.date || r.description != previous.description {
		return nil, &book.Invalid{Code: "malformed", Where: place("txnidx"),
			Problem: fmt.Sprintf("transaction %s has another date or description than in the line before", r.txnidx),
			Remedy:  "do not join two exports into one file; import them one after the other"}
	}

	if opt.RealOnly && isVirtual(r.account) {
		return drafts, nil
	}
	account, err := accountName(r.account)
	if err != nil {
		err.Where = place("account")
		return nil, err
	}
	amount, amountErr := book.ParseDecimalMark(r.amount, opt.DecimalMark)
	var bad *book.Invalid
	if errors.As(amountErr, &bad) {
		bad.Where = place("amount")
		return nil, bad
	}
	draft := &drafts[len(drafts)-1]
	draft.Lines = append(draft.Lines, book.Line{
		Where: fmt.Sprintf("%s:%d", name, r.line), Account: account, Amount: amount,
		Currency: r.commodity, Status: r.pstatus, Comment: r.pcommnt,
	})
	return drafts, nil
}

// finish gives every amount a currency. A bare zero is in the currency of the
// lines around it; a bare number of another value is in none. Transactions that
// were left with no posting go.
func finish(drafts []book.Draft) []book.Draft {
	drafts = slices.DeleteFunc(drafts, func(d book.Draft) bool { return len(d.Lines) == 0 })
	for _, d := range drafts {
		around := NoCurrency
		if i := slices.IndexFunc(d.Lines, func(l book.Line) bool { return l.Currency != "" }); i >= 0 {
			around = d.Lines[i].Currency
		}
		for i := range d.Lines {
			switch l := &d.Lines[i]; {
			case l.Currency != "":
			case l.Amount == book.Decimal{}:
				l.Currency = around
			default:
				l.Currency = NoCurrency
			}
		}
	}
	return drafts
}

// accountName takes the brackets off a balanced virtual posting.
func accountName(name string) (string, *book.Invalid) {
	if strings.HasPrefix(name, "(") && strings.HasSuffix(name, ")") {
		return "", &book.Invalid{Code: "unsupported",
			Problem: fmt.Sprintf("%s is an unbalanced virtual posting, which double entry has no place for", name),
			Remedy:  "leave virtual postings out with --real"}
	}
	if isVirtual(name) {
		name = name[1 : len(name)-1]
	}
	return name, nil
}

func isVirtual(account string) bool {
	return strings.HasPrefix(account, "(") && strings.HasSuffix(account, ")") ||
		strings.HasPrefix(account, "[") && strings.HasSuffix(account, "]")
}

// tag matches "name:value" where hledger sees a tag in a comment.
var tag = regexp.MustCompile(`(?:^|[\s,])([^\s:,]+):([^,\n]*)`)

func tags(comment, date2 string) map[string]string {
	found := map[string]string{}
	for _, m := range tag.FindAllStringSubmatch(comment, -1) {
		found[m[1]] = strings.TrimSpace(m[2])
	}
	if date2 != "" {
		found["date2"] = date2
	}
	return found
}

func checkHeader(name string, record []string) error {
	for i, want := range Header {
		if i >= len(record) || record[i] != want {
			have := "nothing"
			if i < len(record) {
				have = fmt.Sprintf("%q", record[i])
			}
			return malformed(name, 1, "write the file with: hledger print -O csv",
				"column %d is %s where %q belongs, so this is not a CSV of hledger's print", i+1, have, want)
		}
	}
	if len(record) > len(Header) {
		return malformed(name, 1, "write the file with: hledger print -O csv", "unknown column %q", record[len(Header)])
	}
	return nil
}

func csvError(name string, err error) error {
	var bad *csv.ParseError
	if !errors.As(err, &bad) {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return malformed(name, bad.StartLine, "the file may have been cut or edited; export it again", "%v", bad.Err)
}

func malformed(name string, line int, remedy, format string, args ...any) *book.Invalid {
	return &book.Invalid{Code: "malformed", Where: fmt.Sprintf("%s:%d", name, line),
		Problem: fmt.Sprintf(format, args...), Remedy: remedy}
}
