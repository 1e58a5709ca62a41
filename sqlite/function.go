package sqlite

import (
	"context"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"github.com/lidodb/lido"
)

// Function is an SQL function written in Go. It returns nil, a bool, an int, an
// int64, a float64, a string or a []byte; an error, or a panic, fails the
// statement. It runs in the middle of a statement, so it must not use the
// connection, and args end with it. Should it end its goroutine, as
// testing.T.FailNow does, the connection is lost with it.
type Function func(args []Value) (any, error)

// Collation orders two texts: negative, zero or positive, always the same for
// the same texts, or indexes that use it are damaged. It must not use the
// connection. The engine has no way to be told that a collation failed, so a
// panic goes on to the caller, and the connection is lost.
type Collation func(a, b string) int

// Value is an argument of a Function. Its methods read it as those of Stmt
// read a column, except that what cannot be converted is zero, as in SQL.
type Value struct {
	tls   *libc.TLS
	value uintptr // sqlite3_value*
}

// Type returns the storage class of the value.
func (v Value) Type() lido.Type { return lido.Type(lib.Xsqlite3_value_type(v.tls, v.value)) }

// Int64 returns the value as an integer.
func (v Value) Int64() int64 { return lib.Xsqlite3_value_int64(v.tls, v.value) }

// Float64 returns the value as a number.
func (v Value) Float64() float64 { return lib.Xsqlite3_value_double(v.tls, v.value) }

// Text returns the value as a string.
func (v Value) Text() string {
	p := lib.Xsqlite3_value_text(v.tls, v.value)
	if p == 0 {
		return ""
	}
	return string(bytesAt(p, int(lib.Xsqlite3_value_bytes(v.tls, v.value))))
}

// Blob returns a copy of the value's bytes, or nil for NULL.
func (v Value) Blob() []byte {
	if v.Type() == lido.Null {
		return nil
	}
	p := lib.Xsqlite3_value_blob(v.tls, v.value)
	n := int(lib.Xsqlite3_value_bytes(v.tls, v.value))
	if p == 0 || n == 0 {
		return []byte{}
	}
	return append([]byte(nil), bytesAt(p, n)...)
}

// callback is what the engine has been given to call: a function or a
// collation. It finds it by a number, as it finds the connection.
type callback struct {
	conn *Conn
	name string
	fn   Function
	cmp  Collation
}

// CreateFunction makes fn callable from SQL on this connection, with args
// arguments, or any number of them if args is negative. A function of that
// name and number of arguments is replaced.
//
// deterministic promises that the result depends on the arguments alone. Only
// then may indexes and generated columns use the function, and, as untrusted
// schemas may too, views and triggers.
//
// It fails while a statement is open that uses the function it replaces.
//
// https://www.sqlite.org/c3ref/create_function.html
func (c *Conn) CreateFunction(name string, args int, deterministic bool, fn Function) error {
	if fn == nil {
		panic("sqlite: CreateFunction: no function")
	}
	if err := c.alive(); err != nil {
		return err
	}
	flags := int32(lib.SQLITE_UTF8)
	if deterministic {
		flags |= lib.SQLITE_DETERMINISTIC | lib.SQLITE_INNOCUOUS
	}
	return c.install(callback{conn: c, name: name, fn: fn}, func(text, key uintptr) int32 {
		return lib.Xsqlite3_create_function_v2(c.tls, c.db, text, int32(max(args, -1)), flags, key, function(onFunction), 0, 0, 0)
	})
}

// CreateCollation makes cmp the collation of that name on this connection.
//
// https://www.sqlite.org/c3ref/create_collation.html
func (c *Conn) CreateCollation(name string, cmp Collation) error {
	if cmp == nil {
		panic("sqlite: CreateCollation: no function")
	}
	if err := c.alive(); err != nil {
		return err
	}
	return c.install(callback{conn: c, name: name, cmp: cmp}, func(text, key uintptr) int32 {
		return lib.Xsqlite3_create_collation_v2(c.tls, c.db, text, lib.SQLITE_UTF8, key, function(onCollation), 0)
	})
}

