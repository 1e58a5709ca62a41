package pool_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/faultvfs"
	"github.com/lidodb/lido/internal/seam"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// extGetTempPath is the engine's answer where it finds no folder.
//
// https://www.sqlite.org/rescode.html#ioerr_gettemppath
const extGetTempPath = 10 | 25<<8

// A container without a folder that the program can write to: what needs a
// temporary file fails with an error that names the folder, the statement is
// undone, and no connection is lost.
func TestTempFolder_missingIsNamedAndCostsNothing(t *testing.T) {
	disk := faultvfs.NewDisk()
	t.Cleanup(disk.Forget)
	db, err := pool.Open(seam.With(t.Context(), onDisk{disk}), filepath.Join(t.TempDir(), "test.db"), pool.Config{CacheBytes: 1 << 20, MaxReaders: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	const rows = 40_000
	if err := db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, fmt.Sprintf(`CREATE TABLE big(id INTEGER PRIMARY KEY, u TEXT UNIQUE, pad TEXT);
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
			INSERT INTO big SELECT i, printf('%%08d', i), printf('%%0120d', i * 7919 %% 40009) FROM n`, rows))
	}); err != nil {
		t.Fatal(err)
	}
	var (
		sort  = &lido.Query{Name: "Sort", SQL: "SELECT id FROM big ORDER BY pad, u DESC", ReadOnly: true}
		shift = &lido.Query{Name: "Shift", SQL: "UPDATE big SET u = printf('%08d', id + 1000000)", Writes: []string{"big"}}
		index = &lido.Query{Name: "Index", SQL: "CREATE INDEX by_pad ON big(pad)", Writes: []string{"big"}}
	)
	rule := disk.Add(faultvfs.Rule{Ops: faultvfs.Open, Files: faultvfs.Temporary, Code: extGetTempPath})
	ctx := t.Context()
	uses := map[string]func() error{
		"a sort": func() error { _, err := scalar(ctx, db, sort); return err },
		"a sort in a snapshot": func() error {
			return db.Read(ctx, func(ctx context.Context, r lido.Reader) error { _, err := scalar(ctx, r, sort); return err })
		},
		"an UPDATE in a transaction": func() error {
			return db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, shift) })
		},
		"an UPDATE in a batch": func() error {
			return db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, shift) })
		},
		"CREATE INDEX": func() error { return run(ctx, db, index) },
		"CREATE INDEX by hand": func() error {
			return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, index.SQL) })
		},
		"VACUUM": func() error {
			return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, "VACUUM") })
		},
	}
	before := db.Stat()
	for name, use := range uses {
		err := use()
		if !errors.Is(err, sqlite.ErrTempFolder) || errors.Is(err, lido.ErrCommitUnknown) ||
			!strings.Contains(err.Error(), "SQLITE_TMPDIR") || !strings.Contains(err.Error(), "temp_store") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rule.Fired() == 0 {
		t.Error("no temporary file was opened")
	}
	rule.Remove()
	after := db.Stat()
	if after.Poisoned != before.Poisoned {
		t.Errorf("connections were lost: %+v, before %+v", after, before)
	}
	n, err := scalar(ctx, db, &lido.Query{Name: "Shifted", SQL: "SELECT (SELECT count(*) FROM big WHERE u <> printf('%08d', id)) + (SELECT count(*) FROM sqlite_schema WHERE name = 'by_pad')", ReadOnly: true})
	if n != 0 || err != nil {
		t.Errorf("%d rows or indexes were changed, %v", n, err)
	}
	for name, use := range uses {
		if err := use(); err != nil && !strings.Contains(err.Error(), "already exists") { // two make the same index
			t.Errorf("afterwards: %s: %v", name, err)
		}
	}
}
