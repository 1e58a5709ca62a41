package stdlib_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/pool"
)

const (
	family = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p_id REFERENCES p (id)); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1); "
	search = "CREATE VIRTUAL TABLE f USING fts5(a); "
)

// forbidden are statements that the stock driver takes and Lido refuses, each
// with one that does the work. docs/from-sqlc.md lists them.
var forbidden = []struct{ setup, sql, message, instead string }{
	{
		"CREATE TABLE t (a);", "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a, b)' WHERE name = 't'",
		"table sqlite_master may not be modified", "ALTER TABLE t ADD COLUMN b",
	},
	{search, "DELETE FROM f_data", "table f_data may not be modified", "DELETE FROM f"},
	{search, "DROP TABLE f_data", "table f_data may not be dropped", "DROP TABLE f"},
	{"CREATE VIRTUAL TABLE r USING rtree(id, a, b);", "DELETE FROM r_node", "table r_node may not be modified", "DELETE FROM r"},
	{"", "UPDATE sqlite_dbpage SET data = data WHERE pgno = 1", "read-only", ""},
	{
		"CREATE TABLE t (a); CREATE VIEW v AS SELECT name FROM pragma_table_info('t');", "SELECT * FROM v",
		`unsafe use of virtual table "pragma_table_info"`, "SELECT name FROM pragma_table_info('t')",
	},
	{
		search + "CREATE VIRTUAL TABLE terms USING fts5vocab(f, row); CREATE VIEW v AS SELECT term FROM terms;", "SELECT * FROM v",
		`unsafe use of virtual table "terms"`, "SELECT term FROM terms",
	},
	{family, "INSERT INTO c VALUES (7)", "FOREIGN KEY constraint failed", "INSERT INTO p VALUES (7); INSERT INTO c VALUES (7)"},
	{family, "DELETE FROM p", "FOREIGN KEY constraint failed", "DELETE FROM c; DELETE FROM p"},
	{family, "DROP TABLE p", "FOREIGN KEY constraint failed", "DROP TABLE c; DROP TABLE p"},
	{
		"CREATE TABLE p (id INTEGER); CREATE TABLE c (p_id REFERENCES p (id));", "INSERT INTO c VALUES (7)",
		`foreign key mismatch - "c" referencing "p"`, "CREATE UNIQUE INDEX p_id ON p (id); INSERT INTO p VALUES (7); INSERT INTO c VALUES (7)",
	},
	{
		"CREATE TABLE c (p_id REFERENCES gone (id));", "INSERT INTO c VALUES (7)",
		"no such table: main.gone", "CREATE TABLE gone (id INTEGER PRIMARY KEY); INSERT INTO gone VALUES (7); INSERT INTO c VALUES (7)",
	},
	{"CREATE TABLE t (a);", `SELECT "text" FROM t`, `no such column: "text"`, "SELECT 'text' FROM t"},
}

// ignored are PRAGMAs that the stock driver obeys. Lido takes them, and they
// change nothing.
var ignored = []struct{ pragma, read, stock, lido string }{
	{"PRAGMA journal_mode = OFF", "PRAGMA journal_mode", "off", "wal"},
	{"PRAGMA schema_version = 4711", "PRAGMA schema_version", "4711", "1"},
}

func tryOut(db *sql.DB, statement string) error {
	if !strings.HasPrefix(statement, "SELECT") {
		_, err := db.Exec(statement)
		return err
	}
	rows, err := db.Query(statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func TestWhatLidoForbidsAndTheStockDriverAllows(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "docs", "from-sqlc.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(document), "`", "")
	for _, c := range forbidden {
		stock := openStock(t)
		_, lido := open(t, pool.Config{})
		for name, db := range map[string]*sql.DB{"stock": stock, "lido": lido} {
			if err := tryOut(db, c.setup+"SELECT 1"); err != nil {
				t.Fatalf("%s: %s: %v", name, c.setup, err)
			}
		}
		if err := tryOut(lido, c.sql); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s%s: Lido says %v, want %s", c.setup, c.sql, err, c.message)
		}
		if c.instead != "" {
			if err := tryOut(lido, c.instead); err != nil {
				t.Errorf("%s in place of %s: %v", c.instead, c.sql, err)
			}
		}
		if err := tryOut(stock, c.sql); err != nil {
			t.Errorf("%s%s: the stock driver says %v; strike it from the list", c.setup, c.sql, err)
		}
		for _, shown := range []string{c.sql, c.instead} {
			if !strings.Contains(text, shown) {
				t.Errorf("docs/from-sqlc.md does not show %s", shown)
			}
		}
	}
	for _, c := range ignored {
		stock := openStock(t)
		_, lido := open(t, pool.Config{})
		for want, db := range map[string]*sql.DB{c.stock: stock, c.lido: lido} {
			conn, err := db.Conn(t.Context()) // a PRAGMA is of one connection
			if err != nil {
				t.Fatal(err)
			}
			var got string
			if _, err = conn.ExecContext(t.Context(), "CREATE TABLE t (a); "+c.pragma); err == nil {
				err = conn.QueryRowContext(t.Context(), c.read).Scan(&got)
			}
			if err != nil || got != want {
				t.Errorf("after %s: %s is %q, want %q (%v)", c.pragma, c.read, got, want, err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
		if !strings.Contains(text, c.pragma) {
			t.Errorf("docs/from-sqlc.md does not show %s", c.pragma)
		}
	}
}
