package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// shape is one way in which programs use database/sql. Both drivers run it with
// the same code.
type shape struct {
	name   string
	target string
	// ready returns what is measured, and what ends it.
	ready func(ctx context.Context, db *sql.DB) (call func(i int64) error, end func() error, err error)
}

// Half the time of the stock driver is asked of one row, and no shape may take
// longer than it.
const (
	half  = "at most 0.50"
	equal = "at most 1.00"
)

const (
	sqlGet  = "SELECT id, name, email, price FROM items WHERE id = ?"
	sqlList = "SELECT id, name, email, price FROM items ORDER BY id LIMIT 1000"
	sqlAdd  = "INSERT INTO added (name, email, price) VALUES (?, ?, ?)"
)

// manyParams is how many parameters the shape of that name has.
const manyParams = 200

var shapes = []shape{
	{"one row", half, each(func(ctx context.Context, db *sql.DB, i int64) error {
		return scanItem(db.QueryRowContext(ctx, sqlGet, 1+i%items))
	})},
	{"one row, prepared", half, preparedCall(sqlGet, func(ctx context.Context, s *sql.Stmt, i int64) error {
		return scanItem(s.QueryRowContext(ctx, 1+i%items))
	})},
	{"one row, without an end in sight", half, each(func(_ context.Context, db *sql.DB, i int64) error {
		return scanItem(db.QueryRowContext(context.Background(), sqlGet, 1+i%items))
	})},
	{"one row, in a transaction", half, inTx(func(ctx context.Context, tx *sql.Tx, i int64) error {
		return scanItem(tx.QueryRowContext(ctx, sqlGet, 1+i%items))
	})},
	{"SQL used once", equal, each(func(ctx context.Context, db *sql.DB, i int64) error {
		return scanItem(db.QueryRowContext(ctx, usedOnce(i)))
	})},
	{"SQL used once, in a transaction", equal, inTx(func(ctx context.Context, tx *sql.Tx, i int64) error {
		return scanItem(tx.QueryRowContext(ctx, usedOnce(i)))
	})},
	{"inserts used once, 1,000 in a transaction", equal, each(func(ctx context.Context, db *sql.DB, _ int64) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for range 1000 {
			texts++
			if _, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO added (name, email, price) VALUES ('a new item of some length', 'someone@example.com', %d)", texts)); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		return tx.Rollback()
	})},
	{"list of 1,000 rows", equal, each(func(ctx context.Context, db *sql.DB, _ int64) error {
		return want1000(listItems(db.QueryContext(ctx, sqlList)))
	})},
	{"list of 1,000 rows, prepared", equal, preparedCall(sqlList, func(ctx context.Context, s *sql.Stmt, _ int64) error {
		return want1000(listItems(s.QueryContext(ctx)))
	})},
	{"100 rows of text", equal, each(func(ctx context.Context, db *sql.DB, _ int64) error {
		return wide[string](ctx, db, "SELECT a, b, c, d, e FROM texts LIMIT 100", 100)
	})},
	{"100 rows of NULLs", equal, each(func(ctx context.Context, db *sql.DB, _ int64) error {
		return wide[sql.NullString](ctx, db, "SELECT a, b, c, d, e FROM nulls LIMIT 100", 100)
	})},
	{"100 rows with times", equal, each(func(ctx context.Context, db *sql.DB, _ int64) error {
		return wide[sql.NullTime](ctx, db, "SELECT a, b, c, d, e FROM times LIMIT 100", 100)
	})},
	{"a blob of 64 kB", equal, each(func(ctx context.Context, db *sql.DB, i int64) error {
		var b []byte
		err := db.QueryRowContext(ctx, "SELECT b FROM blobs WHERE id = ?", 1+i%10).Scan(&b)
		if err == nil && len(b) != 64<<10 {
			err = fmt.Errorf("%d bytes", len(b))
		}
		return err
	})},
	{fmt.Sprintf("%d parameters", manyParams), equal, func(ctx context.Context, db *sql.DB) (func(int64) error, func() error, error) {
		query := "SELECT count(*) FROM items WHERE id IN (?" + strings.Repeat(", ?", manyParams-1) + ")"
		args := make([]any, manyParams)
		return func(i int64) error {
			for k := range args {
				args[k] = i%1000 + int64(k)
			}
			var n int
			return db.QueryRowContext(ctx, query, args...).Scan(&n)
		}, nothing, nil
	}},
	{"an insert", equal, each(func(ctx context.Context, db *sql.DB, i int64) error {
		_, err := db.ExecContext(ctx, sqlAdd, "a new item of some length", "someone@example.com", i)
		return err
	})},
	{"an insert, prepared", equal, preparedCall(sqlAdd, func(ctx context.Context, s *sql.Stmt, i int64) error {
		_, err := s.ExecContext(ctx, "a new item of some length", "someone@example.com", i)
		return err
	})},
	{"an insert that returns its id", equal, each(func(ctx context.Context, db *sql.DB, i int64) error {
		var id int64
		return db.QueryRowContext(ctx, sqlAdd+" RETURNING id", "a new item of some length", "someone@example.com", i).Scan(&id)
	})},
	{"1,000 inserts in a transaction", equal, each(func(ctx context.Context, db *sql.DB, _ int64) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for i := range int64(1000) {
			if _, err := tx.ExecContext(ctx, sqlAdd, "a new item of some length", "someone@example.com", i); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		return tx.Rollback()
	})},
	{"1,000 inserts in a transaction, prepared", equal, each(func(ctx context.Context, db *sql.DB, _ int64) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		s, err := tx.PrepareContext(ctx, sqlAdd)
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		for i := range int64(1000) {
			if _, err := s.ExecContext(ctx, "a new item of some length", "someone@example.com", i); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		return errors.Join(s.Close(), tx.Rollback())
	})},
}

