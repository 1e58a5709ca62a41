package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

func open(t testing.TB, opt sqlite.Options) *sqlite.Conn {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "test.db"), opt)
}

func openAt(t testing.TB, path string, opt sqlite.Options) *sqlite.Conn {
	t.Helper()
	c, err := sqlite.Open(context.Background(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func exec(t testing.TB, c *sqlite.Conn, sql string) {
	t.Helper()
	if err := c.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func prepare(t testing.TB, c *sqlite.Conn, sql string) *sqlite.Stmt {
	t.Helper()
	s, err := c.Prepare(context.Background(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s
}

func TestEveryTypeOfValueComesBackAsItWasBound(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	long := string(make([]byte, 5000)) + "ü"
	s := prepare(t, c, "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8")
	for range 3 { // the cached statement serves again
		s.BindInt64(1, -1<<63)
		s.BindFloat64(2, 0.1)
		s.BindText(3, "a\x00b")
		s.BindText(4, long)
		s.BindBlob(5, []byte(long))
		s.BindBlob(6, []byte{})
		s.BindBlob(7, nil)
		s.BindText(8, "")
		row, err := s.Step()
		if !row || err != nil {
			t.Fatal(row, err)
		}
		if got := s.ColumnInt64(0); got != -1<<63 {
			t.Error(got)
		}
		if got := s.ColumnFloat64(1); got != 0.1 {
			t.Error(got)
		}
		if got := s.ColumnText(2); got != "a\x00b" {
			t.Errorf("%q", got)
		}
		if got := s.ColumnText(3); got != long {
			t.Error(len(got))
		}
		if got := s.ColumnBlob(4, nil); string(got) != long {
			t.Error(len(got))
		}
		if got := s.ColumnBlob(5, nil); got == nil || len(got) != 0 || s.ColumnType(5) != lido.Blob {
			t.Error(got, s.ColumnType(5))
		}
		if got := s.ColumnBlob(6, nil); got != nil {
			t.Error(got)
		}
		if got := s.ColumnText(7); got != "" || s.ColumnType(7) != lido.Text {
			t.Errorf("%q", got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = prepare(t, c, "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8")
	}
	_ = s.Close()
}

func TestAMistakeOfColumnIsReturnedByClose(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	for sql, read := range map[string]func(s *sqlite.Stmt){
		"SELECT NULL":    func(s *sqlite.Stmt) { s.ColumnText(0) },
		"SELECT 'seven'": func(s *sqlite.Stmt) { s.ColumnInt64(0) },
		"SELECT 1.5":     func(s *sqlite.Stmt) { s.ColumnInt64(0) },
		"SELECT x'00'":   func(s *sqlite.Stmt) { s.ColumnFloat64(0) },
		"SELECT 1":       func(s *sqlite.Stmt) { s.ColumnInt64(1) },
	} {
		s := prepare(t, c, sql)
		if row, err := s.Step(); !row || err != nil {
			t.Fatal(row, err)
		}
		read(s)
		if err := s.Close(); err == nil {
			t.Errorf("%s: no error", sql)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: second Close: %v", sql, err)
		}
	}
}

func TestABindOutOfRangeIsReturnedByStep(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	s := prepare(t, c, "SELECT ?1")
	s.BindInt64(2, 1)
	if _, err := s.Step(); err == nil {
		t.Error("no error")
	}
	_ = s.Close()
}

func TestConstraintsNameTheirTableAndColumns(t *testing.T) {
	c := open(t, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "foreign_keys", Value: "1"}}})
	exec(t, c, `CREATE TABLE a(id INTEGER PRIMARY KEY, x INT NOT NULL, y INT, UNIQUE(x, y), CONSTRAINT positive CHECK(y > 0));
		CREATE TABLE b(a INT REFERENCES a(id)); INSERT INTO a VALUES(1, 1, 1);
		CREATE TABLE r(a INT REFERENCES a(id) ON DELETE RESTRICT); INSERT INTO r VALUES(1)`)
	for sql, want := range map[string]error{
		"INSERT INTO a VALUES(2, 1, 1)":    lido.ErrUnique,
		"INSERT INTO a VALUES(1, 2, 2)":    lido.ErrUnique,
		"INSERT INTO a VALUES(3, NULL, 1)": lido.ErrNotNull,
		"INSERT INTO a VALUES(3, 3, 0)":    lido.ErrCheck,
		"INSERT INTO b VALUES(77)":         lido.ErrForeignKey,
		"DELETE FROM a":                    lido.ErrForeignKey,
	} {
		err := c.Exec(context.Background(), sql)
		var e *lido.Error
		if !errors.Is(err, want) || !errors.As(err, &e) {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if want == lido.ErrUnique && (e.Table != "a" || len(e.Columns) == 0) {
			t.Errorf("%s: %+v", sql, e)
		}
		if want == lido.ErrCheck && e.Constraint != "positive" {
			t.Errorf("%s: %+v", sql, e)
		}
	}
}

func TestPrepareNamesTheByteThatTheEngineRefused(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	_, err := c.Prepare(context.Background(), "SELECT 1, nosuch")
	var e *lido.Error
	if !errors.As(err, &e) || e.Offset != 10 {
		t.Errorf("%v %+v", err, e)
	}
	for _, sql := range []string{"", " -- nothing\n", "SELECT 1; SELECT 2", "SELECT 1; nonsense"} {
		if _, err := c.Prepare(context.Background(), sql); err == nil {
			t.Errorf("%q was prepared", sql)
		}
	}
	s := prepare(t, c, "SELECT 1; -- done\n /* really */ ;")
	_ = s.Close()
}

func TestTheSameTextTwiceAtOnceGivesTwoStatements(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	const sql = "SELECT value FROM json_each('[1,2,3]')"
	outer := prepare(t, c, sql)
	n := 0
	for {
		row, err := outer.Step()
		if err != nil {
			t.Fatal(err)
		}
		if !row {
			break
		}
		inner := prepare(t, c, sql)
		for {
			row, err := inner.Step()
			if err != nil {
				t.Fatal(err)
			}
			if !row {
				break
			}
			n++
		}
		_ = inner.Close()
	}
	_ = outer.Close()
	if n != 9 {
		t.Error(n)
	}
	if c.OpenStatements() {
		t.Error("statements left open")
	}
}

func TestTheStatementCacheKeepsToItsSize(t *testing.T) {
	c := open(t, sqlite.Options{Create: true, StmtCacheCount: 2})
	for i := range 50 {
		s := prepare(t, c, "SELECT 1 +"+string(rune('0'+i%7)))
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
	}
}

func TestAFullCacheOfStatementsInUseKeepsTheNewOneAlive(t *testing.T) {
	c := open(t, sqlite.Options{Create: true, StmtCacheCount: 1})
	first := prepare(t, c, "SELECT 1")
	second := prepare(t, c, "SELECT 2")
	if row, err := second.Step(); !row || err != nil || second.ColumnInt64(0) != 2 {
		t.Error(row, err)
	}
	_ = second.Close()
	_ = first.Close()
}

func TestAChangeOfSchemaIsSeenByACachedStatement(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
	for want := 1; want < 4; want++ {
		s := prepare(t, c, "SELECT * FROM t")
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		if got := s.ColumnCount(); got != want {
			t.Errorf("%d columns, want %d", got, want)
		}
		_ = s.Close()
		exec(t, c, "ALTER TABLE t ADD COLUMN b"+string(rune('0'+want)))
	}
}

func TestChangesCountsTheStatementItselfOnly(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1),(2),(3)")
	for _, x := range []struct {
		sql  string
		want int64
	}{{"DELETE FROM t WHERE id > 1", 2}, {"CREATE TABLE u(x)", 0}, {"DELETE FROM t WHERE id > 1", 0}, {"INSERT INTO t VALUES(9)", 1}} {
		s := prepare(t, c, x.sql)
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		if s.Changes() != x.want {
			t.Errorf("%s: %d, want %d", x.sql, s.Changes(), x.want)
		}
		if x.want == 1 && s.LastInsertID() != 9 {
			t.Error(s.LastInsertID())
		}
		_ = s.Close()
	}
}

// endless runs for ever unless it is stopped.
const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"

func TestOpenRefusesWhatIsNotADatabase(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte("this is not a database, and it is longer than a header would be, by far, so that the engine looks"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{garbage: lido.ErrCorrupt, dir: nil, filepath.Join(dir, "absent.db"): nil, "": nil} {
		c, err := sqlite.Open(context.Background(), path, sqlite.Options{})
		if err == nil {
			t.Errorf("%q was opened", path)
			_ = c.Close()
			continue
		}
		if want != nil && !errors.Is(err, want) {
			t.Errorf("%q: %v", path, err)
		}
	}
	got, err := os.ReadFile(garbage)
	if err != nil || string(got[:4]) != "this" {
		t.Error("the file was changed")
	}
}

func TestAPragmaThatTheEngineDoesNotTakeFailsOpenByName(t *testing.T) {
	_, err := sqlite.Open(context.Background(), ":memory:", sqlite.Options{
		Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	var e *sqlite.PragmaError
	if !errors.As(err, &e) || e.Name != "journal_mode" || e.Want != "wal" || e.Got != "memory" {
		t.Errorf("%v", err)
	}
}

func TestAChangeThatOutlivesItsStatementTaintsTheConnection(t *testing.T) {
	for sql, want := range map[string]bool{
		"PRAGMA foreign_keys": false, "PRAGMA table_info(t)": false, "SELECT 1": false,
		"PRAGMA foreign_keys=OFF": true, "PRAGMA Cache_Size(3)": true, "ATTACH ':memory:' AS x": true, "CREATE TEMP TABLE t(a)": true,
	} {
		c := open(t, sqlite.Options{Create: true})
		exec(t, c, sql)
		if got := c.Tainted() != ""; got != want {
			t.Errorf("%s: tainted %q", sql, c.Tainted())
		}
	}
}

func TestAReadOnlyConnectionCannotWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	w := openAt(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	exec(t, w, "CREATE TABLE t(a)")
	r := openAt(t, path, sqlite.Options{ReadOnly: true})
	if err := r.Exec(context.Background(), "INSERT INTO t VALUES(1)"); !errors.Is(err, lido.ErrReadOnly) {
		t.Error(err)
	}
	if err := r.Exec(context.Background(), "PRAGMA query_only=0; INSERT INTO t VALUES(1)"); !errors.Is(err, lido.ErrReadOnly) {
		t.Error(err)
	}
}

func TestEverythingOnAClosedConnectionIsErrClosed(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	s := prepare(t, c, "SELECT 1")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Step(); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	s.BindInt64(1, 1)
	_ = s.ColumnInt64(0)
	_ = s.Close()
	if err := c.Exec(context.Background(), "SELECT 1"); !errors.Is(err, lido.ErrClosed) {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestCellsAreWhatTheAccessorsAnswer(t *testing.T) {
	for _, encoding := range []string{"UTF-8", "UTF-16le", "UTF-16be"} {
		c := open(t, sqlite.Options{Create: true})
		exec(t, c, "PRAGMA encoding='"+encoding+"'; CREATE TABLE t(id INTEGER PRIMARY KEY, v, r REAL);"+
			"INSERT INTO t(v, r) VALUES(NULL, 1), (0, 2.5), (-9223372036854775808, 3), (9223372036854775807, 0), (1.5, 1e300),"+
			"('', -0.0), ('hällo', NULL), (char(0) || 'x', 4), (x'', 5), (x'00ff', 6), (zeroblob(5000), 7), (hex(randomblob(5000)), 8)")
		s := prepare(t, c, "SELECT v, r, typeof(v), typeof(r), CAST(v AS TEXT), quote(v) FROM t ORDER BY id")
		names := map[lido.Type]string{lido.Null: "null", lido.Integer: "integer", lido.Float: "real", lido.Text: "text", lido.Blob: "blob"}
		rows := 0
		for {
			row, err := s.Step()
			if err != nil {
				t.Fatal(err)
			}
			if !row {
				break
			}
			rows++
			for i := range 2 {
				if got, want := names[s.ColumnType(i)], s.ColumnText(2+i); got != want {
					t.Errorf("%s, row %d, column %d: %s, want %s", encoding, rows, i, got, want)
				}
			}
			switch s.ColumnType(0) {
			case lido.Integer, lido.Float:
				if got, want := s.ColumnText(0), s.ColumnText(4); got != want {
					t.Errorf("%s, row %d: %s, want %s", encoding, rows, got, want)
				}
				// Reading the text must not have changed the number.
				if names[s.ColumnType(0)] != s.ColumnText(2) {
					t.Errorf("%s, row %d: the class changed", encoding, rows)
				}
			case lido.Text:
				if got, want := s.ColumnText(0), s.ColumnText(4); got != want {
					t.Errorf("%s, row %d: %q, want %q", encoding, rows, got, want)
				}
			case lido.Blob:
				if got, want := fmt.Sprintf("X'%X'", s.ColumnBlob(0, nil)), s.ColumnText(5); got != want {
					t.Errorf("%s, row %d: %s, want %s", encoding, rows, got, want)
				}
			}
		}
		if err := s.Close(); err != nil || rows != 12 {
			t.Error(err, rows)
		}
	}
}

func TestAParameterThatIsNotBoundIsNullEvenAfterAnEarlierRunBoundIt(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	for i := range 4 {
		s := prepare(t, c, "SELECT ?1, ?2, ?3")
		if i%2 == 0 {
			s.BindText(1, "secret")
			s.BindInt64(2, 7)
			s.BindBlob(3, make([]byte, 10_000))
		}
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			if isNull := s.ColumnType(n) == lido.Null; isNull != (i%2 == 1) {
				t.Errorf("run %d, column %d: %s", i, n, s.ColumnType(n))
			}
		}
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Step(); err != nil || s.ColumnType(0) != lido.Null {
			t.Error("the value outlived Reset")
		}
		_ = s.Close()
	}
}

func TestStepAfterTheEndDoesNotRunAWriteAgain(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(a)")
	s := prepare(t, c, "INSERT INTO t VALUES(?1)")
	s.BindInt64(1, 7)
	for range 3 {
		if row, err := s.Step(); row || err != nil {
			t.Fatal(row, err)
		}
	}
	s.BindInt64(1, 8)
	if err := s.Reset(); err == nil {
		t.Error("a value bound after the run was taken")
	}
	s.BindInt64(1, 9)
	if _, err := s.Step(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n, err := c.QueryInt64(context.Background(), "SELECT count(*) * 100 + sum(a) FROM t"); n != 216 || err != nil {
		t.Error(n, err)
	}
}

func TestACommitThatFailsInCloseIsReported(t *testing.T) {
	c := open(t, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "foreign_keys", Value: "1"}}})
	exec(t, c, "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)")
	s := prepare(t, c, "INSERT INTO c VALUES(99) RETURNING p")
	if row, err := s.Step(); !row || err != nil {
		t.Fatal(row, err)
	}
	if err := s.Close(); !errors.Is(err, lido.ErrForeignKey) {
		t.Errorf("%v", err)
	}
	if _, err := c.QueryInt64(context.Background(), "INSERT INTO c VALUES(99) RETURNING p"); !errors.Is(err, lido.ErrForeignKey) {
		t.Errorf("%v", err)
	}
	if n, err := c.QueryInt64(context.Background(), "SELECT count(*) FROM c"); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestWhatAnAuthorizerAllowedIsNotKeptForOthers(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(a TEXT); INSERT INTO t VALUES('x')")
	c.SetAuthorizer(func(action sqlite.Action, _, _, _, _ string) sqlite.Auth {
		if action == sqlite.ActionRead {
			return sqlite.AuthIgnore
		}
		return sqlite.AuthOK
	})
	if _, err := c.QueryText(context.Background(), "SELECT a FROM t"); err == nil {
		t.Error("the authorizer was not asked")
	}
	c.SetAuthorizer(nil)
	if got, err := c.QueryText(context.Background(), "SELECT a FROM t"); got != "x" || err != nil {
		t.Error(got, err)
	}
	// Control that was prepared while it was allowed is not at hand later.
	_ = prepare(t, c, "COMMIT").Close()
	c.DenyControl(true)
	for _, sql := range []string{"COMMIT", "BEGIN", "SAVEPOINT x", "ATTACH ':memory:' AS x"} {
		if _, err := c.Prepare(context.Background(), sql); err == nil {
			t.Errorf("%s was prepared", sql)
		}
	}
	if err := errors.Join(c.Begin(context.Background(), sqlite.Immediate), c.Commit()); err != nil {
		t.Error(err)
	}
}

func TestTheCauseOfACancelledContextIsToldAndNotWrapped(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	ctx, cancel := context.WithCancelCause(context.Background())
	s, err := c.Prepare(ctx, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	cancel(fmt.Errorf("another goroutine: %w", lido.ErrNoRows))
	_, err = s.Step()
	if !errors.Is(err, context.Canceled) || errors.Is(err, lido.ErrNoRows) || !strings.Contains(err.Error(), "another goroutine") {
		t.Errorf("%v", err)
	}
	_ = s.Close()
}

func TestInterruptRefusesWhatBeginsAfterItButNotTheEndOfATransaction(t *testing.T) {
	c := open(t, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	exec(t, c, "CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1)")
	dst := open(t, sqlite.Options{Create: true})
	c.Interrupt()
	ctx := context.Background()
	_, stepErr := c.QueryInt64(ctx, "SELECT 1")
	_, checkpointErr := c.Checkpoint(ctx, sqlite.Passive)
	for _, err := range []error{stepErr, checkpointErr, c.Exec(ctx, "SELECT 1"), c.Backup(ctx, dst, sqlite.BackupOptions{})} {
		if !errors.Is(err, lido.ErrInterrupted) {
			t.Errorf("%v", err)
		}
	}
	if err := c.Commit(); err != nil {
		t.Error(err)
	}
	c.ClearInterrupt()
	if n, err := c.QueryInt64(ctx, "SELECT count(*) FROM t"); n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestAZeroByteInTheSQLIsRefused(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(a)")
	_, err := c.Prepare(context.Background(), "DELETE FROM t\x00 WHERE a = 5")
	if err == nil || !strings.Contains(err.Error(), "offset 13") {
		t.Errorf("%v", err)
	}
	if err := c.Exec(context.Background(), "INSERT INTO t VALUES(1);\x00 DROP TABLE t"); err == nil {
		t.Error("accepted")
	}
	if n, err := c.QueryInt64(context.Background(), "SELECT count(*) FROM t"); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestExecStopsBetweenStatementsWhenItsContextEnds(t *testing.T) {
	c := open(t, sqlite.Options{Create: true})
	exec(t, c, "CREATE TABLE t(a)")
	ctx, cancel := context.WithCancel(context.Background())
	c.SetAuthorizer(func(action sqlite.Action, _, _, _, _ string) sqlite.Auth {
		if action == sqlite.ActionInsert {
			cancel()
		}
		return sqlite.AuthOK
	})
	err := c.Exec(ctx, "INSERT INTO t VALUES(1); INSERT INTO t VALUES(2); INSERT INTO t VALUES(3)")
	c.SetAuthorizer(nil)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n, err := c.QueryInt64(context.Background(), "SELECT count(*) FROM t"); n > 1 || err != nil {
		t.Error(n, err)
	}
}

func TestAConnectionWhoseOnOpenPanicsIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	boom := func(context.Context, *sqlite.Conn) error { panic("boom") }
	for name, opt := range map[string]sqlite.Options{
		"OnOpen": {OnOpen: boom}, "BeforePragmas": {BeforePragmas: boom},
	} {
		opt.Create, opt.Pragmas = true, []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}
		func() {
			defer func() {
				if recover() != "boom" {
					t.Errorf("%s: no panic", name)
				}
			}()
			_, err := sqlite.Open(t.Context(), path, opt)
			t.Errorf("%s: %v", name, err)
		}()
		// The journal mode can be changed back only while nobody else has the file open.
		c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true, BusyTimeout: -1, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "delete"}}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestACheckpointThatIsNotToWaitIsNotInterrupted(t *testing.T) {
	c, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "wal"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 1000 {
		c.LimitTime(time.Nanosecond)
		if _, err := c.Checkpoint(t.Context(), sqlite.Truncate); err != nil {
			t.Fatalf("checkpoint %d: %v", i, err)
		}
	}
}
