package codegen_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/codegen/testdata/golden/gen"
	"github.com/lidodb/lido/internal/seal"
	"github.com/lidodb/lido/sqlite"
)

// connection is the least engine that generated code runs on.
type connection struct{ *sqlite.Conn }

type statement struct{ *sqlite.Stmt }

func (statement) Seal(seal.Stmt) {}

func (c connection) PrepareRead(ctx context.Context, q *lido.Query) (lido.Stmt, error) {
	if !q.ReadOnly {
		return nil, lido.ErrReadOnly
	}
	return c.PrepareWrite(ctx, q)
}

func (c connection) PrepareWrite(ctx context.Context, q *lido.Query) (lido.Stmt, error) {
	s, err := c.Prepare(ctx, q.SQL)
	if err != nil {
		return nil, err
	}
	return statement{s}, nil
}

func (c connection) Read(ctx context.Context, fn func(context.Context, lido.Reader) error) error {
	return fn(ctx, c)
}

func (c connection) Write(ctx context.Context, fn func(context.Context, lido.Tx) error) error {
	return fn(ctx, transaction{c})
}

type transaction struct{ connection }

func (tx transaction) Savepoint(ctx context.Context, fn func(context.Context, lido.Tx) error) error {
	return fn(ctx, tx)
}

// library opens the golden schema.
func library(t *testing.T) *gen.Store {
	t.Helper()
	conn, err := sqlite.Open(t.Context(), ":memory:", sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if conn.OpenStatements() {
			t.Error("a statement was left open")
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	paths, err := filepath.Glob(filepath.Join("testdata", "golden", "schema", "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(paths, "") {
		text := "PRAGMA foreign_keys = ON"
		if p != "" {
			text, _, _ = strings.Cut(read(t, p), "-- +goose Down")
		}
		if err := conn.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	return gen.NewStore(connection{conn})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestEveryKindOfValueComesBackAsItWasGiven(t *testing.T) {
	q := library(t)
	at := time.Date(2024, 2, 29, 13, 14, 15, 123456789, time.UTC)
	want := gen.Author{
		ID: 1, Name: "Ada", Born: sql.NullTime{Time: at.AddDate(-30, 0, 0), Valid: true}, Retired: true,
		Rating: sql.NullFloat64{Float64: 4.5, Valid: true}, Portrait: []byte{0, 1, 255}, Extra: json.RawMessage(`{"a":1}`), CreatedAt: at,
	}
	created := must(q.CreateAuthor(t.Context(), gen.CreateAuthorParams{
		Name: want.Name, Born: want.Born, Retired: want.Retired, Rating: want.Rating,
		Portrait: want.Portrait, Extra: want.Extra, CreatedAt: want.CreatedAt,
	}))
	for _, got := range []gen.Author{created, must(q.GetAuthor(t.Context(), 1))} {
		if must(json.Marshal(got)) == nil || string(must(json.Marshal(got))) != string(must(json.Marshal(want))) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	bare := must(q.CreateAuthor(t.Context(), gen.CreateAuthorParams{Name: "Bob", Extra: json.RawMessage("{}")}))
	if bare.Born.Valid || bare.Rating.Valid || bare.Portrait != nil {
		t.Errorf("absent values came back as %+v", bare)
	}
}

func TestARowThatIsNotThereIsErrNoRows(t *testing.T) {
	_, err := library(t).GetAuthor(t.Context(), 7)
	if err != sql.ErrNoRows { //nolint:errorlint // it has to be the value itself
		t.Errorf("got %v", err)
	}
}

func TestSlicesBindBesideOtherParametersAtEveryLength(t *testing.T) {
	q := library(t)
	for _, name := range []string{"Ada", "Bob", "Cyd"} {
		must(q.CreateAuthor(t.Context(), gen.CreateAuthorParams{Name: name, Rating: sql.NullFloat64{Float64: 3, Valid: true}, Extra: json.RawMessage("{}")}))
	}
	for _, c := range []struct {
		ids   []int64
		names []string
		want  []int64
	}{
		{[]int64{1, 2, 3}, []string{"Bob"}, []int64{1, 3}},
		{[]int64{3}, nil, []int64{3}},
		{nil, nil, nil},
		{[]int64{2}, []string{"Bob", "x"}, nil},
	} {
		got := must(q.ListAuthorsIn(t.Context(), gen.ListAuthorsInParams{Ids: c.ids, Names: c.names, Rating: sql.NullFloat64{Float64: 2, Valid: true}}))
		if !slices.Equal(got, c.want) {
			t.Errorf("ids %v, names %v: got %v, want %v", c.ids, c.names, got, c.want)
		}
	}
}

func TestSlicesOfBlobsAndTimesFindTheirRows(t *testing.T) {
	q := library(t)
	at := time.Date(2025, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, title := range []string{"one", "two"} {
		id := must(q.CreateBook(t.Context(), gen.CreateBookParams{Title: title, Digest: []byte(title)}))
		if err := q.Lend(t.Context(), gen.LendParams{BookID: id, Reader: "r", Due: sql.NullTime{Time: at.AddDate(0, 0, int(id)), Valid: true}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := must(q.BooksByDigest(t.Context(), [][]byte{[]byte("two"), nil})); !slices.Equal(got, []string{"two"}) {
		t.Errorf("by digest: %v", got)
	}
	got := must(q.LoansDue(t.Context(), []time.Time{at.AddDate(0, 0, 1), {}}))
	if len(got) != 1 || got[0].BookID != 1 {
		t.Errorf("by time: %v", got)
	}
}

func TestAnEmbedOfAnOuterJoinIsNilWhereTheRowIsAbsent(t *testing.T) {
	q := library(t)
	author := must(q.AddAuthor(t.Context(), "Ada"))
	must(q.CreateBook(t.Context(), gen.CreateBookParams{Title: "nobody's", Digest: []byte{1}}))
	must(q.CreateBook(t.Context(), gen.CreateBookParams{Title: "Ada's", Digest: []byte{2}, AuthorID: sql.NullInt64{Int64: author, Valid: true}}))
	rows := must(q.BooksWithAuthors(t.Context()))
	if len(rows) != 2 || rows[0].Author != nil || rows[1].Author == nil || rows[1].Author.Name != "Ada" {
		t.Errorf("got %+v", rows)
	}
}

func TestAnIteratorStreamsAndClosesWhenTheLoopBreaks(t *testing.T) {
	q := library(t)
	for _, name := range []string{"Ada", "Bob", "Cyd"} {
		must(q.AddAuthor(t.Context(), name))
	}
	var all []string
	for row, err := range q.ListAuthorsSeq(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, row.Name)
	}
	if !slices.Equal(all, []string{"Ada", "Bob", "Cyd"}) {
		t.Errorf("got %v", all)
	}
	for range q.ListAuthorsSeq(t.Context()) {
		break
	}
}

func TestAnIteratorDoesNotYieldARowThatCouldNotBeRead(t *testing.T) {
	conn := must(sqlite.Open(t.Context(), ":memory:", sqlite.Options{Create: true}))
	defer conn.Close()
	if err := conn.Exec(t.Context(), "CREATE TABLE authors (id, name, born); INSERT INTO authors VALUES (1, 'a', NULL), (NULL, 'b', NULL)"); err != nil {
		t.Fatal(err)
	}
	q := gen.New(connection{conn})
	rows, last := 0, error(nil)
	for row, err := range q.ListAuthorsSeq(t.Context()) {
		if last = err; err == nil {
			rows++
			if row.ID != 1 {
				t.Errorf("yielded %+v", row)
			}
		}
	}
	if rows != 1 || last == nil {
		t.Errorf("%d rows, error %v", rows, last)
	}
	if _, err := q.ListAuthors(t.Context()); err == nil {
		t.Error("the list hides that a NULL was read as a number")
	}
}

func TestCommandsReportWhatTheStatementDid(t *testing.T) {
	q := library(t)
	id := must(q.AddAuthor(t.Context(), "Ada"))
	if n := must(q.RetireAuthor(t.Context(), id)); n != 1 {
		t.Errorf(":execrows says %d", n)
	}
	if n := must(q.RetireAuthor(t.Context(), id+1)); n != 0 {
		t.Errorf(":execrows says %d for nothing", n)
	}
	res := must(q.TouchAuthor(t.Context(), gen.TouchAuthorParams{At: time.Now(), ID: id}))
	if n := must(res.RowsAffected()); n != 1 {
		t.Errorf(":execresult says %d", n)
	}
	if n := must(q.LastRowID(t.Context())); n != id {
		t.Errorf("last_insert_rowid is %d, want %d", n, id)
	}
}

func TestSavepointOutsideATransactionIsAnError(t *testing.T) {
	store := library(t)
	never := func(context.Context, *gen.Queries) error { return errors.New("ran") }
	if err := store.Savepoint(t.Context(), never); err == nil || !strings.Contains(err.Error(), "outside a transaction") {
		t.Errorf("got %v", err)
	}
	err := store.Write(t.Context(), func(ctx context.Context, q *gen.Queries) error {
		return q.Savepoint(ctx, func(ctx context.Context, q *gen.Queries) error {
			_, err := q.AddAuthor(ctx, "Ada")
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Read(t.Context(), func(ctx context.Context, q *gen.ReadQueries) error {
		if n := must(q.CountAuthors(ctx)); n != 1 {
			t.Errorf("%d authors", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A snapshot has no methods that write, so this program must not compile.
func TestAWriteThroughASnapshotDoesNotCompile(t *testing.T) {
	const head = `package program

import (
	"context"

	"github.com/lidodb/lido/internal/codegen/testdata/golden/gen"
)

func use(ctx context.Context, store *gen.Store) error {
	return store.Read(ctx, func(ctx context.Context, q *gen.ReadQueries) error {
`
	for _, c := range []struct{ body, want string }{
		{"_, err := q.CountAuthors(ctx)\nreturn err\n", ""},
		{"return q.DeleteAuthor(ctx, 1)\n", "q.DeleteAuthor undefined"},
		{"return q.Savepoint(ctx, nil)\n", "q.Savepoint undefined"},
		{"_, err := q.LastRowID(ctx)\nreturn err\n", "q.LastRowID undefined"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "program.go"), head+c.body+"})\n}\n")
		got := strings.Join(typeCheck(t, dir), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q: the compiler says %q, want %q", c.body, got, c.want)
		}
	}
}

func TestGeneratedCodeImportsOnlyTheWaistAndTheStandardLibrary(t *testing.T) {
	for _, dir := range []string{filepath.Join("testdata", "golden", "gen"), filepath.Join(root, "gen")} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		_, files := parseDir(t, dir)
		for _, f := range files {
			for _, i := range f.Imports {
				path := strings.Trim(i.Path.Value, `"`)
				if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && path != "github.com/lidodb/lido" {
					t.Errorf("%s imports %s", dir, path)
				}
			}
		}
	}
}
