// Package prove draws rows and arguments for generated packages and compares
// each call with the same statement on database/sql and modernc.org/sqlite:
// what it returns, down to types and NULLs, whether it fails, and what it
// leaves in the tables.
//
// It is compiled into a test program together with the packages; see package
// random.
package prove

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/codegen/exercise"
	"github.com/lidodb/lido/internal/codegen/random"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"

	_ "modernc.org/sqlite" // the stock driver
)

// StrictTypes is the name of the package whose results must be able to hold
// what they are.
const StrictTypes = "strict"

// Package is a generated package and the project it was generated from.
type Package struct {
	Name    string
	Project string // JSON
	New     func(w lido.Writer) any
}

// subject is a package with its two databases.
type subject struct {
	Package
	project random.Project
	stock   *sql.DB
	lido    *pool.DB
	dump    string // a query that shows what all tables hold

	inserts, writes, reads []*random.Query
}

// counts are what a run has done.
type counts struct{ cases, calls, rows, refusals, writes int }

// Check draws cases and reports the first that differs, as small as possible.
func Check(t *testing.T, packages []Package) {
	var list []*subject
	for _, p := range packages {
		list = append(list, open(t, p))
	}
	var n counts
	rapid.Check(t, func(rt *rapid.T) {
		n.cases++
		c := &testCase{T: rt, subject: list[rapid.IntRange(0, len(list)-1).Draw(rt, "package")], n: &n, ctx: context.Background()}
		c.run()
	})
	t.Logf("%d cases: %d calls compared, %d of them writes, %d rows returned, %d calls refused alike by both", n.cases, n.calls, n.writes, n.rows, n.refusals)
}

