package book_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/cmd/ledger/internal/booktest"
	"github.com/lidodb/lido/cmd/ledger/internal/hledger"
	"github.com/lidodb/lido/cmd/ledger/internal/sample"
)

func sampleDrafts(t testing.TB) (drafts []book.Draft) {
	t.Helper()
	for _, s := range sample.Books() {
		text, err := s.CSV()
		if err != nil {
			t.Fatal(err)
		}
		more, err := hledger.Read(bytes.NewReader(text), s.Name, hledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		drafts = append(drafts, more...)
	}
	return drafts
}

func TestImportingTheSameTwiceAddsNothing(t *testing.T) {
	books, _ := booktest.Open(t)
	drafts := sampleDrafts(t)
	calls := 0
	first, err := books.Import(t.Context(), drafts, book.ImportOptions{Progress: func(done, total int) { calls++ }})
	if err != nil {
		t.Fatal(err)
	}
	if first.Added != len(drafts) || first.Known != 0 || first.Currencies != 2 || calls != len(drafts) {
		t.Errorf("first: %+v, %d calls of Progress, for %d transactions", first, calls, len(drafts))
	}
	before, err := books.Balances(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	second, err := books.Import(t.Context(), drafts, book.ImportOptions{})
	if err != nil || second.Added != 0 || second.Known != len(drafts) || second.Accounts != 0 || second.Currencies != 0 {
		t.Errorf("second: %+v, %v", second, err)
	}
	// A file that holds half of them and one more, in another order.
	more := append([]book.Draft{*sameDay(t)}, drafts[:len(drafts)/2]...)
	third, err := books.Import(t.Context(), more, book.ImportOptions{})
	if err != nil || third.Added != 1 || third.Known != len(drafts)/2 {
		t.Errorf("third: %+v, %v", third, err)
	}
	if len(before.Total) != 2 || before.Total[0].Amount != "0.00" || before.Total[1].Amount != "0.00" {
		t.Errorf("the books come to %v", before.Total)
	}
}

func sameDay(t testing.TB) *book.Draft {
	t.Helper()
	d := booktest.Draft(t, "One more", "assets:cash", "expenses:food:bakery", "2.50")
	return &d
}

func TestTransactionsThatSayTheSameAreAllKept(t *testing.T) {
	books, _ := booktest.Open(t)
	d := *sameDay(t)
	if result, err := books.Import(t.Context(), []book.Draft{d, d, d}, book.ImportOptions{}); err != nil || result.Added != 3 {
		t.Errorf("three at once: %+v, %v", result, err)
	}
	if result, err := books.Import(t.Context(), []book.Draft{d, d, d, d}, book.ImportOptions{}); err != nil || result.Added != 1 || result.Known != 3 {
		t.Errorf("four, of which three are known: %+v, %v", result, err)
	}
}

func TestAnImportThatFailsAtTheEndAddsNothing(t *testing.T) {
	decimal := func(text string) book.Decimal {
		d, err := book.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, test := range map[string]struct {
		spoil func(*book.Draft)
		want  string
	}{
		"unbalanced":   {func(d *book.Draft) { d.Lines[0].Amount = decimal("1") }, `last.csv:9: transaction "One more" of 2025-01-31 is off by -1.50 EUR`},
		"unknown type": {func(d *book.Draft) { d.Lines[0].Account = "Kiosk:Kasse" }, `the name of account "Kiosk" does not say its type`},
		"bad account":  {func(d *book.Draft) { d.Lines[0].Account = "a::b" }, `account name "a::b"`},
		"overflow":     {func(d *book.Draft) { d.Lines[0].Amount = decimal("99999999999999999") }, "beyond what the ledger can hold"},
		"bad currency": {func(d *book.Draft) { d.Lines[0].Currency = " " }, "not a name"},
	} {
		t.Run(name, func(t *testing.T) {
			books, _ := booktest.Open(t)
			bad := *sameDay(t)
			bad.Where = "last.csv:9"
			test.spoil(&bad)
			_, err := books.Import(t.Context(), append(sampleDrafts(t)[:50:50], bad), book.ImportOptions{})
			var refused *book.Invalid
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %q", err, test.want)
			}
			tree, err := books.Balances(t.Context(), "")
			if empty, emptyErr := books.Empty(t.Context()); err != nil || emptyErr != nil || !empty || len(tree.Nodes) != 0 {
				t.Errorf("something stayed: %d accounts, %v, %v", len(tree.Nodes), err, emptyErr)
			}
		})
	}
}

func TestCurrenciesGetTheDigitsThatTheFileNeeds(t *testing.T) {
	books, _ := booktest.Open(t)
	d := *sameDay(t)
	fine := booktest.Draft(t, "Fine", "assets:cash", "expenses:food:bakery", "0.00125")
	fine.Lines[0].Currency, fine.Lines[1].Currency = "BTC", "BTC"
	if _, err := books.Import(t.Context(), []book.Draft{d, fine}, book.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	list, err := books.Currencies(t.Context())
	if err != nil || len(list) != 2 || list[0] != (book.Currency{Code: "BTC", Digits: 5}) || list[1] != (book.Currency{Code: "EUR", Digits: 2}) {
		t.Errorf("%v, %v", list, err)
	}
	finer := booktest.Draft(t, "Finer", "assets:cash", "expenses:food:bakery", "1.005")
	finer.Where = "finer.csv:2"
	if _, err := books.Import(t.Context(), []book.Draft{finer}, book.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "EUR is in use with fewer") {
		t.Errorf("a third decimal for euros in use: %v", err)
	}
}

func TestTheFewCurrenciesWithFourDigitsGetThem(t *testing.T) {
	books, _ := booktest.Open(t)
	var drafts []book.Draft
	for _, code := range []string{"CLF", "UYW", "JPY", "TND"} {
		d := booktest.Draft(t, code, "assets:cash", "expenses:food", "2")
		d.Lines[0].Currency, d.Lines[1].Currency = code, code
		drafts = append(drafts, d)
	}
	if _, err := books.Import(t.Context(), drafts, book.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	list, err := books.Currencies(t.Context())
	if got := fmt.Sprint(list); err != nil || got != "[{CLF 4} {JPY 0} {TND 3} {UYW 4}]" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestAnImportCountsTheAccountsThatItMadeAndThoseAboveThem(t *testing.T) {
	books, _ := booktest.Open(t)
	if _, err := books.AddAccount(t.Context(), "assets:bank", ""); err != nil {
		t.Fatal(err)
	}
	drafts := []book.Draft{
		booktest.Draft(t, "one", "assets:bank", "expenses:food:bakery", "2"), // 3
		booktest.Draft(t, "two", "assets:bank:giro", "expenses:food", "2"),   // 1
		booktest.Draft(t, "three", "Kasse:Laden", "expenses:food", "2"),      // 2
	}
	result, err := books.Import(t.Context(), drafts, book.ImportOptions{OtherType: book.Asset})
	if err != nil || result.Accounts != 6 {
		t.Errorf("%+v, %v; want 6 accounts", result, err)
	}
}

func TestTypesOfOtherAccountsCanBeSaid(t *testing.T) {
	books, _ := booktest.Open(t)
	d := *sameDay(t)
	d.Lines[0].Account, d.Lines[1].Account = "Kiosk:Kasse", "Laden"
	opt := book.ImportOptions{Types: map[string]string{"Kiosk": book.Asset}, OtherType: book.Expense}
	if _, err := books.Import(t.Context(), []book.Draft{d}, opt); err != nil {
		t.Fatal(err)
	}
	tree, err := books.Balances(t.Context(), "")
	if err != nil || len(tree.Nodes) != 3 || tree.Nodes[1].Type != book.Asset || tree.Nodes[2].Type != book.Expense {
		t.Errorf("%+v, %v", tree.Nodes, err)
	}
}

func TestAnImportThatIsInterruptedAddsNothing(t *testing.T) {
	books, _ := booktest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := books.Import(ctx, sampleDrafts(t), book.ImportOptions{Progress: func(done, _ int) {
		if done == 500 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if empty, err := books.Empty(t.Context()); err != nil || !empty {
		t.Errorf("something was stored: %v, %v", empty, err)
	}
}

// What the database refuses among many lines or transactions is still named.
func TestAnImportNamesTheLineOrTransactionThatTheDatabaseRefuses(t *testing.T) {
	for trigger, want := range map[string]string{
		"BEFORE INSERT ON postings WHEN NEW.transaction_id = 3 AND NEW.line = 2":      "third, line 2",
		"BEFORE UPDATE OF posted ON transactions WHEN NEW.description LIKE 'Book %2'": "second",
	} {
		books, db := booktest.Open(t)
		if err := exec(t, db, "CREATE TRIGGER refuse "+trigger+" BEGIN SELECT RAISE(ABORT, 'closed by the test'); END"); err != nil {
			t.Fatal(err)
		}
		var drafts []book.Draft
		for i, where := range []string{"first", "second", "third"} {
			d := booktest.Draft(t, fmt.Sprint("Book ", i+1), cash, food, "12.50")
			d.Where = where
			for j := range d.Lines {
				d.Lines[j].Where = fmt.Sprintf("%s, line %d", where, j+1)
			}
			drafts = append(drafts, d)
		}
		_, err := books.Import(t.Context(), drafts, book.ImportOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), want+": ") || !strings.Contains(err.Error(), "closed by the test") {
			t.Errorf("%s: got %v, want the place %q", trigger, err, want)
		}
		if empty, err := books.Empty(t.Context()); err != nil || !empty {
			t.Errorf("something was stored: %v, %v", empty, err)
		}
	}
}
