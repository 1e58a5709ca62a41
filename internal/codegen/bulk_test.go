package codegen_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/codegen/testdata/golden/gen"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
)

// pooled opens the golden schema on a pool.
func pooled(t testing.TB) (*pool.DB, *gen.Store) {
	t.Helper()
	db := pooltest.Open(t, os.DirFS(filepath.Join("testdata", "golden", "schema")))
	return db, gen.NewStore(db)
}

func importRows(n int) []gen.ImportAuthorsParams {
	rows := make([]gen.ImportAuthorsParams, n)
	for i := range rows {
		rows[i] = gen.ImportAuthorsParams{
			ID: int64(i + 1), Name: fmt.Sprintf("author %d", i), Retired: i%2 == 0, Extra: json.RawMessage(`{"n":1}`),
			CreatedAt: time.Unix(1e9, int64(i)).UTC(),
		}
		if i%3 == 0 {
			rows[i].Born = sql.NullTime{Time: time.Unix(int64(i), 0).UTC(), Valid: true}
			rows[i].Rating = sql.NullFloat64{Float64: float64(i) / 4, Valid: true}
		}
		switch i % 4 {
		case 0:
			rows[i].Portrait = []byte{0, byte(i), 255}
		case 1:
			rows[i].Portrait = bytes.Repeat([]byte{byte(i)}, 700) // longer than a statement's own memory
		case 2:
			rows[i].Portrait = []byte{}
		}
	}
	return rows
}

func count(t testing.TB, q *gen.Store) int64 {
	t.Helper()
	n, err := q.CountAuthors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCopyFromInsertsEveryNumberOfRowsAsTheyWereGiven(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 33, 64, 1024, 1057} {
		rows := importRows(n)
		for _, seq := range []bool{false, true} {
			_, q := pooled(t)
			inserted, err := int64(0), error(nil)
			if seq {
				inserted, err = q.ImportAuthorsSeq(t.Context(), slices.Values(rows))
			} else {
				inserted, err = q.ImportAuthors(t.Context(), rows)
			}
			if err != nil || inserted != int64(n) {
				t.Fatalf("%d rows, as a sequence %v: %d inserted, %v", n, seq, inserted, err)
			}
			for i, want := range rows {
				got := must(q.GetAuthor(t.Context(), want.ID))
				if string(must(json.Marshal(got))) != string(must(json.Marshal(gen.Author(want)))) || (got.Portrait == nil) != (want.Portrait == nil) {
					t.Fatalf("row %d of %d came back as %+.100v, want %+.100v", i, n, got, want)
				}
			}
		}
	}
}

func TestCopyFromTakesAHundredThousandRows(t *testing.T) {
	const n = 100_000
	_, q := pooled(t)
	rows := importRows(n)
	for i := range rows {
		rows[i].Portrait = nil
	}
	if got := must(q.ImportAuthors(t.Context(), rows)); got != n || count(t, q) != n {
		t.Errorf("%d inserted, %d there", got, count(t, q))
	}
	_, q = pooled(t)
	if got := must(q.ImportAuthorsSeq(t.Context(), slices.Values(rows))); got != n || count(t, q) != n {
		t.Errorf("of a sequence: %d inserted, %d there", got, count(t, q))
	}
}

func TestCopyFromIsAllOrNothing(t *testing.T) {
	_, q := pooled(t)
	rows := importRows(2000)
	rows[1999].Name = rows[0].Name
	for _, run := range []func() (int64, error){
		func() (int64, error) { return q.ImportAuthors(t.Context(), rows) },
		func() (int64, error) { return q.ImportAuthorsSeq(t.Context(), slices.Values(rows)) },
	} {
		n, err := run()
		if !errors.Is(err, lido.ErrUnique) || n != 0 || count(t, q) != 0 {
			t.Errorf("%d inserted, %d there, error %v", n, count(t, q), err)
		}
		var e *lido.Error
		if !errors.As(err, &e) || e.Query != "ImportAuthors" {
			t.Errorf("the error names no query: %v", err)
		}
	}
	rows[1999].Name, rows[1500].CreatedAt = "z", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := q.ImportAuthors(t.Context(), rows); err == nil || count(t, q) != 0 {
		t.Errorf("a value that cannot be stored: %v, %d there", err, count(t, q))
	}
}

