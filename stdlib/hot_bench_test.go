package stdlib_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/lidodb/lido/pool"
)

func benchGet(b *testing.B, prepared, end bool) {
	_, handle := open(b, pool.Config{})
	exec(b, handle, "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, price INTEGER NOT NULL)")
	exec(b, handle, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO items SELECT i, 'item number ' || i, 'owner' || i || '@example.com', i FROM n")
	ctx := context.Background()
	if end {
		var cancel func()
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
	}
	const query = "SELECT id, name, email, price FROM items WHERE id = ?"
	s, err := handle.Prepare(query)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		var id, price int64
		var name, email string
		var row *sql.Row
		if prepared {
			row = s.QueryRowContext(ctx, 1+i%10000)
		} else {
			row = handle.QueryRowContext(ctx, query, 1+i%10000)
		}
		if err := row.Scan(&id, &name, &email, &price); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOneRow(b *testing.B)                { benchGet(b, false, true) }
func BenchmarkOneRowPrepared(b *testing.B)        { benchGet(b, true, true) }
func BenchmarkOneRowEndless(b *testing.B)         { benchGet(b, false, false) }
func BenchmarkOneRowPreparedEndless(b *testing.B) { benchGet(b, true, false) }

func benchOnce(b *testing.B, inTx bool) {
	_, handle := open(b, pool.Config{})
	exec(b, handle, "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, price INTEGER NOT NULL)")
	exec(b, handle, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO items SELECT i, 'item number ' || i, 'owner' || i || '@example.com', i FROM n")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var on interface {
		QueryRowContext(context.Context, string, ...any) *sql.Row
	} = handle
	if inTx {
		tx, err := handle.Begin()
		if err != nil {
			b.Fatal(err)
		}
		defer tx.Rollback()
		on = tx
	}
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		var id, price int64
		var name, email string
		row := on.QueryRowContext(ctx, fmt.Sprintf("SELECT id, name, email, price FROM items WHERE id = %d AND price >= %d", 1+i%10000, -i))
		if err := row.Scan(&id, &name, &email, &price); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOnce(b *testing.B)     { benchOnce(b, false) }
func BenchmarkOnceInTx(b *testing.B) { benchOnce(b, true) }

func BenchmarkOnceInsertInTx(b *testing.B) {
	_, handle := open(b, pool.Config{})
	exec(b, handle, "CREATE TABLE added (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, price INTEGER NOT NULL)")
	tx, err := handle.Begin()
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback()
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if _, err := tx.Exec(fmt.Sprintf("INSERT INTO added (name, email, price) VALUES ('a new item of some length', 'someone@example.com', %d)", i)); err != nil {
			b.Fatal(err)
		}
	}
}
