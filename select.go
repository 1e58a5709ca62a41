package lido

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"sync"
	"time"
)

// Select runs q on r and returns its rows.
//
// T is a struct, or a type that one column can be read as. Columns and fields
// find each other by name, capitals and underscores aside (parent_id is
// ParentID), or by a `db:"name"` tag; fields of embedded structs count as the
// struct's own. A column without a field, or a field without a column, is an
// error that names it. A NULL is an error unless the field is a pointer, a
// sql.Scanner such as sql.NullString, a []byte or an any.
//
// A statement that is not read-only is refused with ErrReadOnly, on a Tx too.
// Select uses reflection: a query that is known beforehand is faster, and
// proved, as a generated method.
func Select[T any](ctx context.Context, r Reader, q *SQL) ([]T, error) {
	var rows []T
	for row, err := range SelectSeq[T](ctx, r, q) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// SelectOne is Select for the first row. Without one it returns ErrNoRows.
func SelectOne[T any](ctx context.Context, r Reader, q *SQL) (T, error) {
	var row, none T
	s, err := q.start(ctx, r)
	if err != nil {
		return none, err
	}
	defer s.Close()
	more, err := s.Step()
	if err != nil {
		return none, err
	}
	if !more {
		return none, ErrNoRows
	}
	reader, err := newRowReader(s, reflect.TypeFor[T]())
	if err != nil {
		return none, q.named(err)
	}
	reader.read(s, reflect.ValueOf(&row).Elem())
	if err := s.Close(); err != nil { // a value that could not be read
		return none, err
	}
	return row, nil
}

// SelectSeq is Select row by row. It holds what r holds (on a Database, a
// reader) until the loop ends. An error is the last thing it yields.
func SelectSeq[T any](ctx context.Context, r Reader, q *SQL) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		s, err := q.start(ctx, r)
		if err != nil {
			yield(none, err)
			return
		}
		defer s.Close()
		var reader *rowReader
		more, err := s.Step()
		for more && err == nil {
			// After the first step: a change of schema may have made the
			// engine prepare the statement again.
			if reader == nil {
				if reader, err = newRowReader(s, reflect.TypeFor[T]()); err != nil {
					err = q.named(err)
					break
				}
			}
			var row T
			reader.read(s, reflect.ValueOf(&row).Elem())
			// Only the next step says whether the values could be read.
			if more, err = s.Step(); err == nil && !yield(row, nil) {
				return
			}
		}
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			yield(none, err)
		}
	}
}

// start prepares q on r and sets its parameters.
func (q *SQL) start(ctx context.Context, r Reader) (Stmt, error) {
	if q.err != nil {
		return nil, q.named(q.err)
	}
	s, err := r.PrepareRead(ctx, &Query{Name: q.name, SQL: q.String(), ReadOnly: true})
	if err != nil {
		return nil, err
	}
	if err := q.bind(s); err != nil {
		s.Close()
		return nil, q.named(err)
	}
	return s, nil
}

// named is err with the name of q, which errors of the engine have already.
func (q *SQL) named(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return fmt.Errorf("%s: %w", q.name, err)
}

// rowReader reads a row into a value of one type.
type rowReader struct {
	columns []columnReader
}

type columnReader struct {
	field []int // empty: the value itself
	read  readFunc
}

type readFunc func(s Stmt, i int, dst reflect.Value)

func (r *rowReader) read(s Stmt, dst reflect.Value) {
	for i, c := range r.columns {
		if len(c.field) == 0 {
			c.read(s, i, dst)
		} else {
			c.read(s, i, dst.FieldByIndex(c.field))
		}
	}
}

// newRowReader matches the columns of s with t.
func newRowReader(s Stmt, t reflect.Type) (*rowReader, error) {
	named, ok := s.(interface {
		ColumnCount() int
		ColumnName(i int) string
	})
	if !ok {
		return nil, fmt.Errorf("%T does not name its columns", s)
	}
	n := named.ColumnCount()
	if read := readerOf(t); read != nil {
		if n != 1 {
			return nil, fmt.Errorf("the statement has %d columns, and %s takes one", n, t)
		}
		return &rowReader{columns: []columnReader{{read: read}}}, nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("no column can be read as %s", t)
	}
	fields := fieldsOf(t)
	r := &rowReader{columns: make([]columnReader, n)}
	found := make(map[string]string, n)
	for i := range n {
		name := named.ColumnName(i)
		key := plain(name)
		f, ok := fields[key]
		switch {
		case !ok:
			return nil, fmt.Errorf("column %d (%s): %s has no such field", i, name, t)
		case found[key] != "":
			return nil, fmt.Errorf("columns %s and %s both go to field %s of %s", found[key], name, f.name, t)
		case f.read == nil:
			return nil, fmt.Errorf("column %d (%s): no column can be read as field %s of %s", i, name, f.name, t)
		}
		found[key] = name
		r.columns[i] = columnReader{field: f.index, read: f.read}
	}
	for key, f := range fields {
		if found[key] == "" {
			return nil, fmt.Errorf("field %s of %s: the statement has no such column", f.name, t)
		}
	}
	return r, nil
}

