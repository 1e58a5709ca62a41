package app_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/cmd/ledger/internal/app"
	"github.com/lidodb/lido/cmd/ledger/internal/sample"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// ledger runs a command on the books in dir.
func ledger(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = app.Run(t.Context(), append(args, "--data", dir), &out, &errs)
	return code, out.String(), errs.String()
}

// must runs a command that has to work and returns what it printed.
func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	code, stdout, stderr := ledger(t, dir, args...)
	if code != 0 || stderr != "" {
		t.Fatalf("ledger %s: exit %d, %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// write writes a file for a test to import.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func household(t *testing.T) string {
	t.Helper()
	text, err := sample.Books()[0].CSV()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestImportThenBalanceRegisterAndCheck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "books")
	file := write(t, "household.csv", household(t))
	if out := must(t, dir, "import", file); !strings.Contains(out, "added 1164 transactions") {
		t.Errorf("import printed %s", out)
	}
	if out := must(t, dir, "import", file); !strings.Contains(out, "added 0 transactions") || !strings.Contains(out, "1164 were known") {
		t.Errorf("the second import printed %s", out)
	}
	if out := must(t, dir, "check"); !strings.HasPrefix(out, "ok: 1164 transactions") {
		t.Errorf("check printed %s", out)
	}

	out := must(t, dir, "balance", "assets")
	if !strings.Contains(out, "  bank") || !strings.Contains(out, "    checking") || strings.Contains(out, "expenses") {
		t.Errorf("balance printed\n%s", out)
	}
	rows, err := csv.NewReader(strings.NewReader(must(t, dir, "balance", "--csv"))).ReadAll()
	if err != nil || len(rows) < 20 || strings.Join(rows[0], ",") != "account,type,currency,balance,total" {
		t.Errorf("balance --csv: %v, %v", rows, err)
	}
	var tree struct {
		Accounts []struct{ Name string }
		Total    []struct{ Currency, Amount string }
	}
	if err := json.Unmarshal([]byte(must(t, dir, "balance", "--json")), &tree); err != nil || len(tree.Total) != 2 || tree.Total[0].Amount != "0.00" {
		t.Errorf("balance --json: %+v, %v", tree, err)
	}

	out = must(t, dir, "register", "assets:bank:savings", "--from", "2025-01-01")
	if !strings.Contains(out, "Standing order to savings") || strings.Contains(out, "2024-") {
		t.Errorf("register printed\n%s", out)
	}
	if out := must(t, dir, "register", "assets", "--csv", "--to", "2024-01-01"); !strings.Contains(out, "Opening balances,assets:cash,140.00,EUR,16763.55") {
		t.Errorf("register --csv printed\n%s", out)
	}
}

func TestWhatCannotBeDoneExitsWithWords(t *testing.T) {
	text := household(t)
	unbalanced := strings.Replace(text, `"-1180.00"`, `"-1181.00"`, 1)
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no books":               {[]string{"balance"}, 1, "begin some with: ledger serve"},
		"no books to check":      {[]string{"check"}, 1, "there are no books"},
		"no file":                {[]string{"import", "absent.csv"}, 1, "absent.csv"},
		"no argument":            {[]string{"import"}, 2, "ledger --help"},
		"unknown command":        {[]string{"blance"}, 2, `"blance"`},
		"unknown flag":           {[]string{"check", "--fast"}, 2, "--fast"},
		"two forms":              {[]string{"balance", "--csv", "--json"}, 2, "exclude each other"},
		"bad day":                {[]string{"register", "assets", "--from", "1.1.2025"}, 2, "write it like 2025-01-31"},
		"bad decimal mark":       {[]string{"import", "x.csv", "--decimal-mark", ";"}, 2, "--decimal-mark"},
		"bad type":               {[]string{"import", "x.csv", "--type", "a=b"}, 2, "--type a=b"},
		"wrong header":           {[]string{"import", write(t, "h.csv", "date,amount\n")}, 1, `h.csv:1: column 1 is "date"`},
		"unbalanced":             {[]string{"import", write(t, "u.csv", unbalanced)}, 1, "u.csv:8: transaction"},
		"cut last line":          {[]string{"import", write(t, "c.csv", text[:len(text)-20])}, 1, "(nothing was imported)"},
		"address not an address": {[]string{"serve", "--addr", "nowhere:x"}, 1, "--addr"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "books")
			code, stdout, stderr := ledger(t, dir, test.args...)
			if code != test.code || !strings.Contains(stderr, test.want) || stdout != "" {
				t.Errorf("exit %d, stdout %q, stderr %q; want exit %d and %q", code, stdout, stderr, test.code, test.want)
			}
		})
	}
}

func TestAnImportThatIsRefusedLeavesTheBooksAsTheyWere(t *testing.T) {
	dir := t.TempDir()
	text := household(t)
	must(t, dir, "import", write(t, "household.csv", text))
	before := must(t, dir, "balance", "--json")
	more := strings.ReplaceAll(text, "Streaming", "Streaming and more")
	more = strings.Replace(more, `"-1180.00"`, `"-1181.00"`, 1)
	if code, _, errs := ledger(t, dir, "import", write(t, "more.csv", more)); code != 1 || !strings.Contains(errs, "nothing was imported") {
		t.Errorf("exit %d, %s", code, errs)
	}
	if after := must(t, dir, "balance", "--json"); after != before {
		t.Errorf("the balances have changed:\n%s\n%s", before, after)
	}
	if code, _, errs := ledger(t, dir, "register", "assets:nothing"); code != 1 || !strings.Contains(errs, `account "assets:nothing": not found`) {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestCheckExitsWithOneAndNamesTheDifference(t *testing.T) {
	dir := t.TempDir()
	must(t, dir, "import", write(t, "household.csv", household(t)))
	db, err := pool.Open(t.Context(), filepath.Join(dir, "ledger.db"), pool.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = db.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "UPDATE balances SET amount = amount + 1 WHERE account_id = (SELECT id FROM accounts WHERE name = 'assets:cash')")
	})
	if err := errors.Join(err, db.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := ledger(t, dir, "check")
	if code != 1 || !strings.Contains(stderr, `account "assets:cash" in EUR: the balance kept is`) || stdout != "" {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "ledger.db-wal")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("-wal is left: %v", err)
	}
}

func TestVersionNamesTheEngine(t *testing.T) {
	if out := must(t, t.TempDir(), "version"); !strings.Contains(out, "SQLite 3.") {
		t.Errorf("printed %q", out)
	}
}
