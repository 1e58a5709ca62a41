package book_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/cmd/ledger/internal/booktest"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

const (
	bank   = "assets:bank:checking"
	cash   = "assets:cash"
	food   = "expenses:food"
	salary = "income:salary"
)

func TestAPostedTransactionMovesTheBalances(t *testing.T) {
	books, _ := booktest.Open(t)
	booktest.Fill(t, books)
	d := booktest.Draft(t, "Salary", salary, bank, "2500.10")
	d.Tags = map[string]string{"payslip": "2025-01"}
	posted, replayed, err := books.Post(t.Context(), d, "")
	if err != nil || replayed {
		t.Fatalf("posted: %v, replayed %v", err, replayed)
	}
	if len(posted.Postings) != 2 || posted.Postings[0].Amount != "2500.10" || posted.Tags["payslip"] != "2025-01" {
		t.Errorf("stored as %+v", posted)
	}
	if _, _, err := books.Post(t.Context(), booktest.Draft(t, "Cash machine", bank, cash, "100"), ""); err != nil {
		t.Fatal(err)
	}
	tree, err := books.Balances(t.Context(), "assets")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"assets": "2500.10", "assets:bank": "2400.10", bank: "2400.10", cash: "100.00"}
	for _, n := range tree.Nodes {
		if len(n.Total) != 1 || n.Total[0].Amount != want[n.Name] || n.Total[0].Currency != "EUR" {
			t.Errorf("%s comes to %v, want %s", n.Name, n.Total, want[n.Name])
		}
	}
	if len(tree.Nodes) != len(want) {
		t.Errorf("the tree has %d accounts, want %d", len(tree.Nodes), len(want))
	}
	entries, err := books.Register(t.Context(), "assets:bank", "", "")
	if err != nil || len(entries) != 2 || entries[1].Balance != "2400.10" {
		t.Errorf("register: %+v, %v", entries, err)
	}
}

func TestDraftsThatCannotBePostedChangeNothing(t *testing.T) {
	books, _ := booktest.Open(t)
	booktest.Fill(t, books)
	if err := books.CloseAccount(t.Context(), cash, true); err != nil {
		t.Fatal(err)
	}
	good := func() book.Draft { return booktest.Draft(t, "Groceries", bank, food, "10") }
	amount := func(text string) book.Decimal {
		d, err := book.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, test := range map[string]struct {
		spoil      func(*book.Draft)
		code, want string
	}{
		"unbalanced":         {func(d *book.Draft) { d.Lines[0].Amount = amount("10.01") }, "unbalanced", "off by 0.01 EUR"},
		"two currencies":     {func(d *book.Draft) { d.Lines[0].Currency = "USD" }, "unbalanced", "equity:conversion"},
		"unknown account":    {func(d *book.Draft) { d.Lines[1].Account = "assets:bnak" }, "unknown_account", `posting 2: there is no account "assets:bnak"`},
		"closed account":     {func(d *book.Draft) { d.Lines[1].Account = cash }, "account_closed", "assets:cash"},
		"unknown currency":   {func(d *book.Draft) { d.Lines[0].Currency = "EUX" }, "unknown_currency", `posting 1: there is no currency "EUX"`},
		"too many decimals":  {func(d *book.Draft) { d.Lines[0].Amount = amount("1.005") }, "too_precise", "3 decimals"},
		"overflow":           {func(d *book.Draft) { d.Lines[0].Amount = amount("99999999999999999") }, "too_large", "posting 1"},
		"no postings":        {func(d *book.Draft) { d.Lines = nil }, "malformed", "no postings"},
		"bad date":           {func(d *book.Draft) { d.Date = "2025-02-30" }, "malformed", "2025-02-30"},
		"bad status":         {func(d *book.Draft) { d.Status = "?" }, "malformed", "status"},
		"empty account part": {func(d *book.Draft) { d.Lines[0].Account = "assets::x" }, "malformed", "assets::x"},
		"NUL in text":        {func(d *book.Draft) { d.Description = "a\x00b" }, "malformed", "description"},
		"endless text":       {func(d *book.Draft) { d.Comment = strings.Repeat("x", book.MaxTextBytes+1) }, "too_large", "comment"},
	} {
		t.Run(name, func(t *testing.T) {
			d := good()
			test.spoil(&d)
			_, _, err := books.Post(t.Context(), d, "key")
			var refused *book.Invalid
			if !errors.As(err, &refused) || refused.Code != test.code || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want code %s and the words %q", err, test.code, test.want)
			}
		})
	}
	if empty, err := books.Empty(t.Context()); err != nil || !empty {
		t.Errorf("something was stored: %v, %v", empty, err)
	}
}

