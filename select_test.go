package lido_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/pooltest"
)

var items = fstest.MapFS{"00001_items.sql": {Data: []byte(`-- +goose Up
CREATE TABLE item (id INTEGER PRIMARY KEY, parent_id INTEGER, name TEXT NOT NULL, price REAL, seen TEXT, tags TEXT, data BLOB);
INSERT INTO item VALUES
	(1, NULL, 'apple', 1.5, '2026-01-02 03:04:05', '["red"]', x'01'),
	(2, 1, 'apple pie', NULL, NULL, NULL, NULL),
	(3, 1, 'bread', 3, '2026-01-02', NULL, NULL);
`)}}

type base struct {
	ID       int64
	ParentID *int32
}

type item struct {
	base
	Name  string
	Cost  sql.NullFloat64 `db:"price"`
	Seen  *time.Time
	Tags  json.RawMessage
	Bytes []byte `db:"data"`
	Extra any
}

func TestSelectReadsRowsIntoFieldsByName(t *testing.T) {
	db := pooltest.Open(t, items)
	one := int32(1)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	day := at.Truncate(24 * time.Hour)
	want := []item{
		{base: base{1, nil}, Name: "apple", Cost: sql.NullFloat64{Float64: 1.5, Valid: true}, Seen: &at, Tags: json.RawMessage(`["red"]`), Bytes: []byte{1}, Extra: "x"},
		{base: base{3, &one}, Name: "bread", Cost: sql.NullFloat64{Float64: 3, Valid: true}, Seen: &day, Extra: "x"},
	}
	q := lido.NewSQL("Items", "SELECT id, parent_id, name, price, seen, tags, data, 'x' AS extra FROM item WHERE price > ?", 1).
		Add("AND id IN (SELECT +value FROM json_each(?))", lido.List([]int64{1, 2, 3})).
		OneOf("id", "name", "ORDER BY name", "id", "ORDER BY id")
	for range 2 { // the statement may run again
		got, err := lido.Select[item](t.Context(), db, q)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\nwant %+v (%v)", got, want, err)
		}
	}
	names, err := lido.Select[string](t.Context(), db, lido.NewSQL("Names", "SELECT name FROM item ORDER BY name DESC"))
	if err != nil || !reflect.DeepEqual(names, []string{"bread", "apple pie", "apple"}) {
		t.Error(names, err)
	}
	n, err := lido.SelectOne[uint16](t.Context(), db, lido.NewSQL("Count", "SELECT count(*) FROM item"))
	if n != 3 || err != nil {
		t.Error(n, err)
	}
	if _, err := lido.SelectOne[int](t.Context(), db, lido.NewSQL("None", "SELECT 1 WHERE false")); err != lido.ErrNoRows {
		t.Error(err)
	}
	for range lido.SelectSeq[string](t.Context(), db, lido.NewSQL("Names", "SELECT name FROM item")) {
		break // gives the reader back
	}
}

func TestSelectSaysWhatDoesNotFit(t *testing.T) {
	db := pooltest.Open(t, items, pool.Config{MaxReaders: 1})
	ctx := t.Context()
	refused := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	_, err := lido.Select[base](ctx, db, lido.NewSQL("Q", "SELECT id, parent_id, name FROM item"))
	refused("Q: column 2 (name): lido_test.base has no such field", err)
	_, err = lido.Select[base](ctx, db, lido.NewSQL("Q", "SELECT id FROM item"))
	refused("field ParentID", err)
	_, err = lido.Select[base](ctx, db, lido.NewSQL("Q", "SELECT id, parent_id, id AS ID FROM item"))
	refused("both go to field ID", err)
	_, err = lido.Select[int8](ctx, db, lido.NewSQL("Q", "SELECT 128"))
	refused("INTEGER 128 cannot be read as int8", err)
	_, err = lido.Select[uint](ctx, db, lido.NewSQL("Q", "SELECT -1"))
	refused("INTEGER -1 cannot be read as uint", err)
	_, err = lido.Select[string](ctx, db, lido.NewSQL("Q", "SELECT NULL"))
	refused("NULL cannot be read as text", err)
	_, err = lido.Select[int](ctx, db, lido.NewSQL("Q", "SELECT 1, 2"))
	refused("has 2 columns", err)
	_, err = lido.Select[chan int](ctx, db, lido.NewSQL("Q", "SELECT 1"))
	refused("no column can be read as chan int", err)
	_, err = lido.Select[int](ctx, db, lido.NewSQL("Q", "SELECT ?"))
	refused("1 parameters and 0 values", err)
	_, err = lido.Select[int](ctx, db, lido.NewSQL("Q", "SELECT 1").OneOf("id; DROP TABLE item", "id", "ORDER BY 1"))
	refused(`is none of ["id"]`, err)
	_, err = lido.Select[int](ctx, db, lido.NewSQL("Q", "SELECT nosuch"))
	refused("Q: no such column: nosuch", err)
}

func TestSelectCannotWriteOnAnyHandle(t *testing.T) {
	db := pooltest.Open(t, items)
	try := func(ctx context.Context, r lido.Reader) error {
		_, err := lido.Select[int64](ctx, r, lido.NewSQL("Sneaky", "DELETE FROM item RETURNING id"))
		if !errors.Is(err, lido.ErrReadOnly) {
			t.Errorf("%T: %v", r, err)
		}
		return nil
	}
	err := errors.Join(try(t.Context(), db), db.Read(t.Context(), try),
		db.Write(t.Context(), func(ctx context.Context, tx lido.Tx) error { return try(ctx, tx) }))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := lido.SelectOne[int](t.Context(), db, lido.NewSQL("Count", "SELECT count(*) FROM item")); n != 3 || err != nil {
		t.Error(n, err)
	}
}

func TestATextThatWasComputedDoesNotCompileAsSQL(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	build := func(argument string) (string, error) {
		dir := t.TempDir()
		source := "package main\n\nimport (\n\t\"os\"\n\n\t\"github.com/lidodb/lido\"\n)\n\nfunc main() {\n\tuser := os.Args[0]\n\t_ = user\n\t_ = lido.NewSQL(\"Q\", " + argument + ")\n}\n"
		for name, text := range map[string]string{
			"main.go": source,
			"go.mod":  "module example.com/x\n\ngo 1.26\n\nrequire github.com/lidodb/lido v0.0.0\n\nreplace github.com/lidodb/lido => " + root + "\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("go", "vet", "-mod=mod", ".")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := build(`"SELECT " + "1"`); err != nil {
		t.Errorf("a constant is refused: %s", out)
	}
	if out, err := build(`"SELECT " + user`); err == nil || !strings.Contains(out, "cannot use") {
		t.Errorf("a computed text is accepted: %s", out)
	}
}
