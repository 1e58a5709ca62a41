package pool_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// noteLevel inserts the level of durability that it runs at, and a name.
var noteLevel = &lido.Query{Name: "NoteLevel", SQL: "INSERT INTO item(name) SELECT synchronous || ?1 FROM pragma_synchronous", Writes: []string{"item"}}

func TestEveryKindOfWriteIsAsDurableAsItsContextSays(t *testing.T) {
	for _, base := range []pool.Synchronous{pool.SynchronousNormal, pool.SynchronousFull} {
		db := openDB(t, pool.Config{Synchronous: base})
		note := func(ctx context.Context, tx lido.Tx) error { return run(ctx, tx, noteLevel, "") }
		for name, write := range map[string]func(ctx context.Context) error{
			"a single write": func(ctx context.Context) error { return run(ctx, db, noteLevel, "") },
			"Write":          func(ctx context.Context) error { return db.Write(ctx, note) },
			"Batch":          func(ctx context.Context) error { return db.Batch(ctx, note) },
			"Batch alone":    func(ctx context.Context) error { return db.Batch(pool.Alone(ctx), note) },
			"WithWriter": func(ctx context.Context) error {
				return db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error {
					return c.Exec(ctx, strings.ReplaceAll(noteLevel.SQL, "?1", "''"))
				})
			},
		} {
			ctx := t.Context()
			for _, step := range []struct {
				ctx  context.Context
				want pool.Synchronous
			}{
				{ctx, base},
				{pool.WithSynchronous(ctx, pool.SynchronousFull), pool.SynchronousFull},
				{pool.WithSynchronous(ctx, pool.SynchronousNormal), pool.SynchronousNormal},
				{pool.Alone(pool.WithSynchronous(ctx, pool.SynchronousFull)), pool.SynchronousFull},
				{ctx, base},
			} {
				if err := write(step.ctx); err != nil {
					t.Fatal(err)
				}
				found, err := names(ctx, db)
				if want := map[pool.Synchronous]string{pool.SynchronousNormal: "1", pool.SynchronousFull: "2"}[step.want]; err != nil || !found[want] {
					t.Errorf("%s at %v: %v, want %s (%v)", name, step.want, found, want, err)
				}
				if err := run(ctx, db, &lido.Query{Name: "Clear", SQL: "DELETE FROM item", Writes: []string{"item"}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s := db.Stat(); s.Writer.Created != 1 {
			t.Errorf("the level cost a connection: %+v", s.Writer)
		}
	}
}

func TestWritesOfDifferentLevelsDoNotShareATransaction(t *testing.T) {
	db := openDB(t, pool.Config{})
	at := func(level pool.Synchronous, name string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return run(pool.WithSynchronous(ctx, level), db, noteLevel, name)
		}
	}
	full, normal := pool.SynchronousFull, pool.SynchronousNormal
	errs := together(t, db, at(normal, "a"), at(normal, "b"), at(full, "c"), at(full, "d"), at(full, "e"), at(normal, "f"))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	got, err := lido.Select[string](t.Context(), db, lido.NewSQL("Names", "SELECT name FROM item ORDER BY id"))
	if want := []string{"1a", "1b", "2c", "2d", "2e", "1f"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
	if s := db.Stat(); s.Groups != 2 || s.Grouped != 5 || s.LargestGroup != 3 {
		t.Errorf("%+v", s)
	}
}

func TestALevelThatIsNonePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was taken")
		}
	}()
	pool.WithSynchronous(t.Context(), 7)
}
