package pool_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
)

// A row that cannot be read is known after the commit. The caller must not take
// the error for one that says that nothing was applied, and write again.
func TestARowOfACommittedWriteThatCannotBeReadSaysThatItIsCommitted(t *testing.T) {
	var unfit = errors.New("does not fit")
	for name, read := range map[string]func(s lido.Stmt){
		"text as an integer": func(s lido.Stmt) { s.ColumnInt64(1) },
		"text as a number":   func(s lido.Stmt) { s.ColumnFloat64(1) },
		"no such column":     func(s lido.Stmt) { s.ColumnText(7) },
		"conversion":         func(s lido.Stmt) { s.Fail(unfit) },
	} {
		step := func(w lido.Writer, ctx context.Context) (s lido.Stmt, err error) {
			if s, err = w.PrepareWrite(ctx, returnItem); err != nil {
				return nil, err
			}
			s.BindText(1, "a")
			if row, err := s.Step(); !row || err != nil {
				return s, errors.Join(errors.New("no row"), err)
			}
			read(s)
			return s, nil
		}
		for ending, end := range map[string]func(s lido.Stmt) error{
			"Step":  func(s lido.Stmt) error { _, err := s.Step(); return errors.Join(err, s.Close()) },
			"Reset": func(s lido.Stmt) error { err := s.Reset(); return errors.Join(err, s.Close()) },
			"Close": func(s lido.Stmt) error { return s.Close() },
		} {
			t.Run(name+", "+ending, func(t *testing.T) {
				db := openDB(t, pool.Config{})
				s, err := step(db, t.Context())
				if err != nil {
					t.Fatal(err)
				}
				err = end(s)
				if !errors.Is(err, lido.ErrCommitted) || !strings.Contains(err.Error(), "ReturnItem: ") || name == "conversion" && !errors.Is(err, unfit) {
					t.Errorf("%v", err)
				}
				if n := count(t, t.Context(), db); n != 1 {
					t.Errorf("%d rows", n)
				}
			})
			t.Run(name+", "+ending+", in a closure", func(t *testing.T) {
				db := openDB(t, pool.Config{})
				for _, write := range []func(context.Context, func(context.Context, lido.Tx) error) error{db.Write, db.Batch} {
					err := write(t.Context(), func(ctx context.Context, tx lido.Tx) error {
						s, err := step(tx, ctx)
						if err != nil {
							t.Fatal(err)
						}
						return end(s)
					})
					if err == nil || errors.Is(err, lido.ErrCommitted) {
						t.Errorf("%v", err)
					}
					if n := count(t, t.Context(), db); n != 0 {
						t.Errorf("%d rows", n)
					}
				}
			})
		}
	}
}

func TestOtherMistakesDoNotSayThatTheWriteIsCommitted(t *testing.T) {
	db := openDB(t, pool.Config{})
	if err := run(t.Context(), db, returnItem, "taken"); err != nil {
		t.Fatal(err)
	}
	s, err := db.PrepareWrite(t.Context(), returnItem)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for what, mistake := range map[string]func(){
		"a constraint":             func() { s.BindText(1, "taken"); _, _ = s.Step(); s.ColumnInt64(0) },
		"a parameter":              func() { s.BindText(0, "x") },
		"a conversion before Step": func() { s.Fail(errors.New("does not fit")) },
		"a column before Step":     func() { s.ColumnInt64(0) },
	} {
		mistake()
		_, err := s.Step()
		if err == nil || errors.Is(err, lido.ErrCommitted) {
			t.Errorf("%s: %v", what, err)
		}
		_ = s.Reset()
	}
	s.BindText(1, "a")
	if _, err := s.Step(); err != nil {
		t.Fatal(err)
	}
	s.BindText(1, "b") // without Reset: of a run that is not to come
	if _, err := s.Step(); err == nil || errors.Is(err, lido.ErrCommitted) {
		t.Errorf("%v", err)
	}
	if n := count(t, t.Context(), db); n != 2 {
		t.Errorf("%d rows", n)
	}
}