// install registers a callback and hands its number to the engine. What it
// replaces stays registered until the connection is closed.
func (c *Conn) install(cb callback, create func(text, key uintptr) int32) error {
	if !c.take() {
		return c.usedTwice("create " + cb.name)
	}
	defer c.give()
	if cb.name == "" || strings.ContainsRune(cb.name, 0) {
		return fmt.Errorf("sqlite: %q is no name for a function or collation", cb.name)
	}
	handles.Lock()
	if handles.callbacks == nil {
		handles.callbacks = make(map[uintptr]*callback)
	}
	handles.last++
	key := handles.last
	handles.callbacks[key] = &cb
	handles.Unlock()
	c.callbacks = append(c.callbacks, key)

	text := cString(c.tls, cb.name)
	if text == 0 {
		return fmt.Errorf("sqlite: create %s: out of memory", cb.name)
	}
	defer free(c.tls, text)
	if rc := create(text, key); rc != lib.SQLITE_OK {
		return fmt.Errorf("sqlite: create %s: %w", cb.name, c.fail(context.Background(), rc, ""))
	}
	c.tainted = "a function or collation"
	return nil
}

func callbackOf(key uintptr) *callback {
	handles.RLock()
	defer handles.RUnlock()
	return handles.callbacks[key]
}

// onFunction runs a Function for the engine.
func onFunction(tls *libc.TLS, call uintptr, n int32, values uintptr) {
	cb := callbackOf(lib.Xsqlite3_user_data(tls, call))
	if cb == nil {
		resultError(tls, call, "function of a connection that was closed")
		return
	}
	// A panic must not unwind through the engine, which would be left half way.
	// Nothing stops runtime.Goexit.
	returned := false
	defer func() {
		if p := recover(); p != nil {
			resultError(tls, call, fmt.Sprintf("%s: panic: %v", cb.name, p))
			returned = true
		}
		cb.conn.exits(&returned)
	}()
	args := make([]Value, n)
	for i := range args {
		args[i] = Value{tls, uintptrAt(values + uintptr(i)*unsafe.Sizeof(values))}
	}
	result, err := cb.fn(args)
	returned = true
	if err != nil {
		resultError(tls, call, cb.name+": "+err.Error())
		return
	}
	switch v := result.(type) {
	case nil:
		lib.Xsqlite3_result_null(tls, call)
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		lib.Xsqlite3_result_int64(tls, call, n)
	case int:
		lib.Xsqlite3_result_int64(tls, call, int64(v))
	case int64:
		lib.Xsqlite3_result_int64(tls, call, v)
	case float64:
		if v != v { // the engine would make NULL of it
			resultError(tls, call, cb.name+": returned NaN, which is no number of SQLite")
			return
		}
		lib.Xsqlite3_result_double(tls, call, v)
	case string:
		resultBytes(tls, call, v, lib.Xsqlite3_result_text)
	case []byte:
		if v == nil {
			lib.Xsqlite3_result_null(tls, call)
			return
		}
		resultBytes(tls, call, string(v), lib.Xsqlite3_result_blob)
	default:
		resultError(tls, call, fmt.Sprintf("%s: returned a %T", cb.name, v))
	}
}

// resultBytes gives the engine a copy of v, which it frees.
func resultBytes(tls *libc.TLS, call uintptr, v string, give func(*libc.TLS, uintptr, uintptr, int32, uintptr)) {
	if len(v) >= math.MaxInt32 {
		lib.Xsqlite3_result_error_toobig(tls, call)
		return
	}
	p := cString(tls, v)
	if p == 0 {
		lib.Xsqlite3_result_error_nomem(tls, call)
		return
	}
	give(tls, call, p, int32(len(v)), freeFunction)
}

func resultError(tls *libc.TLS, call uintptr, message string) {
	p := cString(tls, message)
	if p == 0 {
		lib.Xsqlite3_result_error_nomem(tls, call)
		return
	}
	defer free(tls, p)
	lib.Xsqlite3_result_error(tls, call, p, int32(len(message)))
}

// onCollation runs a Collation for the engine.
func onCollation(_ *libc.TLS, key uintptr, n1 int32, p1 uintptr, n2 int32, p2 uintptr) int32 {
	cb := callbackOf(key)
	if cb == nil {
		return 0
	}
	returned := false
	defer cb.conn.exits(&returned)
	order := cb.cmp(string(bytesAt(p1, int(n1))), string(bytesAt(p2, int(n2))))
	returned = true
	return int32(max(-1, min(1, order)))
}
