package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/sqlite"
)

// expr is what stands in a schema until a hostile expression is put in its
// place, which the engine would evaluate to make the index.
var expr = "length(x/*" + padding + "*/)"

var padding = strings.Repeat(" ", 400)

// candidate makes a backup whose schema contains hostile in place of expr.
func candidate(t *testing.T, schema, hostile string, rows int) (store *backup.DirStore, id string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.db")
	c, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	sql := fmt.Sprintf("CREATE TABLE goose_db_version(id INTEGER PRIMARY KEY, version_id INTEGER, is_applied INTEGER); "+
		"INSERT INTO goose_db_version VALUES (1, 3, 1); %s; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO t (x) SELECT i FROM n", schema, rows)
	if err := errors.Join(c.Exec(t.Context(), sql), c.Close()); err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(plain, []byte(expr)) || len(hostile) > len(expr) {
		t.Fatalf("the schema has no room for %q", hostile)
	}
	plain = bytes.ReplaceAll(plain, []byte(expr), []byte(hostile+strings.Repeat(" ", len(expr)-len(hostile))))
	dir, m := forge(t, plain, compress(t, plain), nil)
	return backup.NewDirStore(dir), m.ID
}

// places are where a schema holds an expression that a check evaluates.
var places = map[string]string{
	"index":            "CREATE TABLE t (x); CREATE INDEX i ON t (" + expr + ")",
	"partial index":    "CREATE TABLE t (x); CREATE INDEX i ON t (x) WHERE " + expr,
	"CHECK":            "CREATE TABLE t (x CHECK (" + expr + "))",
	"generated column": "CREATE TABLE t (x, g AS (" + expr + ") NOT NULL)",
}

// The expression of the first row outlasts the limit. Not one more is evaluated,
// although the engine looks at its progress handler only after many rows.
func TestGuard_noExpressionIsEvaluatedPastTheTimeout(t *testing.T) {
	for place, schema := range places {
		for name, hostile := range map[string]string{
			"concatenation": "length(tick(x) || 'a') > 0",
			"function":      "length(hex(tick(x))) > 0",
			"deep":          "length(hex(hex(hex(tick(x) || tick(x)) || tick(x)))) > 0",
		} {
			t.Run(place+"/"+name, func(t *testing.T) {
				store, id := candidate(t, schema, hostile, 200)
				var late atomic.Int64
				_, err := backup.Verify(t.Context(), store, id, backup.VerifyOptions{
					ScratchDir: t.TempDir(), Limits: backup.Limits{Timeout: 200 * time.Millisecond},
					OnConnect: func(ctx context.Context, c *sqlite.Conn) error {
						return c.CreateFunction("tick", 1, true, func(args []sqlite.Value) (any, error) {
							if ctx.Err() != nil {
								late.Add(1)
							}
							<-ctx.Done()
							// The guard acts on a goroutine of its own.
							for range 20_000 {
								if c.Limit(sqlite.LimitLength, -1) < 100 {
									break
								}
								runtime.Gosched()
							}
							return strings.Repeat("z", 1000), nil
						})
					},
				})
				if !errors.Is(err, backup.ErrLimit) || !strings.Contains(err.Error(), "Limits.Timeout") {
					t.Errorf("Verify: %v", err)
				}
				// The expression that was being evaluated may call it again.
				if n := late.Load(); n > 2 {
					t.Errorf("evaluated %d times past the limit", n)
				}
			})
		}
	}
}

// One call would outlast the limit by far, and nothing could end it.
func TestGuard_callsThatWouldOutlastTheTimeoutAreRefused(t *testing.T) {
	const long = "replace(hex(zeroblob(2000000)), '0', 'a')"
	for name, hostile := range map[string]string{
		"instr":   "instr(" + long + ", " + long + " || 'b')",
		"replace": "length(replace(" + long + ", substr(" + long + ", 9) || 'b', 'c'))",
		"trim":    "length(trim(" + long + ", char(98,99) || substr(hex(zeroblob(9000)), 9)))",
		"rtrim":   "length(rtrim(" + long + ", hex(zeroblob(9000))))",
		"ltrim":   "length(ltrim(" + long + ", hex(zeroblob(9000))))",
		"like":    long + " LIKE replace(hex(zeroblob(4000)), '0', '%a') || 'b'",
		"glob":    long + " GLOB replace(hex(zeroblob(4000)), '0', '*a') || 'b'",
		"unhex":   "unhex(" + long + ", hex(zeroblob(9000)))",
	} {
		t.Run(name, func(t *testing.T) {
			store, id := candidate(t, places["CHECK"], hostile, 1)
			_, err := backup.Verify(t.Context(), store, id, backup.VerifyOptions{ScratchDir: t.TempDir(), Limits: backup.Limits{Timeout: 30 * time.Second}})
			if !errors.Is(err, backup.ErrLimit) || !strings.Contains(err.Error(), "calls "+name) {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

// What the guard evaluates is what the engine stored.
func TestGuard_functionsAnswerAsTheEngine(t *testing.T) {
	db := openDB(t, newDBPath(t))
	execSQL(t, db, `CREATE TABLE v (x, y);
		INSERT INTO v SELECT a.value, b.value FROM json_each('["", "a", "aBc", "ä€ä", "%", "%b%", "*b*", "[a-c]", 1, 2.5, null, "4142", "  x "]') AS a, json_each('["", "b", "B", "€", "a", "_", "?", 1, null, " "]') AS b;
		INSERT INTO v VALUES (x'6162', x'62'), (x'6162', 'b'), ('ab', x'62'), (x'', x''), (char(0) || 'a', char(0)), (CAST(x'ff80' AS TEXT), CAST(x'80' AS TEXT));
		CREATE INDEX i ON v (instr(x, y), replace(x, y, 'zz'), trim(x, y), ltrim(x, y), rtrim(x, y), x LIKE y, x GLOB y, like(y, x, '!'), unhex(x, y));`)
	m := take(t, db, fast(backup.NewDirStore(t.TempDir())))
	if m.Database.Broken != nil {
		t.Errorf("the manifest says %q", m.Database.Broken.Lines())
	}
}
