package stdlib_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

const people = `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO people (name) VALUES ('Ada'), ('Grace');`

func TestASelectRunsOnAReaderAndAWriteOnTheWriter(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	before := db.Stat()
	cases := []struct {
		query  string
		reader bool
	}{
		{"SELECT count(*) FROM people", true},
		{" -- a comment\n/* and another */ select 1", true},
		{"VALUES (1)", true},
		{"WITH p AS (SELECT 1) SELECT * FROM p", true},
		{"EXPLAIN QUERY PLAN SELECT * FROM people", true},
		{"SELECT 'INSERT INTO people'", true},
		{"WITH p (n) AS (VALUES ('Alan')) INSERT INTO people (name) SELECT n FROM p RETURNING id", false},
		{"INSERT INTO people (name) VALUES ('Barbara') RETURNING id", false},
		{"SELECT last_insert_rowid()", false},
		{"SELECT Changes() + total_changes()", false},
		{"PRAGMA user_version", true},
		{"pragma  User_Version -- asks", true},
		{"PRAGMA user_version = 5", false},
		{"PRAGMA user_version(6)", false},
		{"PRAGMA main.user_version", false},
		{"PRAGMA foreign_keys", false},
		{"PRAGMA table_info(people)", true},
		{"PRAGMA table_xinfo = people", true},
		{"PRAGMA table_list", true},
		{"PRAGMA index_list('people')", true},
		{"PRAGMA index_info(sqlite_autoindex_people_1)", true},
		{"PRAGMA index_xinfo(sqlite_autoindex_people_1)", true},
		{"PRAGMA foreign_key_list(people)", true},
		{"PRAGMA foreign_key_check", true},
		{"PRAGMA integrity_check", true},
		{"PRAGMA quick_check(1)", true},
		{"PRAGMA page_count", true},
		{"PRAGMA freelist_count", true},
		{"PRAGMA application_id", true},
		{"PRAGMA encoding", true},
		{"PRAGMA page_size", true},
		{"PRAGMA database_list", true},
		{"PRAGMA compile_options", true},
		{"PRAGMA function_list", true},
		{"PRAGMA module_list", true},
		{"PRAGMA collation_list", true},
		{"PRAGMA pragma_list", true},
		{"PRAGMA data_version", false},
		{"SELECT 1; SELECT 2", false},
	}
	for _, c := range cases {
		rows, err := handle.Query(c.query)
		if err != nil {
			t.Fatalf("%s: %v", c.query, err)
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatalf("%s: %v", c.query, err)
		}
		after := db.Stat()
		wrote := after.Writer.AcquireCount > before.Writer.AcquireCount
		if wrote == c.reader {
			t.Errorf("%s: ran on the writer: %v, want %v", c.query, wrote, !c.reader)
		}
		before = after
	}
	equal(t, "user_version", one[int](t, handle, "PRAGMA user_version"), 6)
}

func TestStatCountsTransactionsOfDatabaseSQL(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people) // two statements, each a transaction
	before := db.Stat()
	exec(t, handle, "INSERT INTO people (name) VALUES ('Alan')")
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		tx, err := handle.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("UPDATE people SET name = name || '!'"); err != nil {
			t.Fatal(err)
		}
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
	}
	after := db.Stat()
	equal(t, "writes", after.Writes-before.Writes, 3)
	equal(t, "commits", after.Commits-before.Commits, 2)
	equal(t, "rollbacks", after.Rollbacks-before.Rollbacks, 1)
	equal(t, "LastCommit moved", after.LastCommit.After(before.LastCommit), true)
}

func TestWhatIsCommittedIsSeenByTheNextRead(t *testing.T) {
	_, handle := open(t, pool.Config{MaxReaders: 4})
	exec(t, handle, "CREATE TABLE n (v INTEGER)")
	for i := range 200 {
		exec(t, handle, "INSERT INTO n VALUES (?)", i)
		equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM n"), i+1)
	}
	// Tables, too: each reader learns of a change of schema.
	for i := range 8 {
		exec(t, handle, fmt.Sprintf("CREATE TABLE t%d (x); INSERT INTO t%d VALUES (%d)", i, i, i))
		equal(t, "value", one[int](t, handle, fmt.Sprintf("SELECT x FROM t%d", i)), i)
	}
}

