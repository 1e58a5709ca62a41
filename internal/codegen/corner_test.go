package codegen_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/codegen/testdata/corner/plain"
	"github.com/lidodb/lido/internal/codegen/testdata/corner/strict"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
	"github.com/lidodb/lido/sqlite"
)

// The statements in testdata/corner are those that sqlc's own output gets
// wrong, or that are easily got wrong. They are generated twice, with strict
// types and without, and run here on a real pool.

var corner = filepath.Join("testdata", "corner")

func TestTheCornersAreGeneratedAnew(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"schema", "queries"} {
		if err := os.CopyFS(filepath.Join(dir, sub), os.DirFS(filepath.Join(corner, sub))); err != nil {
			t.Fatal(err)
		}
	}
	p := &project{dir: dir, schema: "schema", queries: "queries", database: true}
	entry := p.entry("")
	var packages []any
	for _, name := range []string{"strict", "plain"} {
		options := map[string]any{"package": name, "strict_types": name == "strict", "plan": "off", "plans": "plans.txt"}
		packages = append(packages, map[string]any{"plugin": "lido", "out": name, "options": options})
	}
	entry["codegen"] = packages
	if stderr, ok := configure(t, dir, "", entry); !ok {
		t.Fatal(stderr)
	}
	for _, name := range []string{"strict", "plain"} {
		got, want := goldenFiles(t, filepath.Join(dir, name)), goldenFiles(t, filepath.Join(corner, name))
		if *update {
			if err := os.RemoveAll(filepath.Join(corner, name)); err != nil {
				t.Fatal(err)
			}
			for file, text := range got {
				write(t, filepath.Join(corner, name, file), text)
			}
			continue
		}
		for _, file := range slices.Sorted(maps.Keys(got)) {
			if got[file] != want[file] {
				t.Errorf("%s/%s differs; if that is meant, run go test -run Corners -update", name, file)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d files, %d generated", name, len(want), len(got))
		}
	}
}

func goldenFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		files[e.Name()] = read(t, filepath.Join(dir, e.Name()))
	}
	return files
}

// cornerDB opens a pool on the schema of the corners.
func cornerDB(t *testing.T) *pool.DB {
	t.Helper()
	return pooltest.Open(t, fstest.MapFS{"1_corner.sql": {Data: []byte("-- +goose Up\n" + read(t, filepath.Join(corner, "schema", "1_corner.sql")))}})
}

