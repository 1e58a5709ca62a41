package codegen

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"strings"
	"sync"
)

// stubs are the declarations that generated code uses of the packages that it
// imports, by import path. Generated code is type-checked against them, so that
// it needs neither a Go toolchain nor the sources of the packages.
// TestStubs_areWhatThePackagesDeclare holds them against the packages.
var stubs = map[string]string{
	"context": `package context
type Context interface { Err() error }
func Cause(c Context) error
`,
	"database/sql": `package sql
import "time"
type Scanner interface { Scan(src any) error }
type Result interface { LastInsertId() (int64, error); RowsAffected() (int64, error) }
type NullInt64 struct { Int64 int64; Valid bool }
type NullInt32 struct { Int32 int32; Valid bool }
type NullInt16 struct { Int16 int16; Valid bool }
type NullByte struct { Byte byte; Valid bool }
type NullFloat64 struct { Float64 float64; Valid bool }
type NullString struct { String string; Valid bool }
type NullBool struct { Bool bool; Valid bool }
type NullTime struct { Time time.Time; Valid bool }
type Null[T any] struct { V T; Valid bool }
func (n *Null[T]) Scan(value any) error
`,
	"encoding/json": `package json
type RawMessage []byte
`,
	"errors": `package errors
func New(text string) error
`,
	"fmt": `package fmt
func Errorf(format string, a ...any) (err error)
`,
	"iter": `package iter
type Seq[V any] func(yield func(V) bool)
type Seq2[K, V any] func(yield func(K, V) bool)
`,
	"slices": `package slices
import "iter"
func Chunk[Slice ~[]E, E any](s Slice, n int) iter.Seq[Slice]
`,
	"strings": `package strings
func Repeat(s string, count int) string
`,
	"time": `package time
type Time struct {}
`,
	waist: `package lido
import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)
const GenV1 = 1
type Type int
const Null Type = 5
type Query struct { Name, SQL, Source string; ReadOnly bool; Reads, Writes []string }
type Stmt interface {
	BindNull(i int)
	BindInt64(i int, v int64)
	BindFloat64(i int, v float64)
	BindText(i int, v string)
	BindBlob(i int, v []byte)
	Step() (row bool, err error)
	ColumnType(i int) Type
	ColumnInt64(i int) int64
	ColumnFloat64(i int) float64
	ColumnText(i int) string
	ColumnBlob(i int, dst []byte) []byte
	Changes() int64
	LastInsertID() int64
	Reset() error
	Close() error
	Fail(err error)
}
type Reader interface { PrepareRead(ctx context.Context, q *Query) (Stmt, error) }
type Writer interface { Reader; PrepareWrite(ctx context.Context, q *Query) (Stmt, error) }
type Tx interface { Writer; Savepoint(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error }
type Database interface {
	Writer
	Read(ctx context.Context, fn func(ctx context.Context, r Reader) error) error
	Write(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
}
func Batch(ctx context.Context, db Database, fn func(ctx context.Context, tx Tx) error) error
var ErrNoRows error
type integer interface { int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64 }
type TimeFormat int
func BindBool(s Stmt, i int, v bool)
func BindInt[T integer](s Stmt, i int, v T)
func BindTime(s Stmt, i int, v time.Time)
func BindTimeAs(s Stmt, i int, v time.Time, f TimeFormat)
func BindTimesAs(s Stmt, i int, v []time.Time, f TimeFormat)
func BindJSON(s Stmt, i int, v json.RawMessage)
func BindAny(s Stmt, i int, v any)
func BindAnyAs(s Stmt, i int, v any, f TimeFormat)
func BindSlice[T any](s Stmt, i int, v []T)
func ColumnBool(s Stmt, i int) bool
func ColumnInt[T integer](s Stmt, i int) T
func ColumnFloat32(s Stmt, i int) float32
func ColumnTime(s Stmt, i int) time.Time
func ColumnTimeAs(s Stmt, i int, f TimeFormat) time.Time
func ColumnAny(s Stmt, i int) any
func ColumnScan(s Stmt, i int, dst sql.Scanner)
func Append[T any](stmt Stmt, rows []T, row T) []T
func Trim[T any](rows []T) []T
`,
}

// stubPackages are the type-checked stubs.
var stubPackages = sync.OnceValue(func() map[string]*types.Package {
	packages := map[string]*types.Package{}
	for path := range stubs {
		loadStub(packages, path)
	}
	return packages
})

// stubImporter finds the stubs that others import.
type stubImporter map[string]*types.Package

func (s stubImporter) Import(path string) (*types.Package, error) { return loadStub(s, path), nil }

func loadStub(packages map[string]*types.Package, path string) *types.Package {
	if pkg := packages[path]; pkg != nil {
		return pkg
	}
	fset := gotoken.NewFileSet()
	source := stubs[path]
	for _, name := range timeFormats {
		if name, ok := strings.CutPrefix(name, "lido."); ok && path == waist {
			source += "const " + name + " TimeFormat = 0\n"
		}
	}
	file, err := parser.ParseFile(fset, path, source, parser.SkipObjectResolution)
	if err != nil {
		panic(err)
	}
	// The functions have no bodies, which is all that is wrong with them.
	config := types.Config{Importer: stubImporter(packages), IgnoreFuncBodies: true, Error: func(err error) {
		if !strings.Contains(err.Error(), "missing function body") {
			panic(fmt.Sprintf("codegen: stub of %s: %v", path, err))
		}
	}}
	packages[path], _ = config.Check(path, fset, []*ast.File{file}, nil)
	return packages[path]
}