func TestResultsSayWhatTheStatementDid(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	check := func(res sql.Result, wantID, wantRows int64) {
		t.Helper()
		id, err := res.LastInsertId()
		if err != nil || id != wantID {
			t.Errorf("LastInsertId %d, %v; want %d", id, err, wantID)
		}
		n, err := res.RowsAffected()
		if err != nil || n != wantRows {
			t.Errorf("RowsAffected %d, %v; want %d", n, err, wantRows)
		}
	}
	check(exec(t, handle, "INSERT INTO people (name) VALUES ('Alan')"), 3, 1)
	check(exec(t, handle, "UPDATE people SET name = name || '!'"), 3, 3)
	check(exec(t, handle, "DELETE FROM people WHERE id = 1; INSERT INTO people (name) VALUES ('x'), ('y')"), 5, 2)
	check(exec(t, handle, " -- nothing at all\n ; "), 0, 0)
}

func TestAReturningClauseHasCommittedAndFreedTheWriterWhenQueryReturns(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	rows, err := handle.Query("INSERT INTO people (name) VALUES ('a'), ('b') RETURNING id, name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	got := ""
	for rows.Next() {
		var id int
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprint(id, name, " ")
		// With the writer still held this would wait for ever.
		exec(t, handle, "UPDATE people SET name = upper(name) WHERE id = ?", id)
	}
	equal(t, "rows", got, "3a 4b ")
	equal(t, "names", one[string](t, handle, "SELECT group_concat(name) FROM people WHERE id > 2"), "A,B")
	// A row that nobody reads is inserted all the same.
	if rows, err := handle.Query("INSERT INTO people (name) VALUES ('c') RETURNING id"); err != nil || rows.Close() != nil {
		t.Fatal(err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 5)
}

func TestATransactionIsCommittedOrUndoneAsAWhole(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	for _, commit := range []bool{false, true} {
		tx, err := handle.Begin()
		if err != nil {
			t.Fatal(err)
		}
		exec(t, tx, "INSERT INTO people (name) VALUES ('Alan')")
		equal(t, "inside", one[int](t, tx, "SELECT count(*) FROM people"), 3)
		equal(t, "outside", one[int](t, handle, "SELECT count(*) FROM people"), 2)
		want := 2
		if commit {
			err, want = tx.Commit(), 3
		} else {
			err = tx.Rollback()
		}
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "afterwards", one[int](t, handle, "SELECT count(*) FROM people"), want)
		if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("Rollback after the end: %v", err)
		}
	}
}

// The snapshot is that of BeginTx, whatever is committed before its first read.
//
//	read-only transaction      writer
//	BeginTx
//	                           INSERT, commits
//	count: does not see it
func TestAReadOnlyTransactionIsOneSnapshotAndRefusesWrites(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx, err := handle.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	exec(t, handle, "INSERT INTO people (name) VALUES ('Alan')")
	equal(t, "in the snapshot", one[int](t, tx, "SELECT count(*) FROM people"), 2)
	if _, err := tx.Exec("DELETE FROM people"); !errors.Is(err, lido.ErrReadOnly) {
		t.Errorf("a write: %v, want lido.ErrReadOnly", err)
	}
	equal(t, "after the refusal", one[int](t, tx, "SELECT count(*) FROM people"), 2)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	equal(t, "afterwards", one[int](t, handle, "SELECT count(*) FROM people"), 3)
}