func TestNoSumCanOverflow(t *testing.T) {
	books, _ := booktest.Open(t)
	booktest.Fill(t, books)
	// Nine times the bound of one amount, in all directions.
	posted := 0
	for _, accounts := range [][2]string{{salary, bank}, {salary, cash}, {bank, food}, {salary, bank}, {salary, cash}, {cash, food}, {salary, food}} {
		_, _, err := books.Post(t.Context(), booktest.Draft(t, "A lot", accounts[0], accounts[1], "9999999999999999.99"), "")
		var refused *book.Invalid
		switch {
		case err == nil:
			posted++
		case !errors.As(err, &refused) || refused.Code != "too_large":
			t.Errorf("after %d: %v; want it refused as too large", posted, err)
		}
	}
	if posted != 4 {
		t.Errorf("%d were posted, want 4: what was moved is bounded by 9 times 10 to the 18th", posted)
	}
	if _, err := books.Balances(t.Context(), ""); err != nil {
		t.Errorf("the tree: %v", err)
	}
	if entries, err := books.Register(t.Context(), "assets", "", ""); err != nil || len(entries) != 4 {
		t.Errorf("the register: %d, %v", len(entries), err)
	}

	// One transaction whose parts sum up beyond 64 bits on the way to zero.
	large := booktest.Draft(t, "Too much at once", salary, bank, "9999999999999999.99")
	for len(large.Lines) < 20 {
		large.Lines = append(large.Lines, large.Lines[:2]...)
	}
	var refused *book.Invalid
	if _, _, err := books.Post(t.Context(), large, ""); !errors.As(err, &refused) || refused.Code != "too_large" {
		t.Errorf("beyond 64 bits: %v", err)
	}
}

func TestTheSameKeyAnswersAsTheFirstTime(t *testing.T) {
	books, _ := booktest.Open(t)
	booktest.Fill(t, books)
	d := booktest.Draft(t, "Groceries", bank, food, "12.50")
	first, replayed, err := books.Post(t.Context(), d, "k1")
	if err != nil || replayed {
		t.Fatal(err, replayed)
	}
	again, replayed, err := books.Post(t.Context(), d, "k1")
	if err != nil || !replayed || again.ID != first.ID || !again.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("got %+v, replayed %v, %v; want %+v", again, replayed, err, first)
	}
	if _, _, err := books.Post(t.Context(), booktest.Draft(t, "Groceries", bank, food, "12.51"), "k1"); !errors.Is(err, book.ErrKeyReused) {
		t.Errorf("another draft under the key: %v", err)
	}
	if other, replayed, err := books.Post(t.Context(), d, "k2"); err != nil || replayed || other.ID == first.ID {
		t.Errorf("the same draft under another key: %+v, %v, %v", other, replayed, err)
	}
}

func TestThePagesOfTransactionsHoldEachOnce(t *testing.T) {
	books, _ := booktest.Open(t)
	booktest.Fill(t, books)
	for n := range 23 {
		d := booktest.Draft(t, "Groceries", bank, food, "1")
		d.Date = []string{"2025-03-01", "2025-01-01", "2025-02-01"}[n%3]
		if _, _, err := books.Post(t.Context(), d, ""); err != nil {
			t.Fatal(err)
		}
	}
	seen, last := map[int64]bool{}, "9999"
	for at, more := book.Start, true; more; {
		list, next, ok, err := books.Page(t.Context(), at, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, tr := range list {
			if seen[tr.ID] || tr.Date > last {
				t.Fatalf("transaction %d of %s comes twice or after %s", tr.ID, tr.Date, last)
			}
			seen[tr.ID], last = true, tr.Date
		}
		at, more = next, ok
	}
	if len(seen) != 23 {
		t.Errorf("the pages hold %d of 23", len(seen))
	}
}

func TestSearchFindsWordsWithoutAccentsAndTakesNoOperators(t *testing.T) {
	books, _ := booktest.Open(t)
	booktest.Fill(t, books)
	if _, _, err := books.Post(t.Context(), booktest.Draft(t, "Café Krüger", bank, food, "4.20"), ""); err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]int{"cafe": 1, "kruger cafe": 1, "krug": 1, "cafe AND": 0, `"`: 0, "-cafe": 1, "cafe*": 1, "nothing": 0, "description:cafe": 0} {
		list, err := books.Search(t.Context(), words, 10)
		if err != nil || len(list) != want {
			t.Errorf("%q finds %d, %v; want %d", words, len(list), err, want)
		}
	}
	if _, err := books.Search(t.Context(), " ", 10); err == nil {
		t.Error("an empty search was not refused")
	}
}