func open(t *testing.T, p Package) *subject {
	t.Helper()
	s := &subject{Package: p}
	if err := json.Unmarshal([]byte(p.Project), &s.project); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	dir := t.TempDir()
	for _, name := range []string{"stock.db", "lido.db"} {
		c, err := sqlite.Open(ctx, filepath.Join(dir, name), sqlite.Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Exec(ctx, s.project.SchemaText()), c.Close()); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	dsn := "file:" + filepath.Join(dir, "stock.db") + "?_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=synchronous(off)"
	if s.stock, err = sql.Open("sqlite", dsn); err != nil {
		t.Fatal(err)
	}
	s.stock.SetMaxOpenConns(1)
	if s.lido, err = pool.Open(ctx, filepath.Join(dir, "lido.db"), pool.Config{MustExist: true, MaxReaders: 2}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.stock.Close(), s.lido.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	s.dump = dumpQuery(&s.project)
	for i := range s.project.Queries {
		switch q := &s.project.Queries[i]; {
		case q.Insert:
			s.inserts = append(s.inserts, q)
		case q.Writes:
			s.writes = append(s.writes, q)
		default:
			s.reads = append(s.reads, q)
		}
	}
	return s
}

// dumpQuery shows every row of every table as text, storage classes included.
func dumpQuery(p *random.Project) string {
	var parts []string
	for _, tab := range p.Tables {
		var cols []string
		for _, c := range tab.Columns {
			cols = append(cols, `quote("`+c.Name+`")`)
		}
		parts = append(parts, "SELECT '"+tab.Name+": ' || "+strings.Join(cols, " || ', ' || ")+" FROM "+tab.Name)
	}
	return strings.Join(parts, " UNION ALL ") + " ORDER BY 1"
}

// testCase is one case: some rows, then some calls.
type testCase struct {
	*rapid.T
	*subject
	n   *counts
	ctx context.Context

	stockDB exercise.StockDB
	lidoDB  lido.Writer
}

var errUndo = errors.New("undo")

// run works inside a transaction on both sides, which is then undone, or
// outside one, and then empties the tables.
func (c *testCase) run() {
	if rapid.Bool().Draw(c.T, "in a transaction") {
		tx, err := c.stock.BeginTx(c.ctx, nil)
		if err != nil {
			c.Fatal(err)
		}
		defer tx.Rollback() //nolint:errcheck // that is what it is for
		err = c.lido.Write(c.ctx, func(ctx context.Context, ltx lido.Tx) error {
			c.ctx, c.stockDB, c.lidoDB = ctx, tx, ltx
			c.steps()
			return errUndo
		})
		if !errors.Is(err, errUndo) {
			c.Fatalf("the transaction ended with %v", err)
		}
		return
	}
	c.stockDB, c.lidoDB = c.stock, c.lido
	defer c.empty()
	c.steps()
}

// empty deletes every row, of tables that refer to others first.
func (c *testCase) empty() {
	for _, tab := range slices.Backward(c.project.Tables) {
		text := "DELETE FROM " + tab.Name
		if _, err := c.stock.ExecContext(c.ctx, text); err != nil {
			panic(err)
		}
		err := c.lido.WithWriter(c.ctx, func(ctx context.Context, conn *sqlite.Conn) error { return conn.Exec(ctx, text) })
		if err != nil {
			panic(err)
		}
	}
}

// steps fills the tables and then mostly reads.
func (c *testCase) steps() {
	for range rapid.SampledFrom([]int{4, 8, 12, 16, 1, 0}).Draw(c.T, "rows") {
		c.callOne(c.inserts, "insert")
	}
	for range rapid.SampledFrom([]int{4, 3, 2, 1}).Draw(c.T, "calls") {
		if rapid.IntRange(0, 3).Draw(c.T, "write") == 3 {
			c.callOne(c.writes, "query")
		} else {
			c.callOne(c.reads, "query")
		}
	}
}

func (c *testCase) callOne(from []*random.Query, label string) {
	c.call(from[rapid.IntRange(0, len(from)-1).Draw(c.T, label)])
}

// call runs one query on both sides.
func (c *testCase) call(q *random.Query) {
	method := reflect.ValueOf(c.New(c.lidoDB)).MethodByName(q.Name)
	if !method.IsValid() {
		c.Fatalf("%s has no method %s", c.subject.Name, q.Name)
	}
	in := []reflect.Value{reflect.ValueOf(c.ctx)}
	for i := 1; i < method.Type().NumIn(); i++ {
		in = append(in, draw(c.T, method.Type().In(i), fmt.Sprintf("argument %d of %s", i, q.Name)))
	}
	args := arguments(in[1:], q.Order)
	if len(args) != q.Params {
		c.Fatalf("%s does not take %d values:\n%s", q.Name, q.Params, q.Source)
	}
	got, gotErr := results(method.Call(in))
	want, wantErr := c.stockCall(q, args, method.Type().Out(0))
	c.n.calls++
	where := fmt.Sprintf("%s.%s\n%s\narguments %s", c.subject.Name, q.Name, q.Source, show(args))
	switch {
	case wantErr == nil && gotErr != nil && strings.Contains(gotErr.Error(), absentRow) && holdsJSON(reflect.TypeOf(want)):
		c.n.refusals++
	case (gotErr == nil) != (wantErr == nil) || errors.Is(gotErr, sql.ErrNoRows) != errors.Is(wantErr, sql.ErrNoRows):
		c.Fatalf("%s\nstock driver: %v\nlido: %v", where, wantErr, gotErr)
	case gotErr != nil && c.subject.Name == StrictTypes && strings.Contains(gotErr.Error(), "NULL cannot be read") && !q.Asserts:
		c.Fatalf("%s\nstrict types have no place for a NULL: %v", where, gotErr)
	case gotErr != nil:
		c.n.refusals++
	default:
		if d := exercise.Same(want, got); d != "" && !bothEmpty(want, got) {
			c.Fatalf("%s\n%s", where, d)
		}
		if v := reflect.ValueOf(got); v.IsValid() && v.Kind() == reflect.Slice {
			c.n.rows += v.Len()
			c.iterator(q, in, got, where)
		}
	}
	if q.Writes {
		c.n.writes++
		if want, got := c.dumps(); want != got {
			c.Fatalf("%s\nthe tables hold in the stock driver's database\n%s\nand in lido's\n%s", where, want, got)
		}
	}
}

// absentRow is how Lido refuses the embed of a row that is not there. Where all
// that could not be NULL is json.RawMessage, database/sql fails in another way,
// which the reading of this package does not copy.
const absentRow = "is absent, as an outer join allows"

func holdsJSON(t reflect.Type) bool {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return true
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer:
		return holdsJSON(t.Elem())
	case t.Kind() == reflect.Struct:
		for f := range t.Fields() {
			if holdsJSON(f.Type) {
				return true
			}
		}
	}
	return false
}

// bothEmpty is true for a nil slice and an empty one: emit_empty_slices decides.
func bothEmpty(a, b any) bool {
	v, w := reflect.ValueOf(a), reflect.ValueOf(b)
	return v.IsValid() && w.IsValid() && v.Kind() == reflect.Slice && v.Len() == 0 && w.Kind() == reflect.Slice && w.Len() == 0
}

// iterator wants the same rows from the iterator as from the list.
func (c *testCase) iterator(q *random.Query, in []reflect.Value, list any, where string) {
	if q.Cmd != ":many" || q.Writes {
		return
	}
	seq := reflect.ValueOf(c.New(c.lidoDB)).MethodByName(q.Name + "Seq").Call(in)[0]
	rows := reflect.MakeSlice(reflect.TypeOf(list), 0, 0)
	for row, err := range seq.Seq2() {
		if e, ok := err.Interface().(error); ok {
			c.Fatalf("%s\niterator: %v", where, e)
		}
		rows = reflect.Append(rows, row)
	}
	if d := exercise.Same(list, rows.Interface()); d != "" && !bothEmpty(list, rows.Interface()) {
		c.Fatalf("%s\niterator: %s", where, d)
	}
}

func results(out []reflect.Value) (any, error) {
	if e, ok := out[len(out)-1].Interface().(error); ok {
		return nil, e
	}
	if len(out) == 1 {
		return nil, nil
	}
	if res, ok := out[0].Interface().(sql.Result); ok {
		return res.RowsAffected()
	}
	return out[0].Interface(), nil
}

// dumps shows what the tables hold on both sides.
func (c *testCase) dumps() (stock, own string) {
	rows, err := c.stockDB.QueryContext(c.ctx, c.dump)
	if err != nil {
		c.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			c.Fatal(err)
		}
		stock += line + "\n"
	}
	if err := rows.Err(); err != nil {
		c.Fatal(err)
	}
	stmt, err := c.lidoDB.PrepareRead(c.ctx, &lido.Query{Name: "dump", SQL: c.dump, ReadOnly: true})
	if err != nil {
		c.Fatal(err)
	}
	defer stmt.Close()
	row, err := stmt.Step()
	for row && err == nil {
		own += stmt.ColumnText(0) + "\n"
		row, err = stmt.Step()
	}
	if err != nil {
		c.Fatal(err)
	}
	return stock, own
}