func TestCopyFromInsideATransactionUndoesOnlyItself(t *testing.T) {
	_, q := pooled(t)
	err := q.Write(t.Context(), func(ctx context.Context, q *gen.Queries) error {
		must(q.AddAuthor(ctx, "Ada"))
		if _, err := q.ImportNames(ctx, []string{"Bob", "Cyd"}); err != nil {
			return err
		}
		rows := importRows(40)
		for i := range rows {
			rows[i].ID += 100
		}
		rows[39].Name = "Ada"
		if _, err := q.ImportAuthors(ctx, rows); !errors.Is(err, lido.ErrUnique) {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if err != nil || count(t, q) != 3 {
		t.Errorf("%v, %d authors", err, count(t, q))
	}
}

func TestCopyFromCountsOnlyWhatWasInserted(t *testing.T) {
	_, q := pooled(t)
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprint(i % 60)
	}
	if n := must(q.ImportNames(t.Context(), names)); n != 60 {
		t.Errorf("OR IGNORE inserted %d", n)
	}
}

func TestCopyFromStopsWhenItsContextEnds(t *testing.T) {
	_, q := pooled(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, err := q.ImportAuthorsSeq(ctx, func(yield func(gen.ImportAuthorsParams) bool) {
		for i, row := range importRows(5000) {
			if i == 3000 {
				cancel()
			}
			if !yield(row) {
				return
			}
		}
	})
	if !errors.Is(err, context.Canceled) || n != 0 || count(t, q) != 0 {
		t.Errorf("%d inserted, %d there, error %v", n, count(t, q), err)
	}
	if _, err := q.ImportAuthors(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("no rows: %v", err)
	}
}

func TestASequenceThatPanicsLeavesNothingBehind(t *testing.T) {
	_, q := pooled(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = q.ImportAuthorsSeq(t.Context(), func(yield func(gen.ImportAuthorsParams) bool) {
			for _, row := range importRows(2000) {
				yield(row)
			}
			panic("sequence")
		})
	}()
	if count(t, q) != 0 {
		t.Errorf("%d authors", count(t, q))
	}
}

// errorsOf goes through the results of a batch.
func errorsOf(each func(func(int, error))) []error {
	var errs []error
	each(func(i int, err error) {
		if i != len(errs) {
			panic("out of order")
		}
		errs = append(errs, err)
	})
	return errs
}

func TestAnItemOfABatchThatFailsLeavesTheOthersAsTheyAre(t *testing.T) {
	_, q := pooled(t)
	var ids []int64
	added := q.AddAuthors(t.Context(), []string{"Ada", "Bob", "Ada", "Cyd"})
	added.QueryRow(func(i int, row gen.AddAuthorsRow, err error) {
		if (i == 2) != errors.Is(err, lido.ErrUnique) || (i == 2) != (row.ID == 0) {
			t.Errorf("item %d: %+v, %v", i, row, err)
		}
		ids = append(ids, row.ID)
	})
	if err := added.Close(); !errors.Is(err, lido.ErrUnique) {
		t.Errorf("Close says %v", err)
	}
	renamed := q.RenameAuthors(t.Context(), []gen.RenameAuthorsParams{{Name: "Ann", ID: ids[0]}, {Name: "Ann", ID: ids[1]}, {Name: "Cyn", ID: ids[3]}})
	if errs := errorsOf(renamed.Exec); len(errs) != 3 || errs[0] != nil || !errors.Is(errs[1], lido.ErrUnique) || errs[2] != nil {
		t.Errorf("renaming: %v", errs)
	}
	var names []string
	q.AuthorsByID(t.Context(), []int64{ids[0], 99, ids[1], ids[3]}).QueryRow(func(i int, a gen.Author, err error) {
		if (i == 1) != (err == sql.ErrNoRows) { //nolint:errorlint // the value itself
			t.Errorf("item %d: %v", i, err)
		}
		names = append(names, a.Name)
	})
	if !slices.Equal(names, []string{"Ann", "", "Bob", "Cyn"}) {
		t.Errorf("there are %q", names)
	}
}

func TestABatchTakesAHundredThousandItems(t *testing.T) {
	const n = 100_000
	_, q := pooled(t)
	rows, ids := importRows(n), make([]int64, n)
	for i := range rows {
		rows[i].Portrait, ids[i] = nil, rows[i].ID
	}
	must(q.ImportAuthors(t.Context(), rows))
	found := 0
	q.AuthorsByID(t.Context(), ids).QueryRow(func(i int, a gen.Author, err error) {
		if err == nil && a.ID == ids[i] {
			found++
		}
	})
	if err := q.DeleteAuthors(t.Context(), ids).Close(); err != nil || found != n || count(t, q) != 0 {
		t.Errorf("%d found, %d left, %v", found, count(t, q), err)
	}
}

// twice is an engine that runs every closure again, as some may.
type twice struct{ *pool.DB }

func (d twice) Write(ctx context.Context, fn func(context.Context, lido.Tx) error) error {
	errAgain := errors.New("again")
	err := d.DB.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return errAgain
	})
	if !errors.Is(err, errAgain) {
		return err
	}
	return d.DB.Write(ctx, fn)
}

func (d twice) Read(ctx context.Context, fn func(context.Context, lido.Reader) error) error {
	return errors.Join(d.DB.Read(ctx, fn), d.DB.Read(ctx, fn))
}

func TestBulkCommandsCanRunAgain(t *testing.T) {
	db, _ := pooled(t)
	q := gen.NewStore(twice{db})
	rows := importRows(1500)
	if n := must(q.ImportAuthors(t.Context(), rows[:1100])); n != 1100 {
		t.Errorf("%d inserted", n)
	}
	if n := must(q.ImportAuthorsSeq(t.Context(), slices.Values(rows[1100:]))); n != 400 {
		t.Errorf("%d inserted of a sequence", n)
	}
	results := 0
	q.AddAuthors(t.Context(), []string{"Ada", "author 0", "Bob"}).QueryRow(func(i int, _ gen.AddAuthorsRow, err error) {
		if results++; (i == 1) != errors.Is(err, lido.ErrUnique) {
			t.Errorf("item %d: %v", i, err)
		}
	})
	q.AuthorsByID(t.Context(), []int64{1}).QueryRow(func(int, gen.Author, error) { results++ })
	if results != 4 || count(t, q) != 1502 {
		t.Errorf("%d results, %d authors", results, count(t, q))
	}
}

func TestABatchWhoseCommitFailsHasTheErrorInEveryItem(t *testing.T) {
	db, q := pooled(t)
	err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, `CREATE TABLE later (name TEXT REFERENCES authors (name) DEFERRABLE INITIALLY DEFERRED);
			CREATE TRIGGER refer AFTER INSERT ON authors BEGIN INSERT INTO later VALUES (NEW.name || '?'); END`)
	})
	if err != nil {
		t.Fatal(err)
	}
	added := q.AddAuthors(t.Context(), []string{"Ada", "Bob"})
	if errs := errorsOf(func(f func(int, error)) {
		added.QueryRow(func(i int, row gen.AddAuthorsRow, err error) {
			if row != (gen.AddAuthorsRow{}) {
				t.Errorf("item %d has %+v", i, row)
			}
			f(i, err)
		})
	}); len(errs) != 2 || !errors.Is(errs[0], lido.ErrForeignKey) || !errors.Is(errs[1], lido.ErrForeignKey) || !errors.Is(added.Close(), lido.ErrForeignKey) {
		t.Errorf("got %v", errs)
	}
	if n, err := q.ImportNames(t.Context(), []string{"Ada"}); n != 0 || !errors.Is(err, lido.ErrForeignKey) {
		t.Errorf("%d inserted, %v", n, err)
	}
	if count(t, q) != 0 {
		t.Errorf("%d authors", count(t, q))
	}
}

