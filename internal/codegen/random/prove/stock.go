package prove

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/codegen/random"
)

// stockCall runs a query through database/sql and reads its rows into the type
// that the method returns.
func (c *testCase) stockCall(q *random.Query, args []reflect.Value, out reflect.Type) (any, error) {
	text, list := expand(q, args)
	switch q.Cmd {
	case ":one", ":many":
	default:
		res, err := c.stockDB.ExecContext(c.ctx, text, list...)
		if err != nil {
			return nil, err
		}
		switch q.Cmd {
		case ":execrows", ":execresult":
			return res.RowsAffected()
		case ":execlastid":
			return res.LastInsertId()
		}
		return nil, nil
	}
	rows, err := c.stockDB.QueryContext(c.ctx, text, list...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if q.Cmd == ":one" {
		if !rows.Next() {
			if err := rows.Err(); err != nil {
				return nil, err
			}
			return nil, sql.ErrNoRows
		}
		v := reflect.New(out).Elem()
		if err := scan(rows, v); err != nil {
			return nil, err
		}
		return v.Interface(), rows.Close()
	}
	all := reflect.New(out).Elem()
	for rows.Next() {
		v := reflect.New(out.Elem()).Elem()
		if err := scan(rows, v); err != nil {
			return nil, err
		}
		all = reflect.Append(all, v)
	}
	return all.Interface(), rows.Err()
}

// parameter finds the parameters in Query.Stock: a number, or that of a slice.
var parameter = regexp.MustCompile(`\?(\d+)|` + random.SliceMark + `(\d+)` + random.SliceMark)

// expand writes out slices and turns the values into what the driver binds.
func expand(q *random.Query, args []reflect.Value) (string, []any) {
	var list []any
	text := parameter.ReplaceAllStringFunc(q.Stock, func(m string) string {
		n, err := strconv.Atoi(strings.Trim(m, "?"+random.SliceMark))
		if err != nil {
			panic(err)
		}
		arg := args[n-1]
		if m[0] == '?' {
			list = append(list, bindable(arg))
			return "?"
		}
		for i := range arg.Len() {
			list = append(list, bindable(arg.Index(i)))
		}
		return strings.TrimPrefix(strings.Repeat(", ?", arg.Len()), ", ")
	})
	return text, list
}

// bindable is a value as the driver takes it. Times are written as Lido writes
// them, and JSON as text: the driver's own forms are others, by design.
func bindable(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case nil:
		return nil
	case time.Time:
		return stored(x)
	case sql.NullTime:
		if !x.Valid {
			return nil
		}
		return stored(x.Time)
	case *time.Time:
		if x == nil {
			return nil
		}
		return stored(*x)
	case json.RawMessage:
		if x == nil {
			return nil
		}
		return string(x)
	case []byte:
		if x == nil {
			return nil
		}
	}
	return v.Interface()
}

func stored(t time.Time) string {
	text, err := lido.FormatTime(t)
	if err != nil {
		panic(err)
	}
	return text
}

// scan reads the current row into a value of any type that generated code
// returns.
func scan(rows *sql.Rows, v reflect.Value) error {
	if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct && !isLeaf(v.Type().Elem()) { // emit_result_struct_pointers
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	var targets []any
	var after []func()
	collect(v, &targets, &after)
	if err := rows.Scan(targets...); err != nil {
		return err
	}
	for _, fn := range after {
		fn()
	}
	return nil
}

func collect(v reflect.Value, targets *[]any, after *[]func()) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*targets = append(*targets, &timeTarget{set: func(t time.Time) { *p = t }})
		return
	case *sql.NullTime:
		*targets = append(*targets, &timeTarget{null: true, set: func(t time.Time) { *p = sql.NullTime{Time: t, Valid: true} }})
		return
	case **time.Time:
		*targets = append(*targets, &timeTarget{null: true, set: func(t time.Time) { *p = &t }})
		return
	case *json.RawMessage:
		*targets = append(*targets, &blobTarget{set: func(b []byte) { *p = b }})
		return
	case *[]byte:
		*targets = append(*targets, &blobTarget{set: func(b []byte) { *p = b }})
		return
	case *any:
		*targets = append(*targets, &anyTarget{p})
		return
	case *string:
		*targets = append(*targets, &textTarget{set: func(s string) { *p = s }})
		return
	case *sql.NullString:
		*targets = append(*targets, &textTarget{null: true, set: func(s string) { *p = sql.NullString{String: s, Valid: true} }})
		return
	case **string:
		*targets = append(*targets, &textTarget{null: true, set: func(s string) { *p = &s }})
		return
	case *int64:
		*targets = append(*targets, &intTarget{set: func(n int64) { *p = n }})
		return
	case *sql.NullInt64:
		*targets = append(*targets, &intTarget{null: true, set: func(n int64) { *p = sql.NullInt64{Int64: n, Valid: true} }})
		return
	case **int64:
		*targets = append(*targets, &intTarget{null: true, set: func(n int64) { *p = &n }})
		return
	case *bool:
		*targets = append(*targets, &boolTarget{set: func(b bool) { *p = b }})
		return
	case *sql.NullBool:
		*targets = append(*targets, &boolTarget{null: true, set: func(b bool) { *p = sql.NullBool{Bool: b, Valid: true} }})
		return
	case **bool:
		*targets = append(*targets, &boolTarget{null: true, set: func(b bool) { *p = &b }})
		return
	case *float64:
		*targets = append(*targets, &floatTarget{set: func(f float64) { *p = f }})
		return
	case *sql.NullFloat64:
		*targets = append(*targets, &floatTarget{null: true, set: func(f float64) { *p = sql.NullFloat64{Float64: f, Valid: true} }})
		return
	case **float64:
		*targets = append(*targets, &floatTarget{null: true, set: func(f float64) { *p = &f }})
		return
	}
	switch {
	case v.Kind() == reflect.Struct && !isLeaf(v.Type()):
		for i := range v.NumField() {
			collect(v.Field(i), targets, after)
		}
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct && !isLeaf(v.Type().Elem()):
		collectAbsent(v, targets, after)
	default:
		*targets = append(*targets, v.Addr().Interface())
	}
}