var added = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// filled adds three authors, born in 10, 20 and 30, and a book of each of the
// first two, and one of nobody.
func filled(t *testing.T) *strict.Store {
	t.Helper()
	s := strict.NewStore(cornerDB(t))
	for i, name := range []string{"Ada", "Bob", "Cyd"} {
		arg := strict.AddAuthorParams{Name: name, Born: sql.NullInt64{Int64: int64(10 * (i + 1)), Valid: true}}
		if i == 0 {
			arg.Bio = sql.NullString{String: "countess", Valid: true}
		}
		must(s.AddAuthor(t.Context(), arg))
	}
	for i, title := range []string{"one", "two", "three"} {
		must(s.AddBook(t.Context(), strict.AddBookParams{
			AuthorID: sql.NullInt64{Int64: int64(i + 1), Valid: i < 2}, Title: title, Price: float64(i) + 0.5,
			Data:   fmt.Appendf(nil, `{"a": [%d], "b": "b%d", "c": "x", "tags": ["t%d", null]}`, i, i, i),
			Digest: []byte{byte(i), 0xff}, Sold: i == 2, Added: sql.NullTime{Time: added.AddDate(0, 0, i), Valid: i < 2},
		}))
	}
	return s
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

// text is a text that is not NULL.
func text(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }

func TestSlicesStandBesideAnyOtherParameter(t *testing.T) {
	s, ctx := filled(t), t.Context()
	born := sql.NullInt64{Int64: 5, Valid: true}
	all := []int64{1, 2, 3}
	equal(t, "first", must(s.SliceFirst(ctx, strict.SliceFirstParams{Ids: all, Name: "Bob", Born: born})), []string{"Ada", "Cyd"})
	equal(t, "between", must(s.SliceBetween(ctx, strict.SliceBetweenParams{Name: "Ada", Ids: all, Born: born})), []string{"Bob", "Cyd"})
	equal(t, "last", must(s.SliceLast(ctx, strict.SliceLastParams{Name: "Cyd", Born: born, Ids: all, Limit: 1})), []string{"Ada"})
	equal(t, "twice", must(s.SliceTwice(ctx, strict.SliceTwiceParams{Ids: []int64{1}, Born: born, Names: []string{"Cyd"}})), []string{"Ada", "Bob"})
	equal(t, "in a CTE", must(s.SliceInCTE(ctx, strict.SliceInCTEParams{Names: []string{"Ada", "Bob"}, Born: sql.NullInt64{Int64: 15, Valid: true}, Price: 9})), []string{"two"})
	equal(t, "in a subquery", must(s.SliceInSubquery(ctx, strict.SliceInSubqueryParams{Price: 9, Names: []string{"Ada", "Bob"}, Born: born, Title: "two"})), []string{"one"})
	equal(t, "in an UPDATE", must(s.SliceUpdate(ctx, strict.SliceUpdateParams{Price: 2, Ids: []int64{1, 2}, Price_2: 1})), int64(1))
	equal(t, "in a DELETE", must(s.SliceDelete(ctx, strict.SliceDeleteParams{Ids: all, Title: "two"})), []int64{1, 3})
}

func TestSlicesAreOfAnyLengthAndType(t *testing.T) {
	s, ctx := filled(t), t.Context()
	equal(t, "empty", must(s.SliceFirst(ctx, strict.SliceFirstParams{Ids: []int64{}, Born: sql.NullInt64{Valid: true}})), []string(nil))
	equal(t, "nil", must(s.SliceFirst(ctx, strict.SliceFirstParams{Born: sql.NullInt64{Valid: true}})), []string(nil))
	equal(t, "not in none", must(s.SliceNot(ctx, nil)), []string{"one", "three", "two"})
	equal(t, "not in one", must(s.SliceNot(ctx, []int64{1})), []string{"two"}) // NULL is neither in nor not in
	many := make([]int64, 100_000)
	for i := range many {
		many[i] = int64(i) + 2
	}
	equal(t, "100,000", must(s.SliceCount(ctx, strict.SliceCountParams{Ids: many, FromID: 1})), int64(2))

	for _, c := range []struct {
		what string
		arg  strict.SliceOfEverythingParams
		want []string
	}{
		{"blobs", strict.SliceOfEverythingParams{Digests: [][]byte{{1, 0xff}, {9}, nil, {}}}, []string{"two"}},
		{"times", strict.SliceOfEverythingParams{Times: []time.Time{added.In(time.FixedZone("x", 3600)), {}}}, []string{"one"}},
		{"floats", strict.SliceOfEverythingParams{Prices: []float64{2.5, 1e300, 0.1}}, []string{"three"}},
		{"booleans", strict.SliceOfEverythingParams{Solds: []bool{true}}, []string{"three"}},
		{"integers", strict.SliceOfEverythingParams{Authors: []int64{2, 1 << 62, -1}}, []string{"two"}},
	} {
		equal(t, c.what, must(s.SliceOfEverything(ctx, c.arg)), c.want)
	}
	names := []string{"Ada", "it's", `"`, `\`, "\u0000\u2028ß", "漢字", ""}
	must(s.AddAuthor(ctx, strict.AddAuthorParams{Name: "漢字"}))
	equal(t, "text", must(s.SliceTwice(ctx, strict.SliceTwiceParams{Names: names, Born: sql.NullInt64{Valid: true}})), []string{"Bob", "Cyd"})
}

func TestSlicesOfNullableTypesNeverMatchNull(t *testing.T) {
	q, ctx := plain.NewStore(cornerDB(t)), t.Context()
	must(q.AddAuthor(ctx, plain.AddAuthorParams{Name: "Ada"}))
	for i, author := range []sql.NullInt64{{Int64: 1, Valid: true}, {}} {
		must(q.AddBook(ctx, plain.AddBookParams{AuthorID: author, Title: fmt.Sprint(i), Added: sql.NullTime{Time: added, Valid: i == 0}}))
	}
	equal(t, "nullable integers", must(q.SliceOfEverything(ctx, plain.SliceOfEverythingParams{Authors: []sql.NullInt64{{}, {Int64: 1, Valid: true}}})), []string{"0"})
	equal(t, "nullable times", must(q.SliceOfEverything(ctx, plain.SliceOfEverythingParams{Times: []sql.NullTime{{Time: added, Valid: true}, {}}})), []string{"0"})
	equal(t, "only NULL", must(q.SliceOfEverything(ctx, plain.SliceOfEverythingParams{Authors: []sql.NullInt64{{}}})), []string(nil))
	equal(t, "NULL among the excluded", must(q.SliceNot(ctx, []sql.NullInt64{{}, {Int64: 7, Valid: true}})), []string(nil)) // as SQL has it
	equal(t, "any", must(q.SliceTwice(ctx, plain.SliceTwiceParams{Ids: []any{int64(1), "x", nil, 2.5}})), []string{"Ada"})
}

func TestParametersOfEveryKindMeetTheirPlace(t *testing.T) {
	s, ctx := filled(t), t.Context()
	equal(t, "numbered and named", must(s.NumberedAndNamed(ctx, strict.NumberedAndNamedParams{Price: 1.5, Title: "two", ID: 2})), []string{"two"})
	equal(t, "numbered twice", must(s.NumberedTwice(ctx, strict.NumberedTwiceParams{Column1: text("a"), Column2: text("b")})), any("aba"))
	equal(t, "named many times", must(s.NamedManyTimes(ctx, "t")), []string{"three", "two"})
	equal(t, "named many times, all", must(s.NamedManyTimes(ctx, "*")), []string{"one", "three", "two"})
	equal(t, "optional, none", must(s.OptionalFilter(ctx, strict.OptionalFilterParams{N: 2, Skip: 1})), []string{"three", "two"})
	equal(t, "optional, both", must(s.OptionalFilter(ctx, strict.OptionalFilterParams{Author: sql.NullInt64{Int64: 1, Valid: true}, MaxPrice: sql.NullFloat64{Float64: 9, Valid: true}, N: 9})), []string{"one"})
	equal(t, "sorted by title", must(s.SortedBy(ctx, "title")), []string{"one", "three", "two"})
	equal(t, "sorted by price", must(s.SortedBy(ctx, "price")), []string{"three", "two", "one"})
	equal(t, "LIKE ESCAPE", must(s.LikeEscape(ctx, `t%`)), []string{"three", "two"})
	equal(t, "LIKE ESCAPE, escaped", must(s.LikeEscape(ctx, `t\%`)), []string(nil))
	equal(t, "ESCAPE ?", must(s.LikeEscapeParam(ctx, strict.LikeEscapeParamParams{Pattern: "t#%", Escape: "#"})), []string(nil))
	equal(t, "GLOB", must(s.Glob(ctx, "t[h-i]*")), []string{"three"})
	equal(t, "BETWEEN", must(s.BetweenParams(ctx, strict.BetweenParamsParams{FromPrice: 1, ToPrice: 2})), []string{"two"})
	equal(t, "colon and dollar", must(s.ColonAndDollar(ctx, strict.ColonAndDollarParams{Title: "two", ID: 2})), "two")
}

func TestFormsOfStatements(t *testing.T) {
	s, ctx := filled(t), t.Context()
	for _, title := range []string{"apple pie", "apple cake"} {
		if err := s.AddPage(ctx, strict.AddPageParams{Title: title, Body: "a " + title}); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "MATCH", must(s.MatchTable(ctx, "pie")), []string{"apple pie"})
	ranked := must(s.MatchRanked(ctx, strict.MatchRankedParams{Query: "apple", After: 0, N: 1}))
	if len(ranked) != 1 || ranked[0].Rowid != 1 || ranked[0].Extract != any("a <apple> pie") {
		t.Errorf("MATCH with rank: got %+v", ranked)
	}
	each := must(s.JSONEach(ctx, 1))
	equal(t, "json_each", each, []strict.JSONEachRow{{Key: int64(0), Value: "t0"}, {Key: int64(1), Value: nil}})
	equal(t, "a list in JSON", must(s.ByIDsInJSON(ctx, "[3, 1]")), []string{"three", "one"})
	equal(t, "arrows", must(s.Arrows(ctx, []byte("x")))[1], strict.ArrowsRow{A: "[1]", B: "b1"})
	equal(t, "an arrow's parameter", must(s.ArrowParam(ctx, strict.ArrowParamParams{Path: []byte("$.b"), ID: 1})), any("b0"))
	equal(t, "a table-valued function", len(must(s.TableInfo(ctx, "pairs"))), 3)
	equal(t, "generated columns", must(s.AddShape(ctx, 4)), strict.Shape{A: 4, B: sql.NullInt64{Int64: 8, Valid: true}, C: text("x4")})
	equal(t, "RETURNING an expression", must(s.AddShapeExpr(ctx, 5)), strict.AddShapeExprRow{Next: 6, C: text("x5"), B: sql.NullInt64{Int64: 10, Valid: true}})
	equal(t, "by a generated column", len(must(s.ShapesBy(ctx, strict.ShapesByParams{B: sql.NullInt64{Int64: 8, Valid: true}, C: text("x5")}))), 2)

	put := strict.PutPairParams{K: "k", N: 1, V: text("v")}
	for range 2 {
		if err := s.PutPair(ctx, put); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "upsert that its WHERE stops", must(s.PutPairWhere(ctx, strict.PutPairWhereParams{K: "k", N: 1, V: text("w"), Old: text("v")})), int64(0))
	equal(t, "upsert", must(s.PutPairWhere(ctx, strict.PutPairWhereParams{K: "k", N: 1, V: text("w"), Old: text("?")})), int64(1))
	equal(t, "upserted", must(s.GetPair(ctx, strict.GetPairParams{K: "k", N: 1})).V, text("w!"))
	equal(t, "ON CONFLICT DO NOTHING", must(s.PutPairOnce(ctx, strict.PutPairOnceParams{K: "k", N: 1})), int64(0))
	equal(t, "REPLACE", must(s.ReplacePair(ctx, strict.ReplacePairParams{K: "k", N: 1, V: text("r")})), strict.Pair{K: "k", N: 1, V: text("r")})
	equal(t, "row values", must(s.RowValue(ctx, strict.RowValueParams{K: "k", N: "0"})), []sql.NullString{text("r")})
	if _, err := s.GetPair(ctx, strict.GetPairParams{K: "none"}); !errors.Is(err, lido.ErrNoRows) {
		t.Errorf("no row: got %v", err)
	}

	equal(t, "UPDATE RETURNING *", must(s.Retitle(ctx, strict.RetitleParams{Title: "TWO", ID: 2})).Title, "TWO")
	repriced := must(s.Reprice(ctx, strict.RepriceParams{By: 1, Author: sql.NullInt64{Int64: 2, Valid: true}}))
	equal(t, "UPDATE RETURNING a function", repriced, []strict.RepriceRow{{ID: 2, Title: "TWO", Loud: "TWO"}})
	equal(t, "UPDATE from another table", must(s.RepriceFromAuthors(ctx, "Bob")), int64(1))
	equal(t, "DELETE RETURNING", must(s.DropAuthor(ctx, 3)), strict.DropAuthorRow{Name: "Cyd"})
	if err := s.DropBooks(ctx, 1); err != nil {
		t.Error(err)
	}
	equal(t, "recursion without a table", must(s.CountUp(ctx, 3)), []any{int64(1), int64(2), int64(3)})
	equal(t, "recursion over a table", len(must(s.Chain(ctx, strict.ChainParams{Root: 1, Depth: int64(2)}))), 1)
}

func TestWindowsAndAggregates(t *testing.T) {
	s, ctx := filled(t), t.Context()
	ranked := must(s.Ranked(ctx))
	equal(t, "the first", ranked[0], strict.RankedRow{Title: "one", Place: 1, Total: sql.NullFloat64{Float64: 0.5, Valid: true}})
	equal(t, "the title before", ranked[1].Previous, text("one"))
	equal(t, "a frame", must(s.Running(ctx))[2], strict.RunningRow{ID: 3, Total: sql.NullFloat64{Float64: 4, Valid: true}})
	some := must(s.Totals(ctx, sql.NullInt64{Int64: 1, Valid: true}))
	equal(t, "totals", some, strict.TotalsRow{
		N: 1, Dearest: sql.NullFloat64{Float64: 0.5, Valid: true}, FirstTitle: text("one"), Total: sql.NullFloat64{Float64: 0.5, Valid: true},
		Mean: sql.NullFloat64{Float64: 0.5, Valid: true}, Titles: text("one"), DearestOr0: 0.5,
	})
	equal(t, "totals of nothing", must(s.Totals(ctx, sql.NullInt64{Int64: 9, Valid: true})), strict.TotalsRow{})
	rows := must(s.Filled(ctx))
	equal(t, "filled", rows[0], strict.FilledRow{Bio: "countess", Text: "countess", None: text("countess"), Born: 10, FirstTitle: text("one"), Books: 1})
	equal(t, "filled with NULLs", rows[2], strict.FilledRow{Text: "Cyd", Born: 30})
}

func TestNamesThatCollide(t *testing.T) {
	s, ctx := filled(t), t.Context()
	in := strict.AddOrderParams{From: text("f"), AB: text("spaced"), Type: text("t"), Func: text("fn"), Range: sql.NullInt64{Int64: 7, Valid: true}, AB_2: text("plain")}
	row := must(s.AddOrder(ctx, in))
	if row.Select != 1 || row.From != in.From || row.Func != in.Func || row.Range != in.Range {
		t.Errorf("got %+v", row)
	}
	equal(t, "quoted", must(s.Orders(ctx, strict.OrdersParams{From: text("f"), Func: text("fn")}))[0].Spaced, text("spaced"))
	equal(t, "parameters named as Go's words", must(s.OneOrder(ctx, strict.OneOrderParams{Type: text("spaced"), Range: in.Range, Func: in.Func, Interface: in.Type})), int64(1))
	equal(t, "a lone type", must(s.ByType(ctx, in.Type)), []sql.NullString{in.Func})
	equal(t, "a lone range", must(s.ByRange(ctx, in.Range)), []sql.NullString{in.Func})
	equal(t, "columns of one name", must(s.SameNames(ctx))[0], strict.SameNamesRow{ID: 1, ID_2: 1, ID_3: "Ada", Title: "one"})
	odd := must(s.OddNames(ctx))[0]
	if odd.TheID != 1 || odd.Column4 != (sql.NullInt64{Int64: 11, Valid: true}) {
		t.Errorf("got %+v", odd)
	}
	equal(t, "names of the method's own variables", must(s.OwnVariables(ctx, strict.OwnVariablesParams{Stmt: 1, Row: 2, Err: "-", Q: text("-")})), []string{"Ada", "Bob"})
	equal(t, "error", must(s.Error(ctx, 1)).Error, "Ada")
}

func TestAnEmbedWithoutItsRowIsNilOrAnErrorThatNamesTheOption(t *testing.T) {
	s, ctx := filled(t), t.Context()
	rows := must(s.BooksAndAuthors(ctx))
	if len(rows) != 3 || rows[0].Author == nil || rows[0].Author.Name != "Ada" || rows[2].Author != nil || rows[2].Book.Title != "three" {
		t.Errorf("strict: got %+v", rows)
	}
	left := must(s.BooksLeft(ctx))
	equal(t, "columns of an outer join", left[2], strict.BooksLeftRow{Title: "three"})
	equal(t, "an inner join's embeds", must(s.AuthorsAndBooks(ctx, 2)).Author.Name, "Bob")

	q := plain.NewStore(cornerDB(t))
	must(q.AddBook(ctx, plain.AddBookParams{Title: "of nobody"}))
	_, err := q.BooksAndAuthors(ctx)
	const want = "the row for Author is absent, as an outer join allows; the option strict_types makes it a nil pointer"
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "BooksAndAuthors") {
		t.Errorf("plain: got %v", err)
	}
	for _, err := range q.BooksAndAuthorsSeq(ctx) {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("plain, iterator: got %v", err)
		}
	}
	must(q.AddAuthor(ctx, plain.AddAuthorParams{Name: "Ada"}))
	must(q.Retitle(ctx, plain.RetitleParams{Title: "of somebody", ID: 1}))
}

func TestAnUncheckedQueryRunsOnWhatIsThereThen(t *testing.T) {
	db, ctx := cornerDB(t), t.Context()
	s := strict.NewStore(db)
	if _, err := s.Elsewhere(ctx, strict.ElsewhereParams{}); err == nil || !strings.Contains(err.Error(), "no such table: elsewhere") {
		t.Errorf("got %v", err)
	}
	err := db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "CREATE TABLE elsewhere (id INTEGER PRIMARY KEY, note TEXT NOT NULL)")
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "a write", must(s.AddElsewhere(ctx, "a")), int64(1))
	equal(t, "a read", must(s.Elsewhere(ctx, strict.ElsewhereParams{Ids: []int64{1, 2}, Note: "b"})), []strict.Elsewhere{{ID: 1, Note: "a"}})
	err = s.Read(ctx, func(ctx context.Context, q *strict.ReadQueries) error {
		_, err := q.Elsewhere(ctx, strict.ElsewhereParams{Note: "b"})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