func TestABatchTakesSlicesAndEmbeds(t *testing.T) {
	files := map[string]string{
		"schema.sql": "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INTEGER); CREATE TABLE b (id INTEGER PRIMARY KEY, name TEXT NOT NULL);",
		"query.sql": `-- name: Lists :batchmany
SELECT sqlc.embed(a), sqlc.embed(b) FROM a LEFT JOIN b ON b.id = a.b_id WHERE a.id IN (sqlc.slice(ids)) AND b.name > @name;
-- name: Drop :batchexec
DELETE FROM a WHERE id IN (sqlc.slice(ids));
`}
	for _, p := range newProject(t, files).mustGenerateEach(t, map[string]any{}, map[string]any{"strict_types": true},
		map[string]any{"emit_methods_with_db_argument": true, "wrap_errors": true, "emit_interface": true},
		map[string]any{"emit_result_struct_pointers": true, "query_parameter_limit": 0}) {
		text := p.output(t)["query.sql.go"]
		if !strings.Contains(text, "lido.BindSlice(stmt, 1, arg") {
			t.Errorf("%v:\n%s", p.options, text)
		}
		for _, e := range typeCheck(t, filepath.Join(p.dir, "gen")) {
			t.Errorf("%v: %s", p.options, e)
		}
	}
}