// texts counts the texts that usedOnce has made.
var texts int64

// usedOnce returns sqlGet with the values in its text, which is another one each
// time.
func usedOnce(i int64) string {
	texts++
	return fmt.Sprintf("SELECT id, name, email, price FROM items WHERE id = %d AND price >= %d", 1+i%items, -texts)
}

func nothing() error { return nil }

func each(call func(ctx context.Context, db *sql.DB, i int64) error) func(context.Context, *sql.DB) (func(int64) error, func() error, error) {
	return func(ctx context.Context, db *sql.DB) (func(int64) error, func() error, error) {
		return func(i int64) error { return call(ctx, db, i) }, nothing, nil
	}
}

func preparedCall(query string, call func(ctx context.Context, s *sql.Stmt, i int64) error) func(context.Context, *sql.DB) (func(int64) error, func() error, error) {
	return func(ctx context.Context, db *sql.DB) (func(int64) error, func() error, error) {
		s, err := db.PrepareContext(ctx, query)
		if err != nil {
			return nil, nil, err
		}
		return func(i int64) error { return call(ctx, s, i) }, s.Close, nil
	}
}

func inTx(call func(ctx context.Context, tx *sql.Tx, i int64) error) func(context.Context, *sql.DB) (func(int64) error, func() error, error) {
	return func(ctx context.Context, db *sql.DB) (func(int64) error, func() error, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		return func(i int64) error { return call(ctx, tx, i) }, tx.Rollback, nil
	}
}

func scanItem(r *sql.Row) error {
	var it row
	return r.Scan(&it.ID, &it.Name, &it.Email, &it.Price)
}

func listItems(rows *sql.Rows, err error) ([]row, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []row
	for rows.Next() {
		var it row
		if err := rows.Scan(&it.ID, &it.Name, &it.Email, &it.Price); err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// wide reads rows of five columns into values of one type.
func wide[T any](ctx context.Context, db *sql.DB, query string, want int) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var a, b, c, d, e T
		if err := rows.Scan(&a, &b, &c, &d, &e); err != nil {
			return err
		}
		n++
	}
	if n != want {
		return errors.Join(rows.Err(), fmt.Errorf("%d rows", n))
	}
	return errors.Join(rows.Err(), rows.Close())
}

// fillShapes makes the tables that the shapes read.
func fillShapes(ctx context.Context, db *sql.DB) error {
	for _, text := range []string{
		"CREATE TABLE added (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, price INTEGER NOT NULL)",
		"CREATE TABLE texts (a TEXT, b TEXT, c TEXT, d TEXT, e TEXT)",
		"CREATE TABLE nulls (a TEXT, b TEXT, c TEXT, d TEXT, e TEXT)",
		"CREATE TABLE times (a DATETIME, b DATETIME, c DATETIME, d DATETIME, e DATETIME)",
		"CREATE TABLE blobs (id INTEGER PRIMARY KEY, b BLOB)",
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
			INSERT INTO texts SELECT hex(randomblob(100)), hex(randomblob(10)), hex(randomblob(50)), 'short', hex(randomblob(300)) FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
			INSERT INTO nulls SELECT NULL, 'x', NULL, NULL, NULL FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
			INSERT INTO times SELECT datetime(i * 1000000, 'unixepoch'), NULL, datetime(i, 'unixepoch'), datetime(i * 7, 'unixepoch'), NULL FROM n`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
			INSERT INTO blobs SELECT i, randomblob(65536) FROM n`,
	} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// viaDatabaseSQL measures Lido's *sql.DB against the stock driver.
//
// While nobody else has the file open, and always with pool.Config.Exclusive,
// one row costs no system call for SQLite's locks.
func viaDatabaseSQL(ctx context.Context, stock, lido, shared, exclusive *sql.DB) ([]operation, error) {
	for _, db := range []*sql.DB{stock, lido, shared, exclusive} {
		if err := fillShapes(ctx, db); err != nil {
			return nil, err
		}
	}
	var ops []operation
	for _, s := range shapes {
		op := operation{"database/sql, " + s.name, []contender{
			{name: "stock driver", run: readied(ctx, stock, s)},
			{name: "lido", run: readied(ctx, lido, s), target: s.target},
		}}
		if s.target == half {
			op.contenders = append(op.contenders,
				contender{name: othersToo, run: readied(ctx, shared, s)},
				contender{name: "lido, exclusive", run: readied(ctx, exclusive, s)})
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// readied readies s for each round, because a transaction holds its connection.
func readied(ctx context.Context, db *sql.DB, s shape) func(b *testing.B) {
	return func(b *testing.B) {
		call, end, err := s.ready(ctx, db)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			b.FailNow()
		}
		loop(call)(b)
		if err := end(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			b.FailNow()
		}
	}
}
