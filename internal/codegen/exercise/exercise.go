// Package exercise calls every method of generated packages: sqlc's own on
// database/sql and modernc.org/sqlite, Lido's on a pool, each with the same
// arguments on the same rows, and compares what they return and what they
// leave in the tables.
//
// It runs in a program that is generated together with the packages, and
// reports one JSON line per call; see package conformance.
package exercise

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"

	_ "modernc.org/sqlite" // the stock driver
)

// Case is one schema with the packages that were generated for it.
type Case struct {
	Name   string
	Schema []string // SQL texts, in order
	Stock  func(db StockDB) any
	Lido   func(db lido.Writer) any
	Strict func(db lido.Writer) any
}

// StockDB is what sqlc calls DBTX.
type StockDB interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// Call is what came of one method with one set of arguments.
type Call struct {
	Case, Method, Variant string
	State                 string // empty or filled
	Arguments             string // plain or zero
	Place                 string // tx or db
	Stock, Lido           string // errors, or ""
	Difference            string // of two results that should be equal
}

// Main exercises the cases and prints a Call per line.
func Main(cases []Case) {
	out := json.NewEncoder(os.Stdout)
	for _, c := range cases {
		for _, variant := range []string{"loose", "strict"} {
			for _, state := range []string{"empty", "filled"} {
				r := &run{Case: c, variant: variant, state: state, report: func(call Call) {
					if err := out.Encode(call); err != nil {
						panic(err)
					}
				}}
				if err := r.all(); err != nil {
					fmt.Fprintf(os.Stderr, "%s, %s, %s: %v\n", c.Name, variant, state, err)
					os.Exit(1)
				}
			}
		}
	}
}

// run is one case in one variant on one state of the tables.
type run struct {
	Case
	variant, state string
	report         func(Call)

	ctx   context.Context
	stock *sql.DB
	lido  lido.Database
}

