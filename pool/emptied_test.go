package pool_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// A file that another program has cut to nothing is an empty database to the
// engine. Neither a read nor a write may take it for one.
func TestEmptied_fileIsAnErrorForReadsWritesAndNewConnections(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, db *pool.DB){
		"with a WAL":  func(*testing.T, *pool.DB) {},
		"without one": func(t *testing.T, db *pool.DB) { checkpointAll(t, db) },
		"with a reader that was opened before": func(t *testing.T, db *pool.DB) {
			count(t, t.Context(), db)
			checkpointAll(t, db)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			path := t.TempDir() + "/test.db"
			db, err := pool.Open(ctx, path, pool.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close(context.WithoutCancel(ctx))
			createItem(t, db)
			if err := run(ctx, db, insertItem, "before"); err != nil {
				t.Fatal(err)
			}
			before(t, db)
			pool.AlwaysLookForEmptied(db)
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := scalar(ctx, db, countItems); !errors.Is(err, lido.ErrCorrupt) {
				t.Error("read:", err)
			}
			_, openErr := db.OpenConn(ctx)
			for what, err := range map[string]error{
				"new connection": openErr,
				"write":          run(ctx, db, insertItem, "after"),
				"transaction":    db.Write(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "after") }),
				"batch":          db.Batch(ctx, func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, insertItem, "after") }),
				"borrowed":       db.WithWriter(ctx, func(context.Context, *sqlite.Conn) error { return nil }),
			} {
				if !errors.Is(err, lido.ErrCorrupt) || !errors.Is(err, lido.ErrUnavailable) && what != "new connection" || !strings.Contains(err.Error(), "truncated to 0 bytes") || !strings.Contains(err.Error(), "restore") {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func checkpointAll(t *testing.T, db *pool.DB) {
	t.Helper()
	if res, err := db.Checkpoint(t.Context(), sqlite.Truncate); err != nil || res.Busy {
		t.Fatal(res, err)
	}
}

// A database that was empty when it was opened may be empty.
func TestEmptied_isNotSaidOfADatabaseThatWasEmpty(t *testing.T) {
	path := t.TempDir() + "/test.db"
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db := openDBAt(t, path, pool.Config{ReadOnly: true})
	if n, err := scalar(t.Context(), db, &lido.Query{Name: "Tables", SQL: "SELECT count(*) FROM sqlite_schema", ReadOnly: true}); n != 0 || err != nil {
		t.Error(n, err)
	}
	if _, err := scalar(t.Context(), db, countItems); err == nil || errors.Is(err, lido.ErrCorrupt) {
		t.Error(err)
	}
}