type field struct {
	name  string
	index []int
	read  readFunc // nil if no column can be read as its type
}

// structs keeps the fields of each struct that was ever read.
var structs sync.Map // reflect.Type -> map[string]field

func fieldsOf(t reflect.Type) map[string]field {
	if known, ok := structs.Load(t); ok {
		return known.(map[string]field)
	}
	fields := make(map[string]field)
	for _, f := range reflect.VisibleFields(t) {
		name := f.Name
		if tag := f.Tag.Get("db"); tag != "" {
			name = tag
		}
		read := readerOf(f.Type)
		flattened := f.Anonymous && read == nil && f.Type.Kind() == reflect.Struct
		if !f.IsExported() || flattened || name == "-" || inside(t, f.Index) {
			continue
		}
		fields[plain(name)] = field{name: f.Name, index: f.Index, read: read}
	}
	structs.Store(t, fields)
	return fields
}

// inside reports whether a field belongs to an embedded value that is read as
// a whole (a sql.NullString), or that is a pointer, which may be nil.
func inside(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		t = t.Field(i).Type
		if t.Kind() != reflect.Struct || readerOf(t) != nil {
			return true
		}
	}
	return false
}

func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

var (
	scannerType = reflect.TypeFor[sql.Scanner]()
	timeType    = reflect.TypeFor[time.Time]()
)

// readerOf returns how a column is read as t, or nil.
func readerOf(t reflect.Type) readFunc {
	if reflect.PointerTo(t).Implements(scannerType) {
		return func(s Stmt, i int, dst reflect.Value) { ColumnScan(s, i, dst.Addr().Interface().(sql.Scanner)) }
	}
	switch {
	case t == timeType:
		return func(s Stmt, i int, dst reflect.Value) { dst.Set(reflect.ValueOf(ColumnTime(s, i))) }
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return func(s Stmt, i int, dst reflect.Value) { dst.SetBytes(s.ColumnBlob(i, nil)) }
	}
	switch t.Kind() {
	case reflect.Pointer:
		read := readerOf(t.Elem())
		if read == nil {
			return nil
		}
		return func(s Stmt, i int, dst reflect.Value) {
			if s.ColumnType(i) != Null {
				dst.Set(reflect.New(t.Elem()))
				read(s, i, dst.Elem())
			}
		}
	case reflect.Bool:
		return func(s Stmt, i int, dst reflect.Value) { dst.SetBool(ColumnBool(s, i)) }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(s Stmt, i int, dst reflect.Value) {
			v := s.ColumnInt64(i)
			if dst.OverflowInt(v) {
				unreadable(s, i, v, t.String()+", which cannot hold it")
			}
			dst.SetInt(v)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(s Stmt, i int, dst reflect.Value) {
			v := s.ColumnInt64(i)
			if v < 0 || dst.OverflowUint(uint64(v)) {
				unreadable(s, i, v, t.String()+", which cannot hold it")
			}
			dst.SetUint(uint64(v))
		}
	case reflect.Float32:
		return func(s Stmt, i int, dst reflect.Value) { dst.SetFloat(float64(ColumnFloat32(s, i))) }
	case reflect.Float64:
		return func(s Stmt, i int, dst reflect.Value) { dst.SetFloat(s.ColumnFloat64(i)) }
	case reflect.String:
		return func(s Stmt, i int, dst reflect.Value) { dst.SetString(s.ColumnText(i)) }
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return func(s Stmt, i int, dst reflect.Value) {
				if v := ColumnAny(s, i); v != nil {
					dst.Set(reflect.ValueOf(v))
				}
			}
		}
	}
	return nil
}