func TestIsolationLevelsThatSerializableIncludesAreAcceptedAndOthersRefused(t *testing.T) {
	_, handle := open(t, pool.Config{})
	for level := sql.LevelDefault; level <= sql.LevelLinearizable+1; level++ {
		for _, readOnly := range []bool{false, true} {
			tx, err := handle.BeginTx(context.Background(), &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
			if level != sql.LevelWriteCommitted && level < sql.LevelLinearizable {
				if err != nil {
					t.Errorf("%s: %v", level, err)
					continue
				}
				if err := tx.Rollback(); err != nil {
					t.Error(err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), level.String()) {
				t.Errorf("%s: error %v does not name it", level, err)
			}
		}
	}
}

func TestATransactionThatTheEngineRolledBackFailsFromThenOn(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx, err := handle.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO people (name) VALUES ('Alan')")
	// OR ROLLBACK ends the transaction, as a full disk or an interrupt would.
	if _, err := tx.Exec("INSERT OR ROLLBACK INTO people (name) VALUES ('Ada')"); !errors.Is(err, lido.ErrUnique) {
		t.Fatalf("error %v, want lido.ErrUnique", err)
	}
	_, err = tx.Exec("INSERT INTO people (name) VALUES ('Barbara')")
	if !errors.Is(err, lido.ErrClosed) || !errors.Is(err, lido.ErrUnique) {
		t.Errorf("the next write: %v, want lido.ErrClosed and the reason", err)
	}
	if err := tx.QueryRow("SELECT 1").Scan(new(int)); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("the next read: %v, want lido.ErrClosed", err)
	}
	if err := tx.Commit(); !errors.Is(err, lido.ErrClosed) {
		t.Errorf("Commit: %v, want lido.ErrClosed", err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 2)
}

func TestAnOrdinaryErrorLeavesTheTransactionOpen(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx, err := handle.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var e *lido.Error
	if _, err := tx.Exec("INSERT INTO people (name) VALUES ('Ada')"); !errors.As(err, &e) || e.Table != "people" {
		t.Errorf("error %v, want a *lido.Error that names the table", err)
	}
	exec(t, tx, "INSERT INTO people (name) VALUES ('Alan')")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 3)
}

func TestSavepointsNestAndTransactionControlIsRefusedInsideATransaction(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx, err := handle.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "SAVEPOINT a")
	exec(t, tx, "DELETE FROM people")
	exec(t, tx, "ROLLBACK TO a")
	exec(t, tx, "RELEASE a")
	for _, query := range []string{"BEGIN", "COMMIT", "END TRANSACTION", "ROLLBACK", "rollback transaction", "SELECT 1; commit"} {
		if _, err := tx.Exec(query); err == nil || !strings.Contains(err.Error(), "Commit and Rollback") {
			t.Errorf("%s: error %v", query, err)
		}
	}
	exec(t, tx, "INSERT INTO people (name) VALUES ('Alan')")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 3)
}

func TestRowsStreamInsideATransactionBesideItsWrites(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	tx, err := handle.Begin()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := tx.Query("SELECT id FROM people ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		exec(t, tx, "UPDATE people SET name = upper(name) WHERE id = ?", id)
		n++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", n, 2)
	// Rows left open are closed by the end of the transaction.
	if rows, err = tx.Query("SELECT id FROM people"); err != nil || !rows.Next() {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	equal(t, "names", one[string](t, handle, "SELECT group_concat(name) FROM people"), "ADA,GRACE")
}

func TestCancellingTheContextStopsAQueryAndRollsATransactionBack(t *testing.T) {
	_, handle := open(t, pool.Config{})
	exec(t, handle, people)
	const endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := handle.QueryRowContext(ctx, endless).Scan(new(int)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read: %v", err)
	}

	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	tx, err := handle.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "DELETE FROM people")
	limited, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	if _, err := tx.ExecContext(limited, "CREATE TABLE x AS "+endless); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write: %v", err)
	}
	cancel()
	// database/sql rolls back in a goroutine; the writer comes free when it has.
	exec(t, handle, "INSERT INTO people (name) VALUES ('Alan')")
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 3)
	if err := tx.Commit(); err == nil {
		t.Error("the commit of a cancelled transaction succeeds")
	}
}