func TestAnItemWhoseRowCannotBeReadIsUndone(t *testing.T) {
	_, q := pooled(t)
	var errs []error
	q.AddBorn(t.Context(), []gen.AddBornParams{{Name: "Ada", Born: "1815-12-10"}, {Name: "Bob", Born: "long ago"}, {Name: "Cyd", Born: "2000-01-01"}}).
		QueryRow(func(_ int, _ sql.NullTime, err error) { errs = append(errs, err) })
	if len(errs) != 3 || errs[0] != nil || errs[1] == nil || errs[2] != nil || count(t, q) != 2 {
		t.Errorf("errors %v, %d authors", errs, count(t, q))
	}
}

func TestABatchOfManyGivesEachItemItsRows(t *testing.T) {
	_, q := pooled(t)
	must(q.ImportNames(t.Context(), []string{"Ada", "Bob"}))
	author := func(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: true} }
	must(q.ImportBooks(t.Context(), []gen.ImportBooksParams{
		{Title: "b", AuthorID: author(1), Digest: []byte{1}}, {Title: "a", AuthorID: author(1), Digest: []byte{2}}, {Title: "none", Digest: []byte{3}},
	}))
	var got []string
	q.TitlesOf(t.Context(), []sql.NullInt64{author(1), author(2), {}}).Query(func(i int, titles []string, err error) {
		got = append(got, fmt.Sprint(i, titles, err))
	})
	if want := []string{"0 [a b] <nil>", "1 [] <nil>", "2 [] <nil>"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	changed := 0
	b := q.Retitle(t.Context(), []gen.RetitleParams{{Title: "c", AuthorID: author(1)}, {Title: "d", AuthorID: author(2)}})
	b.Query(func(_ int, rows []gen.RetitleRow, err error) { changed += len(rows) })
	if err := b.Close(); err != nil || changed != 2 {
		t.Errorf("%d rows, %v", changed, err)
	}
}

func TestATimeIsKeptInTheFormatOfItsColumn(t *testing.T) {
	db, q := pooled(t)
	must(q.ImportBooks(t.Context(), []gen.ImportBooksParams{{Title: "a", Digest: []byte{1}}}))
	due := time.Date(1999, 1, 2, 3, 4, 5, 6e6, time.UTC) // fewer milliseconds than a guess would take for them
	if err := q.Lend(t.Context(), gen.LendParams{BookID: 1, Reader: "r", Due: sql.NullTime{Time: due, Valid: true}}); err != nil {
		t.Fatal(err)
	}
	if n := must(lido.Select[int64](t.Context(), db, lido.NewSQL("Due", "SELECT due FROM loans WHERE typeof(due) = 'integer'"))); !slices.Equal(n, []int64{due.UnixMilli()}) {
		t.Errorf("stored as %v", n)
	}
	if got := must(q.GetLoan(t.Context(), 1)); !got.Due.Valid || !got.Due.Time.Equal(due) {
		t.Errorf("came back as %+v", got)
	}
	if got := must(q.LoansDue(t.Context(), []time.Time{due})); len(got) != 1 {
		t.Errorf("found %v", got)
	}
}