func TestASearchIsBounded(t *testing.T) {
	books, _ := booktest.Open(t)
	for _, words := range []string{strings.Repeat("a ", book.MaxSearchWords+1), strings.Repeat("x", book.MaxSearchBytes+1)} {
		var bad *book.Invalid
		if _, err := books.Search(t.Context(), words, 10); !errors.As(err, &bad) || bad.Code != "too_large" {
			t.Errorf("%.20s... of %d bytes: %v", words, len(words), err)
		}
	}
	for _, words := range []string{strings.Repeat("a ", book.MaxSearchWords), strings.Repeat("a.", book.MaxSearchBytes/2)} {
		if _, err := books.Search(t.Context(), words, 10); err != nil {
			t.Errorf("%.20s... of %d bytes: %v", words, len(words), err)
		}
	}
}

func TestAnAttachmentsNameHoldsNoControlCharacters(t *testing.T) {
	books, _ := booktest.Open(t)
	booktest.Fill(t, books)
	posted, _, err := books.Post(t.Context(), booktest.Draft(t, "Groceries", bank, food, "12.50"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "a\x00b", "a\nb", "\x1b[2J", "\x7f", "a\u0085b", "\xff", strings.Repeat("x", 256)} {
		var bad *book.Invalid
		if _, err := books.Attach(t.Context(), posted.ID, name, "text/plain", nil); !errors.As(err, &bad) {
			t.Errorf("%q: %v; want it refused", name, err)
		}
	}
	if _, err := books.Attach(t.Context(), posted.ID, "Café 1.pdf", "text/plain", nil); err != nil {
		t.Error(err)
	}
}

func TestAttachmentsComeBackAsTheyWere(t *testing.T) {
	books, _ := booktest.Open(t)
	booktest.Fill(t, books)
	posted, _, err := books.Post(t.Context(), booktest.Draft(t, "Groceries", bank, food, "4.20"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"first", "", "second\x00\xff"} {
		if _, err := books.Attach(t.Context(), posted.ID, "receipt.pdf", "application/pdf", []byte(content)); err != nil {
			t.Fatal(err)
		}
		a, err := books.Attachment(t.Context(), posted.ID, "receipt.pdf")
		if err != nil || string(a.Content) != content {
			t.Errorf("got %q, %v; want %q", a.Content, err, content)
		}
	}
	if list, err := books.Attachments(t.Context(), posted.ID); err != nil || len(list) != 1 || list[0].SizeBytes != 8 {
		t.Errorf("got %+v, %v; want one of 8 bytes", list, err)
	}
	if _, err := books.Attach(t.Context(), 99, "x", "", nil); !errors.Is(err, book.ErrNotFound) {
		t.Errorf("beside no transaction: %v", err)
	}
}

// exec runs SQL that the ledger itself never runs.
func exec(t *testing.T, db *pool.DB, sql string) error {
	t.Helper()
	return db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, sql) })
}

func TestTheDatabaseItselfProtectsWhatIsPosted(t *testing.T) {
	books, db := booktest.Open(t)
	booktest.Fill(t, books)
	if _, _, err := books.Post(t.Context(), booktest.Draft(t, "Groceries", bank, food, "12.50"), "k"); err != nil {
		t.Fatal(err)
	}
	const draft = "INSERT INTO transactions(id, date, description) VALUES (50, '2025-01-01', 'draft');"
	for _, sql := range []string{
		"UPDATE transactions SET description = 'changed'",
		"UPDATE transactions SET posted = 0",
		"UPDATE transactions SET id = 7",
		"DELETE FROM transactions",
		"INSERT OR REPLACE INTO transactions(id, date, description) VALUES (1, '2025-01-01', 'other')",
		"INSERT OR REPLACE INTO transactions(date, description, idempotency_key, request_hash) VALUES ('2025-01-01', 'other', 'post:k', zeroblob(32))",
		"INSERT INTO transactions(date, description, posted) VALUES ('2025-01-01', 'born posted', 1)",
		"UPDATE postings SET amount = amount + 1",
		"UPDATE postings SET account_id = 1",
		"DELETE FROM postings",
		"INSERT INTO postings(transaction_id, line, account_id, currency, amount) VALUES (1, 9, 1, 'EUR', 0)",
		draft + "INSERT OR REPLACE INTO postings(id, transaction_id, line, account_id, currency, amount) VALUES (1, 50, 1, 1, 'EUR', 0)",
		draft + "UPDATE OR REPLACE postings SET transaction_id = 50",
		draft + "UPDATE transactions SET posted = 1 WHERE id = 50",
		draft + "INSERT INTO postings(transaction_id, line, account_id, currency, amount) VALUES (50, 1, 1, 'EUR', 5); UPDATE transactions SET posted = 1 WHERE id = 50",
		draft + "INSERT INTO postings(transaction_id, line, account_id, currency, amount) VALUES (50, 1, 1, 'EUR', 1000000000000000000)",
		draft + "INSERT INTO postings(transaction_id, line, account_id, currency, amount) VALUES (50, 1, 1, 'EUR', 1.5)",
		"UPDATE currencies SET digits = 3 WHERE code = 'EUR'",
		"UPDATE accounts SET name = 'assets:other' WHERE name = 'assets:cash'",
		"UPDATE accounts SET type = 'income' WHERE name = 'assets:cash'",
		"DELETE FROM accounts WHERE name = 'expenses:food'",
		"INSERT INTO accounts(parent_id, name, type) SELECT id, 'assets:a:b', 'asset' FROM accounts WHERE name = 'assets'",
		"INSERT INTO accounts(parent_id, name, type) SELECT id, 'assets:a', 'income' FROM accounts WHERE name = 'assets'",
		"INSERT INTO accounts(name, type) VALUES ('a:b', 'asset')",
	} {
		err := exec(t, db, "BEGIN IMMEDIATE; "+sql)
		var refused *lido.Error
		if !errors.As(err, &refused) || refused.Code != 19 {
			t.Errorf("%s\nwas answered with %v; want a constraint to refuse it", sql, err)
		}
		// The connection was released in its transaction: the pool rolls back.
	}
}