func TestWaitingForTheWriterEndsWithTheContext(t *testing.T) {
	_, handle := open(t, pool.Config{})
	tx, err := handle.Begin()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := handle.ExecContext(ctx, "CREATE TABLE t (x)"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write: %v", err)
	}
	if _, err := handle.BeginTx(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("BeginTx: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

func TestACallWithTheContextOfAClosureIsRefused(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	err := db.Write(context.Background(), func(ctx context.Context, _ lido.Tx) error {
		if _, err := handle.ExecContext(ctx, "DELETE FROM people"); !errors.Is(err, lido.ErrNested) {
			t.Errorf("Exec: %v, want lido.ErrNested", err)
		}
		if _, err := handle.BeginTx(ctx, nil); !errors.Is(err, lido.ErrNested) {
			t.Errorf("BeginTx: %v, want lido.ErrNested", err)
		}
		if err := handle.QueryRowContext(ctx, "SELECT 1").Scan(new(int)); !errors.Is(err, lido.ErrNested) {
			t.Errorf("Query: %v, want lido.ErrNested", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestClosingTheHandleLeavesThePoolOpenAndAClosedPoolRefusesTheHandle(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	if err := handle.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	err := db.WithReader(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		n, err := c.QueryInt64(ctx, "SELECT count(*) FROM people")
		equal(t, "rows", n, 2)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	db, handle = open(t, pool.Config{})
	if err := handle.Ping(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(ctx); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Ping":  handle.Ping(),
		"Query": handle.QueryRow("SELECT 1").Scan(new(int)),
		"Begin": func() error { _, err := handle.Begin(); return err }(),
	} {
		if !errors.Is(err, lido.ErrClosed) {
			t.Errorf("%s: %v, want lido.ErrClosed", name, err)
		}
	}
}

func TestAPreparedStatementHoldsNothingAndOutlivesChangesOfTheSchema(t *testing.T) {
	db, handle := open(t, pool.Config{MaxReaders: 1})
	exec(t, handle, people)
	insert, err := handle.Prepare("INSERT INTO people (name) VALUES (?)")
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	read, err := handle.Prepare("SELECT * FROM people WHERE name = :name")
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if st := db.Stat(); st.Readers.InUse != 0 || st.Writer.InUse != 0 {
		t.Errorf("prepared statements hold connections: %+v", st)
	}
	if _, err := insert.Exec("Alan"); err != nil {
		t.Fatal(err)
	}
	exec(t, handle, "ALTER TABLE people ADD COLUMN age INTEGER")
	var id, name, age any
	if err := read.QueryRow(sql.Named("name", "Alan")).Scan(&id, &name, &age); err != nil {
		t.Fatal(err)
	}
	equal(t, "row", fmt.Sprintf("%v %v %v", id, name, age), "3 Alan <nil>")
	if _, err := insert.Exec(); err == nil {
		t.Error("a statement runs without its argument")
	}
	if _, err := handle.Prepare("SELECT nothing FROM people"); err == nil {
		t.Error("a statement that the engine refuses is prepared")
	}
	tx, err := handle.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Stmt(insert).Exec("Barbara"); err != nil {
		t.Error(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	equal(t, "rows", one[int](t, handle, "SELECT count(*) FROM people"), 3)
}

func TestAReadOnlyPoolReadsAndRefusesToWrite(t *testing.T) {
	db, handle := open(t, pool.Config{})
	exec(t, handle, people)
	exec(t, handle, "PRAGMA user_version = 7")
	path := db.Path()
	if err := db.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, readOnly := openPath(t, path, pool.Config{ReadOnly: true})
	equal(t, "rows", one[int](t, readOnly, "SELECT count(*) FROM people"), 2)
	equal(t, "user_version", one[int](t, readOnly, "PRAGMA user_version"), 7)
	if _, err := readOnly.Exec("DELETE FROM people"); !errors.Is(err, lido.ErrReadOnly) {
		t.Errorf("a write: %v, want lido.ErrReadOnly", err)
	}
	tx, err := readOnly.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("DELETE FROM people"); !errors.Is(err, lido.ErrReadOnly) {
		t.Errorf("a write in a transaction: %v, want lido.ErrReadOnly", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}
