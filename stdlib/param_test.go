package stdlib_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/lidodb/lido/pool"
)

func TestParametersTakeTheArgumentOfTheirNumberOrName(t *testing.T) {
	_, handle := open(t, pool.Config{})
	x, y := sql.Named("x", 1), sql.Named("y", 2)
	for _, c := range []struct {
		query string
		args  []any
		want  string // of all columns, or of the error
	}{
		{"SELECT ?, ?", []any{1, 2}, "1 2"},
		{"SELECT ?2, ?1", []any{1, 2}, "2 1"},
		{"SELECT $2, $1", []any{1, 2}, "2 1"},
		{"SELECT $2, $1, $2", []any{1, 2}, "2 1 2"},
		{"SELECT $1, ?", []any{1, 2}, "1 2"},
		{"SELECT ?, $1", []any{1}, "1 1"},
		{"SELECT ?2, ?, ?1", []any{1, 2, 3}, "2 3 1"},
		{"SELECT ?03", []any{1, 2, 3}, "3"},
		{"SELECT :x, @y", []any{y, x}, "1 2"},
		{"SELECT :x, :x, @x, $x", []any{x}, "1 1 1 1"},
		{"SELECT ?, :y", []any{1, y}, "1 2"},
		{"SELECT :y, ?", []any{y, 1}, "2 1"},
		{"SELECT $2, :x", []any{x, 5}, "5 1"},
		{"SELECT ':x ?', 1 -- ? :z", nil, ":x ? 1"},

		// A number says how many there are.
		{"SELECT ?1, ?3", []any{1, 2, 3}, "1 3"},
		{"SELECT $1, $3", []any{1, 2, 3}, "1 3"},
		{"SELECT ?1, ?3", []any{1, 2}, "parameter ?3 takes argument 3, but the call has 2"},
		{"SELECT $3", []any{1}, "parameter $3 takes argument 3, but the call has 1"},

		{"SELECT ?", nil, "parameter ? takes argument 1, but the call has 0"},
		{"SELECT ?", []any{1, 2}, "no parameter takes argument 2 of 2"},
		{"SELECT 1", []any{1}, "no parameter takes argument 1 of 1"},
		{"SELECT :x", []any{y}, `no argument for parameter :x: pass sql.Named("x", value)`},
		{"SELECT :x", []any{1}, `no argument for parameter :x: pass sql.Named("x", value)`},
		{"SELECT :2, :1", []any{1, 2}, "no argument for parameter :2, whose digits are a name: write ?1 or $1"},
		{"SELECT @1", []any{1}, "no argument for parameter @1, whose digits are a name"},
		{"SELECT $01", []any{1}, "no argument for parameter $01, whose digits are a name"},
		{"SELECT $99999999999999999999", []any{1}, "whose digits are a name"},
		{"SELECT :_x", []any{1}, "no argument for parameter :_x: sql.Named takes only names that begin with a letter"},
		{"SELECT :x", []any{x, y}, `no parameter is named "y"`},
		{"SELECT :x", []any{x, x}, `two arguments are named "x"`},
		{"SELECT ?", []any{x}, `parameter ? takes argument 1, which is named "x"`},
		{"SELECT ?, :x", []any{x, 1}, `parameter ? takes argument 1, which is named "x"`},
		{"SELECT :x, :y, ?", []any{x, 5, 6, y}, "no parameter takes argument 2 of 4"},

		// Several statements are numbered as one.
		{"SELECT 1 WHERE 0 = ?; SELECT ?, ?", []any{0, 1, 2}, "1 2"},
		{"SELECT ?1; SELECT ?1, ?2", []any{1, 2}, "1 2"},
		{"SELECT $1; SELECT ?2, $1", []any{1, 2}, "2 1"},
		{"SELECT :x; SELECT :x, ?", []any{x, 5}, "1 5"},
		{"SELECT :x, ?; SELECT ?, :x", []any{x, 5, 6}, "6 1"},
		{"SELECT ?; SELECT ?", []any{1}, "parameter ? takes argument 2, but the call has 1"},
		{"SELECT ?1; SELECT ?1", []any{1, 2}, "no parameter takes argument 2 of 2"},
		{"SELECT ?; SELECT ?1", []any{1}, "several statements, with both ? and numbered parameters: number all of them"},
		{"SELECT $1; SELECT ?, ?", []any{1, 2}, "number all of them"},

		// What the engine says of the text comes first.
		{"SELEKT ?", nil, "syntax error"},
		{"SELECT ?0", []any{1}, "variable number must be between"},
		{"SELECT #1", []any{1}, "#1"},
	} {
		for _, on := range []string{"a *sql.DB", "a *sql.Tx", "a *sql.Stmt"} {
			got, err := columns(t, handle, on, c.query, c.args)
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s with %v on %s: %q, want %q", c.query, c.args, on, err, c.want)
				}
			} else if got != c.want {
				t.Errorf("%s with %v on %s: %s, want %s", c.query, c.args, on, got, c.want)
			}
		}
	}
}

