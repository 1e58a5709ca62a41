package main

import (
	"errors"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// direct is the baseline: the same statements straight on the engine, as the
// shortest correct program would run them. One connection, one prepared
// statement for each query, no pool, no context, no cache to look in; values
// are copied out, because the engine's own memory is gone after the next step.
//
// It is written once and left alone: a faster baseline makes Lido look worse
// and must not be avoided, a slower one makes every ratio a lie.
type direct struct {
	tls *libc.TLS
	db  uintptr

	get, list, insert, begin, rollback uintptr
}

type row struct {
	ID          int64
	Name, Email string
	Price       int64
}

func openDirect(path string) (*direct, error) {
	d := &direct{tls: libc.NewTLS()}
	name, err := libc.CString(path)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(d.tls, name)
	out := libc.Xmalloc(d.tls, 8)
	defer libc.Xfree(d.tls, out)
	rc := lib.Xsqlite3_open_v2(d.tls, name, out, lib.SQLITE_OPEN_READWRITE|lib.SQLITE_OPEN_NOMUTEX|lib.SQLITE_OPEN_PRIVATECACHE, 0)
	d.db = *(*uintptr)(at(out))
	if rc != lib.SQLITE_OK {
		return nil, d.error()
	}
	for _, pragma := range []string{
		"PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "PRAGMA cache_size=-64000", "PRAGMA mmap_size=268435456",
		"PRAGMA foreign_keys=1", "PRAGMA trusted_schema=0", "PRAGMA cell_size_check=1", "PRAGMA busy_timeout=5000",
	} {
		s, err := d.prepare(pragma)
		if err != nil {
			return nil, err
		}
		lib.Xsqlite3_step(d.tls, s)
		lib.Xsqlite3_finalize(d.tls, s)
	}
	for stmt, sql := range map[*uintptr]string{
		&d.get:      "SELECT id, name, email, price FROM items WHERE id = ?1",
		&d.list:     "SELECT id, name, email, price FROM items ORDER BY id LIMIT ?1",
		&d.insert:   "INSERT INTO items (name, email, price) VALUES (?1, ?2, ?3)",
		&d.begin:    "BEGIN IMMEDIATE",
		&d.rollback: "ROLLBACK",
	} {
		if *stmt, err = d.prepare(sql); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *direct) prepare(sql string) (uintptr, error) {
	text, err := libc.CString(sql)
	if err != nil {
		return 0, err
	}
	defer libc.Xfree(d.tls, text)
	out := libc.Xmalloc(d.tls, 8)
	defer libc.Xfree(d.tls, out)
	if rc := lib.Xsqlite3_prepare_v3(d.tls, d.db, text, -1, lib.SQLITE_PREPARE_PERSISTENT, out, 0); rc != lib.SQLITE_OK {
		return 0, d.error()
	}
	return *(*uintptr)(at(out)), nil
}

func (d *direct) getItem(id int64) (r row, err error) {
	if lib.Xsqlite3_bind_int64(d.tls, d.get, 1, id) != lib.SQLITE_OK {
		return r, d.error()
	}
	if lib.Xsqlite3_step(d.tls, d.get) != lib.SQLITE_ROW {
		return r, d.error()
	}
	d.read(d.get, &r)
	lib.Xsqlite3_reset(d.tls, d.get)
	return r, nil
}

func (d *direct) listItems(limit int64) ([]row, error) {
	if lib.Xsqlite3_bind_int64(d.tls, d.list, 1, limit) != lib.SQLITE_OK {
		return nil, d.error()
	}
	var rows []row
	for {
		switch lib.Xsqlite3_step(d.tls, d.list) {
		case lib.SQLITE_ROW:
			var r row
			d.read(d.list, &r)
			rows = append(rows, r)
		case lib.SQLITE_DONE:
			lib.Xsqlite3_reset(d.tls, d.list)
			return rows, nil
		default:
			return nil, d.error()
		}
	}
}

func (d *direct) insertItem(name, email string, price int64) error {
	d.bindText(d.insert, 1, name)
	d.bindText(d.insert, 2, email)
	lib.Xsqlite3_bind_int64(d.tls, d.insert, 3, price)
	if lib.Xsqlite3_step(d.tls, d.insert) != lib.SQLITE_DONE {
		return d.error()
	}
	lib.Xsqlite3_reset(d.tls, d.insert)
	return nil
}

func (d *direct) run(stmt uintptr) error {
	rc := lib.Xsqlite3_step(d.tls, stmt)
	lib.Xsqlite3_reset(d.tls, stmt)
	if rc != lib.SQLITE_DONE {
		return d.error()
	}
	return nil
}

// bindText lets the engine make the copy (SQLITE_TRANSIENT). Go's string stays
// where it is for the length of the call.
func (d *direct) bindText(stmt uintptr, i int32, v string) {
	lib.Xsqlite3_bind_text(d.tls, stmt, i, uintptr(unsafe.Pointer(unsafe.StringData(v))), int32(len(v)), ^uintptr(0))
}

func (d *direct) read(stmt uintptr, r *row) {
	r.ID = lib.Xsqlite3_column_int64(d.tls, stmt, 0)
	r.Name = d.text(stmt, 1)
	r.Email = d.text(stmt, 2)
	r.Price = lib.Xsqlite3_column_int64(d.tls, stmt, 3)
}

func (d *direct) text(stmt uintptr, i int32) string {
	p := lib.Xsqlite3_column_text(d.tls, stmt, i)
	n := lib.Xsqlite3_column_bytes(d.tls, stmt, i)
	return string(unsafe.Slice((*byte)(at(p)), n))
}

func (d *direct) error() error {
	return errors.New(libc.GoString(lib.Xsqlite3_errmsg(d.tls, d.db)))
}

// close is for the end of the program's run only.
func (d *direct) close() {
	for _, s := range []uintptr{d.get, d.list, d.insert, d.begin, d.rollback} {
		lib.Xsqlite3_finalize(d.tls, s)
	}
	lib.Xsqlite3_close_v2(d.tls, d.db)
	d.tls.Close()
}

func at(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }
