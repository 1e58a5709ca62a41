package pool_test

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// replace300MB is one call of replace() over 300 million bytes, which nothing
// interrupts: without a limit on lengths it runs for many seconds.
var replace300MB = &lido.Query{Name: "Replace300MB", SQL: "SELECT length(replace(hex(zeroblob(150000000)), '0', '1'))", ReadOnly: true}

func wantTooBig(t *testing.T, err error, limit int, parts ...string) {
	t.Helper()
	if !errors.Is(err, lido.ErrTooBig) {
		t.Errorf("%v, want lido.ErrTooBig", err)
		return
	}
	for _, part := range append(parts, "MaxLengthBytes, which is "+strconv.Itoa(limit), "pool.Config") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func TestAnInstructionThatNothingCouldInterruptIsRefusedForItsLength(t *testing.T) {
	db := openDB(t, pool.Config{MaxReaders: 2})
	_, err := scalar(t.Context(), db, replace300MB)
	wantTooBig(t, err, 128<<20, "Replace300MB")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = scalar(ctx, db, replace300MB)
	t.Logf("300 MB under a deadline of 20 ms ended after %v", time.Since(began))
	if !errors.Is(err, lido.ErrTooBig) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if n := count(t, t.Context(), db); n != 0 {
		t.Error(n)
	}
	if s := db.Stat(); s.Readers.Destroyed.Total() != 0 {
		t.Errorf("the connection was not used again: %+v", s)
	}
}

func TestEveryConnectionHasTheLengthLimit(t *testing.T) {
	const limit = 1 << 20
	db := openDB(t, pool.Config{MaxReaders: 2, MaxLengthBytes: limit})
	ctx := t.Context()
	made := &lido.Query{Name: "Made", SQL: "SELECT length(zeroblob(" + strconv.Itoa(limit+1) + "))", ReadOnly: true}
	taken := &lido.Query{Name: "Taken", SQL: "SELECT length(?1)", ReadOnly: true}
	bind := func(r lido.Reader, n int, blob bool) error {
		s, err := r.PrepareRead(ctx, taken)
		if err != nil {
			return err
		}
		defer s.Close()
		if blob {
			s.BindBlob(1, make([]byte, n))
		} else {
			s.BindText(1, strings.Repeat("x", n))
		}
		row, err := s.Step()
		if err == nil && (!row || s.ColumnInt64(0) != int64(n)) {
			err = errors.New("no row, or another length")
		}
		return err
	}
	try := func(r lido.Reader) {
		t.Helper()
		_, err := scalar(ctx, r, made)
		wantTooBig(t, err, limit, "Made")
		for _, blob := range []bool{true, false} {
			wantTooBig(t, bind(r, limit+1, blob), limit, "Taken", "parameter 1")
			if err := bind(r, limit, blob); err != nil {
				t.Error(err)
			}
		}
	}
	try(db)
	err := errors.Join(
		db.Read(ctx, func(_ context.Context, r lido.Reader) error { try(r); return nil }),
		db.Write(ctx, func(_ context.Context, tx lido.Tx) error {
			try(tx)
			long := strings.Repeat("x", limit+1)
			wantTooBig(t, run(ctx, tx, insertItem, long), limit, "InsertItem", "parameter 1")
			// The row has a header beside its values.
			wantTooBig(t, run(ctx, tx, insertItem, long[1:]), limit, "InsertItem")
			return run(ctx, tx, insertItem, "the transaction goes on")
		}))
	if err != nil {
		t.Error(err)
	}
	wantTooBig(t, run(ctx, db, insertItem, strings.Repeat("x", limit+1)), limit, "InsertItem", "parameter 1")
	c, err := db.OpenConn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.QueryInt64(ctx, made.SQL)
	wantTooBig(t, errors.Join(err, c.Close()), limit)
	if n := count(t, ctx, db); n != 1 {
		t.Error(n)
	}
	if s := db.Stat(); s.Readers.Destroyed.Total()+s.Writer.Destroyed.Total() != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsInTheFileAlreadyAndLongerIsRefusedWhenItIsRead(t *testing.T) {
	const limit = 1 << 20
	path := filepath.Join(t.TempDir(), "test.db")
	ctx := t.Context()
	before := openDBAt(t, path, pool.Config{MaxLengthBytes: -1})
	large := &lido.Query{Name: "Large", SQL: "INSERT INTO item(name) VALUES('small'), (replace(hex(zeroblob(" + strconv.Itoa(limit) + ")), '0', 'x'))", Writes: []string{"item"}}
	notes := &lido.Query{Name: "Notes", SQL: "CREATE TABLE note AS SELECT 1 AS id, name FROM item WHERE id = 2"}
	if err := errors.Join(run(ctx, before, large), run(ctx, before, notes), before.Close(ctx)); err != nil {
		t.Fatal(err)
	}

	db := openDBAt(t, path, pool.Config{MaxLengthBytes: limit})
	get := &lido.Query{Name: "Get", SQL: "SELECT name FROM item WHERE id = 2", ReadOnly: true}
	_, err := scalar(ctx, db, get)
	wantTooBig(t, err, limit, "Get")
	// Its neighbours are read, it is counted and measured, and it can be removed.
	length := &lido.Query{Name: "Length", SQL: "SELECT length(CAST(name AS BLOB)) FROM item NOT INDEXED WHERE id = 1", ReadOnly: true}
	if n, err := scalar(ctx, db, length); n != 5 || err != nil {
		t.Error(n, err)
	}
	if n := count(t, ctx, db); n != 2 {
		t.Error(n)
	}
	path2 := filepath.Join(t.TempDir(), "copy.db")
	copyTo(t, db, path2)
	if n := count(t, ctx, openDBAt(t, path2, pool.Config{})); n != 2 {
		t.Error("a copy by pages has", n)
	}
	// To delete it means to read it where an index holds it.
	remove := &lido.Query{Name: "Delete", SQL: "DELETE FROM item WHERE id = 2", Writes: []string{"item"}}
	wantTooBig(t, run(ctx, db, remove), limit, "Delete")
	removeNote := &lido.Query{Name: "DeleteNote", SQL: "DELETE FROM note WHERE id = 1", Writes: []string{"note"}}
	if err := run(ctx, db, removeNote); err != nil {
		t.Error(err)
	}
}

// copyTo makes an online backup of db.
func copyTo(t *testing.T, db *pool.DB, path string) {
	t.Helper()
	src, err := db.OpenConn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dst, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(errors.Join(err, src.Close()))
	}
	if err := errors.Join(src.Backup(t.Context(), dst, sqlite.BackupOptions{}), dst.Close(), src.Close()); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkOneInstructionAtTheLengthLimit prints how long calls take that
// nothing can interrupt, at the default of Config.MaxLengthBytes. Run it with
// -benchtime=1x. "refused" is what lies beyond the limit.
func BenchmarkOneInstructionAtTheLengthLimit(b *testing.B) {
	db := openDB(b, pool.Config{MaxReaders: 2})
	for name, sql := range map[string]string{
		"replace":    "SELECT length(replace(hex(zeroblob(67108863)), '0', '1'))",
		"hex":        "SELECT length(hex(zeroblob(67108863)))",
		"upper":      "SELECT length(upper(hex(zeroblob(67108863))))",
		"trim":       "SELECT length(trim(hex(zeroblob(67108863)), '0'))",
		"randomblob": "SELECT length(randomblob(134217728))",
		"json":       "SELECT length(json('[' || replace(hex(zeroblob(33554000)), '0', '0,') || '0]'))",
		"like":       "SELECT hex(zeroblob(67108863)) LIKE '%1%'",
		// The work is the product of both lengths, far below the limit.
		"instr, 200 kB in 400 kB":   "SELECT instr(hex(zeroblob(200000)), hex(zeroblob(100000)) || '1')",
		"replace, 200 kB in 400 kB": "SELECT length(replace(hex(zeroblob(200000)), hex(zeroblob(100000)) || '1', ''))",
		"like, 10 kB in 400 kB":     "SELECT hex(zeroblob(200000)) LIKE '%0' || hex(zeroblob(5000)) || '1%'",
	} {
		b.Run(name, func(b *testing.B) {
			q := &lido.Query{Name: "One", SQL: sql, ReadOnly: true}
			for b.Loop() {
				if _, err := scalar(b.Context(), db, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("refused, 300 MB under a deadline of 20 ms", func(b *testing.B) {
		for b.Loop() {
			ctx, cancel := context.WithTimeout(b.Context(), 20*time.Millisecond)
			if _, err := scalar(ctx, db, replace300MB); err == nil {
				b.Fatal("it was not refused")
			}
			cancel()
		}
	})
}