func TestCheckFindsABalanceWhoseAccountIsGone(t *testing.T) {
	books, db := booktest.Open(t)
	booktest.Fill(t, books)
	if _, _, err := books.Post(t.Context(), booktest.Draft(t, "Groceries", bank, food, "12.50"), ""); err != nil {
		t.Fatal(err)
	}
	const move = "PRAGMA foreign_keys = OFF; UPDATE balances SET account_id = %s WHERE account_id = %s; PRAGMA foreign_keys = ON"
	account := "(SELECT id FROM accounts WHERE name = '" + bank + "')"
	if err := exec(t, db, fmt.Sprintf(move, "99", account)); err != nil {
		t.Fatal(err)
	}
	var found *book.Difference
	if _, err := books.Check(t.Context()); !errors.As(err, &found) || !strings.Contains(err.Error(), "is kept for account 99, which does not exist") {
		t.Errorf("got %v", err)
	}
	if err := exec(t, db, fmt.Sprintf(move, account, "99")); err != nil {
		t.Fatal(err)
	}
}

func TestCheckNamesTheFirstDifference(t *testing.T) {
	for name, test := range map[string]struct{ damage, want string }{
		"balance":      {"UPDATE balances SET amount = amount + 1 WHERE currency = 'EUR'", `account "assets:bank:checking" in EUR`},
		"count":        {"UPDATE balances SET postings = postings + 1", "after 2 postings, the postings make"},
		"turnover":     {"UPDATE currencies SET turnover = turnover + 1 WHERE code = 'EUR'", "currency EUR: the turnover kept is 2501, the postings make 2500"},
		"balance gone": {"DELETE FROM balances", "no balance is kept"},
		"posting":      {"DROP TRIGGER postings_of_posted_are_final; UPDATE postings SET amount = 1 WHERE amount > 0", `"Groceries" of 2025-01-31, is off by`},
		"no postings":  {"DROP TRIGGER postings_of_posted_are_kept; DELETE FROM postings; DELETE FROM balances; UPDATE currencies SET turnover = 0", "only 0 have postings"},
		"attachment":   {"UPDATE attachments SET content = x'00'", `attachment "receipt" of transaction 1`},
	} {
		t.Run(name, func(t *testing.T) {
			books, db := booktest.Open(t)
			booktest.Fill(t, books)
			posted, _, err := books.Post(t.Context(), booktest.Draft(t, "Groceries", bank, food, "12.50"), "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := books.Attach(t.Context(), posted.ID, "receipt", "text/plain", []byte("x")); err != nil {
				t.Fatal(err)
			}
			if result, err := books.Check(t.Context()); err != nil || result.Postings != 2 || result.Transactions != 1 || result.Attachments != 1 {
				t.Fatalf("before the damage: %+v, %v", result, err)
			}
			if err := exec(t, db, "BEGIN; "+test.damage+"; COMMIT"); err != nil {
				t.Fatal(err)
			}
			var found *book.Difference
			if _, err := books.Check(t.Context()); !errors.As(err, &found) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want the words %q", err, test.want)
			}
			booktest.Spoiled(t, db)
		})
	}
}