func TestOverriddenTypesTakeWhatTheyCanHoldAndNothingElse(t *testing.T) {
	db, q := pooled(t)
	id := must(q.CreateBook(t.Context(), gen.CreateBookParams{Title: "a", Digest: []byte{1}, Pages: -7, Anything: "some"}))
	if pages := must(q.PagesOf(t.Context(), id)); pages != -7 {
		t.Errorf("%d pages", pages)
	}
	if err := q.Lend(t.Context(), gen.LendParams{BookID: id, Reader: "r"}); err != nil {
		t.Fatal(err)
	}
	if loan := must(q.GetLoan(t.Context(), id)); loan.Reader != "r" || loan.Due.Valid {
		t.Errorf("%+v", loan)
	}
	if got := must(q.Anything(t.Context(), id)); got != "some" {
		t.Errorf("got %q", got)
	}
	err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "UPDATE books SET pages = 1 << 40, anything = NULL")
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := q.PagesOf(t.Context(), id); err == nil || !strings.Contains(err.Error(), "column 0 (pages): INTEGER 1099511627776 cannot be read as int32") {
		t.Errorf("%d, %v", n, err)
	}
	if v, err := q.Anything(t.Context(), id); err == nil || !strings.Contains(err.Error(), "NULL does not fit into a json.Number") {
		t.Errorf("%q, %v", v, err)
	}
}

