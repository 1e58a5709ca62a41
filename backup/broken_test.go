package backup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// breakSchema adds to the database rows that break every kind of constraint.
const breakSchema = `PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
	INSERT INTO posting(account_id, amount) VALUES (999, 0);
	CREATE TABLE lost (x REFERENCES nowhere); INSERT INTO lost VALUES (1), (2);
	CREATE TABLE loose (x REFERENCES posting (amount));
	CREATE TABLE checked (x CHECK (x > 0), y NOT NULL);
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO checked SELECT -i, 'y' FROM n;
	PRAGMA foreign_keys = ON; PRAGMA ignore_check_constraints = OFF;`

func TestBroken_rowsAreCarriedAndNamedInTheManifest(t *testing.T) {
	db := openDB(t, newDBPath(t))
	execSQL(t, db, breakSchema)
	dir := t.TempDir()
	store := backup.NewDirStore(dir)
	m := take(t, db, fast(store))
	if m.Database.ForeignKeyViolations != 3 {
		t.Errorf("recorded %d violations of foreign keys", m.Database.ForeignKeyViolations)
	}
	want := []string{
		"foreign key mismatch: posting has no unique index on exactly the columns of loose (x) -> posting (amount)",
		"lost refers to the table nowhere, which does not exist, and 2 rows hold such a reference (first: row 1)",
		"1 row of posting refers to a row of account that does not exist",
		"CHECK constraint failed in checked, 500 rows",
	}
	lines := m.Database.Broken.Lines()
	if len(lines) != len(want) || !slices.EqualFunc(lines, want, strings.HasPrefix) {
		t.Errorf("the manifest says %q", lines)
	}
	rep, err := backup.Verify(t.Context(), store, "", backup.VerifyOptions{ScratchDir: t.TempDir()})
	if err != nil || !slices.Equal(rep.Broken.Lines(), lines) {
		t.Errorf("Verify: %v, %q", err, rep.Broken.Lines())
	}
	target := newDBPath(t)
	rep, err = backup.Restore(t.Context(), store, "", target, backup.RestoreOptions{})
	if err != nil || !slices.Equal(rep.Broken.Lines(), lines) {
		t.Errorf("Restore: %v, %q", err, rep.Broken.Lines())
	}
	data, err := os.ReadFile(filepath.Join(dir, m.ID+backup.ManifestSuffix))
	if err != nil || !json.Valid(data) {
		t.Fatal(err)
	}
	again, err := backup.DecodeManifest(data)
	if err != nil || !slices.Equal(again.Database.Broken.Lines(), lines) {
		t.Errorf("decoded: %v, %q", err, again.Database.Broken.Lines())
	}
}

// Damage is found behind however many rows that break a constraint.
func TestBroken_rowsHideNoDamage(t *testing.T) {
	dir, good := newBackup(t)
	path := filepath.Join(t.TempDir(), "a.db")
	if err := os.WriteFile(path, plainOf(t, dir, good.ID), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite.Open(t.Context(), path, sqlite.Options{Pragmas: []sqlite.Pragma{{Name: "journal_mode", Value: "delete"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(t.Context(), breakSchema+"CREATE TABLE zz (a TEXT); INSERT INTO zz VALUES ('needle'); CREATE INDEX zi ON zz (a)"); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(plain, []byte("needle"))
	plain[i] = 'N'
	forged, m := forge(t, plain, compress(t, plain), func(m *backup.Manifest) {
		m.Database.ForeignKeyViolations = 3
	})
	refuse(t, forged, m.ID, backup.ErrDamaged)
}

// A manifest from before constraints were looked at says nothing of them.
func TestBroken_rowsOfAnOlderManifestAreReported(t *testing.T) {
	db := openDB(t, newDBPath(t))
	execSQL(t, db, breakSchema)
	dir := t.TempDir()
	store := backup.NewDirStore(dir)
	m := take(t, db, fast(store))
	lines := m.Database.Broken.Lines()
	m.Database.Broken = nil
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("broken")) {
		t.Errorf("the manifest still names the field:\n%s", data)
	}
	if err := os.WriteFile(filepath.Join(dir, m.ID+backup.ManifestSuffix), data, 0o600); err != nil {
		t.Fatal(err)
	}
	rep, err := backup.Verify(t.Context(), store, "", backup.VerifyOptions{ScratchDir: t.TempDir()})
	if err != nil || !slices.Equal(rep.Broken.Lines(), lines) {
		t.Errorf("Verify: %v, %q", err, rep.Broken.Lines())
	}
}

// A CHECK whose function the connection does not have is not evaluated, which
// the manifest says, and is with Config.OnConnect.
func TestBroken_checksWithFunctionsOfTheApplication(t *testing.T) {
	connect := func(_ context.Context, c *sqlite.Conn) error {
		return c.CreateFunction("is_even", 1, true, func(args []sqlite.Value) (any, error) { return args[0].Int64()%2 == 0, nil })
	}
	db, err := pool.Open(t.Context(), newDBPath(t), pool.Config{OnConnect: connect})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	execSQL(t, db, `CREATE TABLE odd (x CHECK (is_even(x)), y INT NOT NULL); PRAGMA ignore_check_constraints = ON; INSERT INTO odd VALUES (3, 1); PRAGMA ignore_check_constraints = OFF`)

	cfg := fast(backup.NewDirStore(t.TempDir()))
	m := take(t, db, cfg)
	if lines := m.Database.Broken.Lines(); len(lines) != 1 || !strings.Contains(lines[0], "could not be evaluated") || !strings.Contains(lines[0], "is_even") {
		t.Errorf("without OnConnect: %q", lines)
	}
	cfg.OnConnect = connect
	m = take(t, db, cfg)
	if lines := m.Database.Broken.Lines(); len(lines) != 1 || lines[0] != "CHECK constraint failed in odd, 1 row" {
		t.Errorf("with OnConnect: %q", lines)
	}
}
