package book_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/cmd/ledger/internal/booktest"
	"github.com/lidodb/lido/gen"
)

// The queries that the ledger's own commands do not need are for those who
// read the books in other ways. These tests run them on the engine.

func sampleStore(t *testing.T) (*book.Book, *gen.Store) {
	t.Helper()
	books, db := booktest.Open(t)
	if _, err := books.Import(t.Context(), sampleDrafts(t), book.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	return books, gen.NewStore(db)
}

func TestReportsOfTheSampleAgreeWithEachOther(t *testing.T) {
	_, store := sampleStore(t)
	ctx := t.Context()

	months, err := store.ListMonths(ctx)
	if err != nil {
		t.Fatal(err)
	}
	totals, err := store.ListTotalsByType(ctx)
	if err != nil {
		t.Fatal(err)
	}
	income, expense := map[string]int64{}, map[string]int64{}
	for _, m := range months {
		income[m.Currency] -= m.Income
		expense[m.Currency] += m.Expense
	}
	for _, total := range totals {
		switch total.Type {
		case book.Income:
			if income[total.Currency] != total.Amount {
				t.Errorf("the months earn %d %s, the accounts hold %d", income[total.Currency], total.Currency, total.Amount)
			}
		case book.Expense:
			if expense[total.Currency] != total.Amount {
				t.Errorf("the months spend %d %s, the accounts hold %d", expense[total.Currency], total.Currency, total.Amount)
			}
		}
	}
	if len(months) < 48 {
		t.Errorf("%d rows for 24 months in 2 currencies", len(months))
	}

	subtree, err := store.GetSubtreeBalance(ctx, "assets:bank")
	if err != nil || len(subtree) != 1 {
		t.Fatal(subtree, err)
	}
	var sum int64
	for _, name := range []string{"assets:bank:checking", "assets:bank:savings"} {
		own, err := store.GetBalance(ctx, gen.GetBalanceParams{Name: name, Currency: "EUR"})
		if err != nil {
			t.Fatal(err)
		}
		sum += own
	}
	if subtree[0].Amount != sum {
		t.Errorf("assets:bank holds %d, its accounts %d", subtree[0].Amount, sum)
	}
	if _, err := store.GetBalance(ctx, gen.GetBalanceParams{Name: "assets", Currency: "EUR"}); !errors.Is(err, lido.ErrNoRows) {
		t.Errorf("an account that nothing was posted to: %v", err)
	}

	entries, err := store.ListEntries(ctx, "2024-01-01")
	if err != nil || len(entries) < 10 || entries[0].AccountType == "" {
		t.Errorf("%d entries on the first day, %v", len(entries), err)
	}
	all, err := store.CountPostings(ctx)
	if err != nil || all < 4000 {
		t.Errorf("%d postings, %v", all, err)
	}
	if unbalanced, err := store.ListUnbalanced(ctx); err != nil || len(unbalanced) != 0 {
		t.Errorf("unbalanced: %v, %v", unbalanced, err)
	}
}

func TestTransactionsAreListedByDayAndByTag(t *testing.T) {
	_, store := sampleStore(t)
	ctx := t.Context()
	day := func(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }
	counts := map[string]int{}
	for name, bounds := range map[string]gen.ListTransactionsBetweenParams{
		"all": {}, "2024": {LastDate: day("2024-12-31")}, "2025": {FirstDate: day("2025-01-01")},
		"one day": {FirstDate: day("2025-02-01"), LastDate: day("2025-02-01")},
	} {
		rows, err := store.ListTransactionsBetween(ctx, bounds)
		if err != nil {
			t.Fatal(err)
		}
		counts[name] = len(rows)
	}
	if counts["all"] < 2000 || counts["2024"]+counts["2025"] != counts["all"] || counts["one day"] < 3 {
		t.Errorf("counts %v", counts)
	}

	tags, err := store.ListTags(ctx)
	if err != nil || len(tags) != 2 || tags[0].Tag != "invoice" || tags[1].Tag != "payslip" || tags[1].Uses != 24 || tags[1].LastDate != "2025-12-25" {
		t.Errorf("tags %+v, %v", tags, err)
	}
	both, err := store.ListTransactionsByTag(ctx, gen.ListTransactionsByTagParams{Tag: "invoice", Value: "2025-001"})
	if err != nil || len(both) != 2 {
		t.Errorf("the invoice and its payment: %d, %v", len(both), err)
	}
}

func TestAccountsAreListedByTypeAndParent(t *testing.T) {
	books, store := sampleStore(t)
	ctx := t.Context()
	if err := books.CloseAccount(ctx, "assets:cash", true); err != nil {
		t.Fatal(err)
	}
	count := func(kind string, closed int64) int {
		rows, err := store.ListAccountsOfType(ctx, gen.ListAccountsOfTypeParams{
			Type: sql.NullString{String: kind, Valid: kind != ""}, WithClosed: closed,
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	if open, all := count(book.Asset, 0), count(book.Asset, 1); all != open+1 || open < 5 {
		t.Errorf("%d asset accounts, %d with those closed", open, all)
	}
	if any := count("", 1); any < 50 {
		t.Errorf("%d accounts of any type", any)
	}
	bank, err := store.GetAccountByName(ctx, "assets:bank")
	if err != nil {
		t.Fatal(err)
	}
	children, err := store.ListChildren(ctx, sql.NullInt64{Int64: bank.ID, Valid: true})
	if err != nil || len(children) != 2 || children[0].Name != "assets:bank:checking" {
		t.Errorf("children %v, %v", children, err)
	}
}

func TestADraftCanBeChangedAndDeletedUntilItIsPosted(t *testing.T) {
	books, db := booktest.Open(t)
	booktest.Fill(t, books)
	store := gen.NewStore(db)
	ctx := t.Context()
	created := time.Date(2025, 1, 31, 12, 30, 0, 123456789, time.UTC)
	account, err := store.GetAccountByName(ctx, cash)
	if err != nil {
		t.Fatal(err)
	}
	var id int64
	err = store.Write(ctx, func(ctx context.Context, q *gen.Queries) (err error) {
		id, err = q.CreateTransaction(ctx, gen.CreateTransactionParams{
			Date: "2025-01-31", Description: "draft", Tags: json.RawMessage(`{"a": "b"}`), CreatedAt: created,
		})
		if err != nil {
			return err
		}
		return q.AddPosting(ctx, gen.AddPostingParams{TransactionID: id, Line: 1, AccountID: account.ID, Currency: "EUR", Amount: 5})
	})
	if err != nil {
		t.Fatal(err)
	}
	changed, err := store.UpdateDraft(ctx, gen.UpdateDraftParams{ID: id, Description: sql.NullString{String: "changed", Valid: true}})
	if err != nil || changed.Description != "changed" || string(changed.Tags) != `{"a": "b"}` || !changed.CreatedAt.Equal(created) || changed.Posted {
		t.Errorf("%+v, %v", changed, err)
	}
	lines, err := store.ListPostings(ctx, id)
	if err != nil || len(lines) != 1 || lines[0].Posting.Amount != 5 || !reflect.DeepEqual(lines[0].Account, account) || lines[0].Currency.Digits != 2 {
		t.Errorf("%+v, %v", lines, err)
	}
	if _, err := store.PostTransaction(ctx, id); err == nil {
		t.Error("a draft that is not balanced was posted")
	}
	if counts, err := store.CountTransactions(ctx); err != nil || counts.Drafts != 1 || counts.Posted != 0 {
		t.Errorf("%+v, %v", counts, err)
	}
	if n, err := store.DeleteDraftPostings(ctx, id); err != nil || n != 1 {
		t.Errorf("%d lines deleted, %v", n, err)
	}
	if n, err := store.DeleteDraft(ctx, id); err != nil || n != 1 {
		t.Errorf("%d drafts deleted, %v", n, err)
	}
	if found, err := books.Search(ctx, "changed", 5); err != nil || len(found) != 0 {
		t.Errorf("the index still finds it: %v, %v", found, err)
	}
}

func TestAnAttachmentCanBeDeleted(t *testing.T) {
	books, db := booktest.Open(t)
	booktest.Fill(t, books)
	posted, _, err := books.Post(t.Context(), booktest.Draft(t, "Groceries", bank, food, "4.20"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := books.Attach(t.Context(), posted.ID, "x", "text/plain", []byte("x")); err != nil {
		t.Fatal(err)
	}
	n, err := gen.NewStore(db).DeleteAttachment(t.Context(), gen.DeleteAttachmentParams{TransactionID: posted.ID, Name: "x"})
	if err != nil || n != 1 {
		t.Errorf("%d deleted, %v", n, err)
	}
}