// collectAbsent reads a row that may be absent: all its columns are NULL then.
func collectAbsent(v reflect.Value, targets *[]any, after *[]func()) {
	row := reflect.New(v.Type().Elem())
	var inner []any
	collect(row.Elem(), &inner, after)
	present := false
	for _, target := range inner {
		*targets = append(*targets, &maybe{target, &present})
	}
	*after = append(*after, func() {
		if present {
			v.Set(row)
		}
	})
}

// maybe passes a value on unless it is NULL.
type maybe struct {
	target  any
	present *bool
}

func (m *maybe) Scan(src any) error {
	if src == nil {
		return nil
	}
	*m.present = true
	if s, ok := m.target.(sql.Scanner); ok {
		return s.Scan(src)
	}
	v := reflect.ValueOf(m.target).Elem() // a pointer to one of them
	v.Set(reflect.New(v.Type().Elem()))
	return (&maybe{v.Interface(), m.present}).Scan(src)
}

// assign converts as Rows.Scan does.
func assign[T any](p *T, src any) error {
	var n sql.Null[T]
	if err := n.Scan(src); err != nil {
		return err
	}
	*p = n.V
	return nil
}

// timeTarget reads a time in the forms that Lido reads.
type timeTarget struct {
	null bool
	set  func(time.Time)
}

func (t *timeTarget) Scan(src any) error {
	switch x := src.(type) {
	case nil:
		if t.null {
			return nil
		}
	case time.Time:
		t.set(x)
		return nil
	case string:
		v, err := lido.ParseTime(x)
		if err == nil {
			t.set(v)
		}
		return err
	}
	return fmt.Errorf("%v (%T) is no time", src, src)
}

// blobTarget tells an empty blob, for which the driver gives a nil slice, from
// NULL.
type blobTarget struct{ set func([]byte) }

func (b *blobTarget) Scan(src any) error {
	switch x := src.(type) {
	case nil:
	case []byte:
		b.set(append([]byte{}, x...))
	case string:
		b.set([]byte(x))
	default: // a number becomes its text
		return (&textTarget{set: func(s string) { b.set([]byte(s)) }}).Scan(src)
	}
	return nil
}

// anyTarget does the same for a column without a type.
type anyTarget struct{ p *any }

func (a *anyTarget) Scan(src any) error {
	*a.p = src
	if b, ok := src.([]byte); ok {
		*a.p = append([]byte{}, b...)
	}
	return nil
}

// boolTarget takes the real numbers 0 and 1 too; database/sql takes integers.
type boolTarget struct {
	null bool
	set  func(bool)
}

func (b *boolTarget) Scan(src any) error {
	switch x := src.(type) {
	case nil:
		if b.null {
			return nil
		}
	case float64:
		if x == 0 || x == 1 {
			b.set(x == 1)
			return nil
		}
	case []byte: // a blob is no boolean
	default:
		var v bool
		err := assign(&v, src)
		b.set(v)
		return err
	}
	return fmt.Errorf("%v (%T) is no boolean", src, src)
}

// intTarget takes every real number without a fraction; database/sql takes it
// only where Go prints it without an exponent.
type intTarget struct {
	null bool
	set  func(int64)
}

func (t *intTarget) Scan(src any) error {
	if src == nil && t.null {
		return nil
	}
	if f, ok := src.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		t.set(int64(f))
		return nil
	}
	if src == nil {
		return errors.New("NULL is no integer")
	}
	var n int64
	err := assign(&n, src)
	t.set(n)
	return err
}

// floatTarget takes no integer that a float64 cannot hold, which database/sql
// rounds.
type floatTarget struct {
	null bool
	set  func(float64)
}

func (t *floatTarget) Scan(src any) error {
	if src == nil && t.null {
		return nil
	}
	if src == nil {
		return errors.New("NULL is no number")
	}
	if _, ok := src.([]byte); ok {
		return errors.New("a blob is no number")
	}
	var f float64
	if err := assign(&f, src); err != nil {
		return err
	}
	if n, ok := src.(int64); ok && (f >= 1<<63 || int64(f) != n) {
		return fmt.Errorf("%d is no float64", n)
	}
	t.set(f)
	return nil
}

// textTarget gives a real number the text that SQLite gives it ("2.0", where
// Go writes "2").
type textTarget struct {
	null bool
	set  func(string)
}

// engine spells numbers.
var engine = sync.OnceValues(func() (*sql.DB, error) { return sql.Open("sqlite", ":memory:") })

func (t *textTarget) Scan(src any) error {
	if src == nil && t.null {
		return nil
	}
	if src == nil {
		return errors.New("NULL is no text")
	}
	if f, ok := src.(float64); ok {
		db, err := engine()
		if err != nil {
			return err
		}
		if err := db.QueryRow("SELECT CAST(? AS TEXT)", f).Scan(&src); err != nil {
			return err
		}
	}
	var s string
	err := assign(&s, src)
	t.set(s)
	return err
}