func (r *run) all() (err error) {
	dir, err := os.MkdirTemp("", "exercise-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r.ctx = context.Background()
	setUp := r.Schema
	if r.state == "filled" {
		fill, err := fill(r.ctx, r.Schema)
		if err != nil {
			return fmt.Errorf("fill: %w", err)
		}
		setUp = append(slices.Clip(setUp), fill...)
	}
	if err := r.openStock(filepath.Join(dir, "stock.db"), setUp); err != nil {
		return fmt.Errorf("stock driver: %w", err)
	}
	defer r.stock.Close()
	closeLido, err := r.openLido(filepath.Join(dir, "lido.db"), setUp)
	if err != nil {
		return fmt.Errorf("lido: %w", err)
	}
	defer func() {
		if e := closeLido(); err == nil {
			err = e
		}
	}()
	return r.methods()
}

// attaches reports whether a schema attaches a second database, which only the
// connection that runs it sees.
func attaches(setUp []string) bool {
	return slices.ContainsFunc(setUp, func(s string) bool { return strings.HasPrefix(strings.ToUpper(strings.TrimSpace(s)), "ATTACH") })
}

// openStock opens one connection of the stock driver, if possible one that has
// not run the set-up, so that last_insert_rowid() and its like start at zero.
func (r *run) openStock(path string, setUp []string) (err error) {
	if !attaches(setUp) {
		if err := execAll(r.ctx, path, setUp); err != nil {
			return err
		}
		setUp = nil
	}
	if r.stock, err = sql.Open("sqlite", "file:"+path); err != nil {
		return err
	}
	r.stock.SetMaxOpenConns(1)
	for _, text := range append(slices.Clip(setUp), "PRAGMA foreign_keys = ON") {
		if _, err := r.stock.ExecContext(r.ctx, text); err != nil {
			return errors.Join(fmt.Errorf("%w in %.200s", err, text), r.stock.Close())
		}
	}
	return nil
}

// openLido opens a pool, or one connection where the schema attaches.
func (r *run) openLido(path string, setUp []string) (func() error, error) {
	if attaches(setUp) {
		db, err := openSingle(r.ctx, path, setUp)
		if err != nil {
			return nil, err
		}
		r.lido = db
		return db.Close, nil
	}
	if err := execAll(r.ctx, path, setUp); err != nil {
		return nil, err
	}
	db, err := pool.Open(r.ctx, path, pool.Config{MustExist: true, MaxReaders: 2})
	if err != nil {
		return nil, err
	}
	r.lido = db
	return func() error { return db.Close(r.ctx) }, nil
}

func (r *run) newLido(w lido.Writer) reflect.Value {
	if r.variant == "strict" {
		return reflect.ValueOf(r.Strict(w))
	}
	return reflect.ValueOf(r.Lido(w))
}

// methods calls every method inside a transaction that is then undone, and
// after that on the database itself: those that cannot write first.
func (r *run) methods() error {
	var reads, writes []string
	stock := reflect.ValueOf(r.Stock(r.stock))
	queries := r.newLido(r.lido)
	readOnly := queries.Elem().FieldByName("ReadQueries").Addr()
	for i := range stock.NumMethod() {
		switch name := stock.Type().Method(i).Name; {
		case name == "WithTx" || name == "Close":
		case readOnly.MethodByName(name).IsValid():
			reads = append(reads, name)
		default:
			writes = append(writes, name)
		}
	}
	for _, name := range append(slices.Clip(reads), writes...) {
		for _, args := range argumentSets {
			if err := r.inTx(name, args); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, name := range append(slices.Clip(reads), writes...) {
		for _, args := range argumentSets {
			call := r.call(name, args, "db", r.stock, r.lido)
			if call.Difference == "" && slices.Contains(writes, name) {
				call.Difference = r.tables(r.stock, r.lido)
			}
			r.report(call)
		}
	}
	return nil
}

// errUndo ends a transaction whose work is not to stay.
var errUndo = errors.New("undo")

func (r *run) inTx(name, args string) error {
	tx, err := r.stock.BeginTx(r.ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // that is what it is for
	var call Call
	err = r.lido.Write(r.ctx, func(ctx context.Context, ltx lido.Tx) error {
		outer := r.ctx
		r.ctx = ctx
		defer func() { r.ctx = outer }()
		call = r.call(name, args, "tx", tx, ltx)
		if call.Difference == "" && call.Stock == "" && call.Lido == "" {
			call.Difference = r.tables(tx, ltx)
		}
		return errUndo
	})
	r.report(call)
	if !errors.Is(err, errUndo) && call.Lido == "" {
		return err
	}
	return nil
}

// call calls the method on both sides and compares what it returns.
func (r *run) call(name, args, place string, stockDB StockDB, lidoDB lido.Writer) Call {
	call := Call{Case: r.Name, Method: name, Variant: r.variant, State: r.state, Arguments: args, Place: place}
	want, stockErr := r.invoke(reflect.ValueOf(r.Stock(stockDB)), name, args, stockDB)
	got, lidoErr := r.invoke(r.newLido(lidoDB), name, args, lidoDB)
	call.Stock, call.Lido = text(stockErr), text(lidoErr)
	if stockErr != nil || lidoErr != nil {
		return call
	}
	compare := Same
	if r.variant == "strict" {
		compare = alike
	}
	if call.Difference = compare(want, got); call.Difference == "" {
		return call
	}
	// What differs from itself (random(), say) cannot be compared.
	again, err := r.invoke(reflect.ValueOf(r.Stock(stockDB)), name, args, stockDB)
	if err == nil && Same(want, again) != "" {
		call.Difference = ""
	}
	return call
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// invoke calls one method; handle is passed where the method asks for one.
func (r *run) invoke(queries reflect.Value, name, args string, handle any) (result any, err error) {
	method := queries.MethodByName(name)
	if !method.IsValid() {
		return nil, fmt.Errorf("there is no method %s", name)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	in := []reflect.Value{reflect.ValueOf(r.ctx)}
	for i := 1; i < method.Type().NumIn(); i++ {
		t := method.Type().In(i)
		if t.Kind() == reflect.Interface && t.NumMethod() > 0 && reflect.TypeOf(handle).Implements(t) {
			in = append(in, reflect.ValueOf(handle))
			continue
		}
		in = append(in, argument(t, args))
	}
	out := method.Call(in)
	if e, ok := out[len(out)-1].Interface().(error); ok {
		return nil, e
	}
	if len(out) == 1 {
		return nil, nil
	}
	if res, ok := out[0].Interface().(sql.Result); ok {
		return resultOf(res)
	}
	return out[0].Interface(), nil
}

// outcome is a sql.Result in a form that compares.
type outcome struct{ Rows int64 }

func resultOf(res sql.Result) (any, error) {
	n, err := res.RowsAffected()
	return outcome{n}, err
}