func TestABatchThatReadsRunsOnTheSnapshotItIsGiven(t *testing.T) {
	db, q := pooled(t)
	must(q.ImportNames(t.Context(), []string{"Ada", "Bob"}))
	names := func(b *gen.AuthorsByIDBatchResults) (list []string) {
		b.QueryRow(func(_ int, a gen.Author, err error) { list = append(list, a.Name) })
		return list
	}
	err := q.Read(t.Context(), func(ctx context.Context, snapshot *gen.ReadQueries) error {
		if err := q.DeleteAuthor(t.Context(), 1); err != nil { // from outside
			return err
		}
		if got := names(snapshot.AuthorsByID(ctx, []int64{1, 2})); !slices.Equal(got, []string{"Ada", "Bob"}) {
			t.Errorf("in the snapshot: %q", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = q.Write(t.Context(), func(ctx context.Context, tx *gen.Queries) error {
		must(tx.AddAuthor(ctx, "Cyd"))
		if got := names(tx.AuthorsByID(ctx, []int64{1, 2, 3})); !slices.Equal(got, []string{"", "Bob", "Cyd"}) {
			t.Errorf("in the transaction: %q", got)
		}
		if s := db.Stat(); s.Writer.InUse != 1 || s.Readers.InUse != 0 {
			t.Errorf("after the batch, in its transaction: %+v", s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := db.Stat(); s.Writer.InUse != 0 || s.Writer.Created != 1 {
		t.Errorf("after the transaction: %+v", s.Writer)
	}
	// A writer that is neither a database nor a transaction can begin nothing.
	if _, err := gen.New(struct{ lido.Writer }{db}).ImportNames(t.Context(), []string{"Dan"}); err == nil || !strings.Contains(err.Error(), "can begin no transaction") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyItemsThatCouldLingerHaveASavepoint(t *testing.T) {
	const table = "CREATE TABLE t (a INTEGER UNIQUE, b TEXT);"
	for _, c := range []struct {
		schema, sql, cmd string
		own              bool
	}{
		{table, "INSERT INTO t (a) VALUES (?)", ":batchexec", false},
		{table, "INSERT OR FAIL INTO t (a) VALUES (?)", ":batchexec", true},
		{table, "INSERT INTO t (a) VALUES (?) RETURNING a", ":batchone", true},
		{table + "CREATE TRIGGER x BEFORE INSERT ON t BEGIN SELECT RAISE(FAIL, 'x') WHERE NEW.a = 1; END;", "INSERT INTO t (a) VALUES (?)", ":batchexec", true},
		{"CREATE TABLE t (a INTEGER UNIQUE ON CONFLICT FAIL, b TEXT);", "INSERT INTO t (a) VALUES (?)", ":batchexec", true},
	} {
		p := newProject(t, map[string]string{"schema.sql": c.schema, "query.sql": "-- name: X " + c.cmd + "\n" + c.sql + ";\n"})
		if text := p.mustGenerate(t)["query.sql.go"]; !strings.Contains(text, fmt.Sprintf("writeBatch(ctx, q.w, %v, ", c.own)) {
			t.Errorf("%s %s: want savepoints %v in\n%s", c.schema, c.sql, c.own, text)
		}
	}
}

func TestResultsOfABatchAreGoneThroughOnce(t *testing.T) {
	_, q := pooled(t)
	must(q.AddAuthor(t.Context(), "Ada"))
	b := q.DeleteAuthors(t.Context(), []int64{1, 2})
	b.Exec(nil)
	for _, err := range errorsOf(b.Exec) {
		if err != gen.ErrBatchAlreadyClosed { //nolint:errorlint // the value itself
			t.Errorf("the second time: %v", err)
		}
	}
	if count(t, q) != 0 {
		t.Error("the batch did not run")
	}
	b = q.DeleteAuthors(t.Context(), []int64{1, 2})
	seen := errorsOf(func(f func(int, error)) {
		b.Exec(func(i int, err error) {
			f(i, err)
			_ = b.Close()
		})
	})
	if len(seen) != 2 || seen[0] != nil || !errors.Is(seen[1], gen.ErrBatchAlreadyClosed) {
		t.Errorf("closed while going through: %v", seen)
	}
	if b := q.DeleteAuthors(t.Context(), nil); b.Close() != nil || errorsOf(b.Exec) != nil {
		t.Error("an empty batch has results")
	}
}

func TestABatchWhoseTransactionFailsAppliesNothing(t *testing.T) {
	db, q := pooled(t)
	must(q.ImportNames(t.Context(), []string{"Ada", "Bob"}))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range errorsOf(q.DeleteAuthors(ended, []int64{1, 2}).Exec) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	errFail := errors.New("fail")
	err := q.Write(t.Context(), func(ctx context.Context, q *gen.Queries) error {
		if err := q.DeleteAuthors(ctx, []int64{1}).Close(); err != nil {
			t.Error(err)
		}
		return errFail
	})
	if !errors.Is(err, errFail) || count(t, q) != 2 {
		t.Errorf("%v, %d authors", err, count(t, q))
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := q.DeleteAuthors(t.Context(), []int64{1, 2})
	if errs := errorsOf(b.Exec); len(errs) != 2 || !errors.Is(errs[0], lido.ErrClosed) || !errors.Is(b.Close(), lido.ErrClosed) {
		t.Errorf("on a closed pool: %v", errs)
	}
}

func TestBulkCommandsLookLikeThoseOfSqlcForPgx(t *testing.T) {
	for _, set := range []map[string]any{
		{},
		{"query_parameter_limit": 9, "emit_empty_slices": true},
		{"query_parameter_limit": 0, "emit_pointers_for_null_types": true},
		{"emit_result_struct_pointers": true, "emit_params_struct_pointers": true, "wrap_errors": true, "emit_interface": true},
		{"output_batch_file_name": "several.go", "output_copyfrom_file_name": "many.go"},
	} {
		p := golden(t)
		p.queries = "queries/bulk.sql"
		p.options, p.sqlcOptions = set, map[string]any{"sql_package": "pgx/v5"}
		maps.Copy(p.sqlcOptions, set)
		p.mustGenerate(t)
		p.compare(t)
		if want, got := goFiles(t, filepath.Join(p.dir, "sqlcgen")), goFiles(t, filepath.Join(p.dir, "gen")); !slices.Equal(want, got) {
			t.Errorf("%v: files %v, sqlc writes %v", set, got, want)
		}
	}
}

func BenchmarkCopyFrom(b *testing.B) {
	rows := importRows(10_000)
	_, q := pooled(b)
	b.ReportAllocs()
	for b.Loop() {
		err := q.Write(b.Context(), func(ctx context.Context, q *gen.Queries) error {
			if n, err := q.ImportAuthors(ctx, rows); err != nil || n != int64(len(rows)) {
				b.Fatal(n, err)
			}
			return errors.New("undo")
		})
		if err == nil {
			b.Fatal("kept")
		}
	}
}