// columns runs a query that gives one row, and returns its columns.
func columns(t testing.TB, handle *sql.DB, on, query string, args []any) (string, error) {
	t.Helper()
	run := handle.Query
	switch on {
	case "a *sql.Tx":
		tx, err := handle.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		run = tx.Query
	case "a *sql.Stmt":
		s, err := handle.Prepare(query)
		if err != nil {
			return "", err
		}
		defer s.Close()
		run = func(_ string, args ...any) (*sql.Rows, error) { return s.Query(args...) }
	}
	rows, err := run(query, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	dest, out := make([]any, len(names)), make([]string, len(names))
	for i := range dest {
		dest[i] = new(any)
	}
	if !rows.Next() {
		return "", errors.Join(errors.New("no row"), rows.Err())
	}
	if err := rows.Scan(dest...); err != nil {
		return "", err
	}
	for i := range dest {
		out[i] = fmt.Sprint(*dest[i].(*any))
	}
	return strings.Join(out, " "), rows.Close()
}

// firstValue is that of the first argument; the others follow.
const firstValue = 100

// parameterCall is a text and its arguments. Each argument has a value of its
// own, so that one in a wrong place shows.
type parameterCall struct {
	text       string
	args       []any
	statements [][]string // the parameters
}

func randomCall(rnd *rand.Rand) (c parameterCall) {
	forms := []string{"?", "?", "?", "?1", "?2", "?3", "$1", "$2", "$3", ":1", "@2", ":a", "@a", "$a", ":b", "@c", "$01", ":_a"}
	// Most texts keep to a few forms, as those of programs do.
	forms = forms[rnd.IntN(len(forms)):]
	forms = forms[:1+rnd.IntN(len(forms))]
	if rnd.IntN(5) == 0 {
		forms = []string{"?"}
	}
	total := 0
	var text strings.Builder
	for range 1 + max(0, rnd.IntN(5)-2) {
		params := make([]string, 1+rnd.IntN(4))
		for i := range params {
			params[i] = forms[rnd.IntN(len(forms))]
		}
		total += len(params)
		c.statements = append(c.statements, params)
		fmt.Fprintf(&text, "INSERT INTO log SELECT json_array(%s); ", strings.Join(params, ", "))
	}
	c.text = text.String()
	named := rnd.IntN(2) == 0
	count := rnd.IntN(6)
	if rnd.IntN(3) == 0 {
		count = total
	}
	for i := range count {
		if named && rnd.IntN(2) == 0 {
			c.args = append(c.args, sql.Named([]string{"a", "a", "b", "c", "A"}[rnd.IntN(5)], firstValue+i))
		} else {
			c.args = append(c.args, firstValue+i)
		}
	}
	return c
}

// refusable says why Lido may refuse a call for which the stock driver has
// inserted bound, lines of values.
func (c *parameterCall) refusable(bound string) string {
	names, used := make(map[string]int), make(map[int]bool)
	questionMarks := false
	values := strings.FieldsFunc(bound, func(r rune) bool { return r < '0' || r > '9' })
	for _, params := range c.statements {
		for _, p := range params {
			value, _ := strconv.Atoi(values[0])
			values = values[1:]
			at := value - firstValue
			used[at] = true
			questionMarks = questionMarks || p == "?"
			if named, ok := c.args[at].(sql.NamedArg); ok && p[1:] != named.Name {
				return "a named argument in the place of another"
			}
		}
	}
	for i, arg := range c.args {
		if named, ok := arg.(sql.NamedArg); ok {
			if names[named.Name]++; names[named.Name] > 1 {
				return "two arguments of one name"
			}
		}
		if !used[i] {
			return "an argument that is not used"
		}
	}
	if questionMarks && len(c.statements) > 1 {
		return "question marks in several statements, each of which the stock driver begins with the first argument"
	}
	return ""
}

// Random texts and arguments on both drivers. Lido binds what the stock driver
// binds, or refuses the call before the first statement has run; and it refuses
// only for the reasons of refusable. With question marks in several statements
// it binds arguments that the stock driver leaves unused.
func TestParametersTakeTheArgumentsThatTheStockDriverGivesThem(t *testing.T) {
	_, handle := open(t, pool.Config{})
	stock := openStock(t)
	for _, db := range []*sql.DB{handle, stock} {
		exec(t, db, "CREATE TABLE log (line TEXT)")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	calls := 6000
	if testing.Short() {
		calls = 2000
	}
	same, further, refused := 0, 0, make(map[string]int)
	for range calls {
		c := randomCall(rnd)
		var got [2]string
		var errs [2]error
		for i, db := range []*sql.DB{stock, handle} {
			got[i], errs[i] = c.run(t, db)
		}
		switch {
		case errs[1] != nil && got[1] != "":
			t.Errorf("%s with %v: %v, but Lido has run %s", c.text, c.args, errs[1], got[1])
		case errs[0] != nil && errs[1] == nil:
			t.Errorf("%s with %v: the stock driver says %v, Lido binds %s", c.text, c.args, errs[0], got[1])
		case errs[0] != nil:
			same++
		case errs[1] == nil && got[0] == got[1]:
			same++
		case errs[1] != nil && c.refusable(got[0]) != "":
			refused[c.refusable(got[0])]++
		case errs[1] == nil && len(c.statements) > 1 && c.refusable(got[0]) == "an argument that is not used":
			further++
		default:
			t.Errorf("%s with %v: the stock driver binds %s, Lido %s, %v", c.text, c.args, got[0], got[1], errs[1])
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d calls alike, %d with arguments that only Lido uses, refused: %v", same, further, refused)
	if same < calls/4 || further == 0 || len(refused) < 3 {
		t.Error("the calls are of too few kinds")
	}
}

// run returns what the call has inserted, and empties the table.
func (c *parameterCall) run(t testing.TB, db *sql.DB) (string, error) {
	t.Helper()
	_, err := db.ExecContext(context.Background(), c.text, c.args...)
	var log sql.NullString
	if err := db.QueryRow("SELECT group_concat(line, ' ') FROM log").Scan(&log); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "DELETE FROM log")
	return log.String, err
}
