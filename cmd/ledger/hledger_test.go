package main_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lidodb/lido/cmd/ledger/internal/app"
	"github.com/lidodb/lido/cmd/ledger/internal/book"
)

// refusals is the list of what the ledger does not model. A journal is refused
// for one of these or the test fails. It was written before any journal was
// tried, but for the years beyond 9999, which one of hledger's own test
// journals brought up. proof looks for the feature in what hledger printed;
// where it always agrees, the message alone names the feature.
var refusals = []struct {
	feature string
	message string // in what ledger import says
	proof   func(journal string, rows [][]string) bool
	mend    mend // how the message says to do without the feature
}{
	{"unbalanced virtual postings, (account): double entry has no place for them", "is an unbalanced virtual posting",
		func(_ string, rows [][]string) bool {
			return slices.ContainsFunc(rows, func(r []string) bool { return strings.HasPrefix(r[account], "(") })
		}, mend{imported: "--real", balance: "--real"}},
	{"exchanges at a price without postings to a conversion account", "make them sum to zero in each currency; for an exchange",
		func(_ string, rows [][]string) bool { return commodities(rows) > 1 }, mend{print: "--infer-equity", balance: "--infer-equity"}},
	{"exchanges whose price leaves one currency only", "is off by",
		func(journal string, _ [][]string) bool { return strings.Contains(journal, "@") }, mend{print: "--infer-equity", balance: "--infer-equity"}},
	{"more than 12 decimals", "more than the 12 that a currency can have",
		func(string, [][]string) bool { return true }, mend{}},
	{"amounts of 10 to the 18th of the smallest unit and more", "beyond what the ledger can hold",
		func(string, [][]string) bool { return true }, mend{}},
	{"days after the year 9999", "is not a day",
		func(_ string, rows [][]string) bool {
			return slices.ContainsFunc(rows, func(r []string) bool { return len(r[1]) > len("2025-01-31") })
		}, mend{}},
	{"accounts with an empty part or longer than 255 bytes", "account name",
		func(string, [][]string) bool { return true }, mend{}},
}

// mend is a flag for one of the commands of the comparison, or several.
type mend struct{ print, imported, balance string }

// Columns of hledger's CSV.
const (
	account   = 7
	amount    = 8
	commodity = 9
)

func commodities(rows [][]string) int {
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r[commodity]] = true
	}
	return len(seen)
}

// example is a journal that somebody else wrote.
type example struct{ name, text string }

// TestBalancesEqualHledgers imports the example journals of hledger's own
// documentation and compares every balance with hledger's. It needs hledger
// (apt-get install hledger) and runs when LEDGER_HLEDGER is set:
//
//	LEDGER_HLEDGER=1 go test -count=1 -v -run TestBalancesEqualHledgers ./cmd/ledger
//
// LEDGER_HLEDGER_ROOT is where the package was unpacked, if that is not "/";
// LEDGER_JOURNALS names further folders of journals, separated by colons.
func TestBalancesEqualHledgers(t *testing.T) {
	if os.Getenv("LEDGER_HLEDGER") == "" {
		t.Skip("LEDGER_HLEDGER is not set")
	}
	version, err := exec.CommandContext(t.Context(), "hledger", "--version").Output()
	if err != nil {
		t.Fatalf("%v; install it with: apt-get install hledger", err)
	}
	c := &comparison{why: map[string]int{}, currencies: map[string]bool{}}
	for _, e := range findExamples(t) {
		c.journals++
		c.compare(t, e, mend{})
	}

	t.Logf("%s", bytes.TrimSpace(version))
	t.Logf("%d example journals: %d are no journals for hledger either, %d accepted as they are, %d refused, of which %d accepted in the way the message says",
		c.journals, c.invalid, c.accepted, c.refused, c.mended)
	for _, feature := range slices.Sorted(maps.Keys(c.why)) {
		t.Logf("refused, %d: %s", c.why[feature], feature)
	}
	t.Logf("accepted: %d transactions, %d postings, %d balances compared (%d that hledger rounds in its CSV, with its JSON), %d currencies %q",
		c.transactions, c.postings, c.balances, c.rounded, len(c.currencies), slices.Sorted(maps.Keys(c.currencies)))
	if c.postings < 200 || len(c.currencies) < 2 {
		t.Errorf("%d postings in %d currencies prove too little; want 200 and 2", c.postings, len(c.currencies))
	}
}

// comparison counts what the test has done.
type comparison struct {
	journals, invalid, accepted, refused, mended int
	transactions, postings, balances, rounded    int

	why        map[string]int
	currencies map[string]bool
}

// compare imports a journal and compares its balances, and does so again as
// the message says when it is refused.
func (c *comparison) compare(t *testing.T, e example, how mend) {
	t.Helper()
	dir := t.TempDir()
	journal := filepath.Join(dir, "x.journal")
	if err := os.WriteFile(journal, []byte(e.text), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, text, err := hledgerCSV(t, journal, "print", how.print)
	if err != nil || len(rows) < 2 {
		c.invalid++ // hledger itself refuses it, or it holds no transaction
		return
	}
	file := filepath.Join(dir, "x.csv")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	args := []string{"import", file, "--json", "--other-type", "asset", "--data", filepath.Join(dir, "books")}
	if how.imported != "" {
		args = append(args, how.imported)
	}
	if code := app.Run(t.Context(), args, &out, &errs); code != 0 {
		feature, next := refusedFor(errs.String(), e.text, rows[1:])
		if feature == "" {
			t.Errorf("%s was refused for nothing that is on the list: %s\n%s", e.name, errs.String(), e.text)
		}
		if how == (mend{}) {
			c.refused++
			c.why[feature]++
			if next != (mend{}) {
				c.compare(t, e, next)
			}
		}
		return
	}
	var result book.ImportResult
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	switch {
	case how == mend{}:
		c.accepted++
	case result.Postings > 0:
		c.mended++
	}
	c.transactions += result.Added
	c.postings += result.Postings
	c.compareBalances(t, e, journal, filepath.Join(dir, "books"), how)
}

// refusedFor finds on the list what a journal was refused for, and what
// the message says to do.
func refusedFor(message, journal string, rows [][]string) (feature string, how mend) {
	for _, r := range refusals {
		if strings.Contains(message, r.message) && r.proof(journal, rows) {
			return r.feature, r.mend
		}
	}
	return "", mend{}
}

// compareBalances compares every balance of the imported books with hledger's.
func (c *comparison) compareBalances(t *testing.T, e example, journal, books string, how mend) {
	t.Helper()
	flags := []string{"--flat", "--no-elide", "--empty", "--no-total", how.balance}
	rows, _, err := hledgerCSV(t, journal, "balance", append(flags, "--layout=bare")...)
	if err != nil {
		t.Errorf("%s: hledger balance: %v", e.name, err)
		return
	}
	want := map[string]string{}
	for _, r := range rows[1:] {
		put(t, want, r[0], r[1], r[2])
	}
	exact := exactBalances(t, journal, flags)

	var out, errs bytes.Buffer
	if code := app.Run(t.Context(), []string{"check", "--data", books}, &out, &errs); code != 0 {
		t.Errorf("%s: ledger check: %s", e.name, errs.String())
	}
	out.Reset()
	if code := app.Run(t.Context(), []string{"balance", "--csv", "--data", books}, &out, &errs); code != 0 {
		t.Errorf("%s: ledger balance: %s", e.name, errs.String())
		return
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range lines[1:] {
		currency := strings.TrimPrefix(l[2], "XXX")
		put(t, got, l[0], currency, l[3])
		c.currencies[currency] = true
	}
	for key := range want {
		if _, ok := got[key]; !ok {
			got[key] = "0"
		}
	}
	for key, value := range got {
		switch {
		case value == cmp.Or(want[key], "0"):
			c.balances++
		case value == exact[key]:
			// In its CSV hledger rounds to the decimals it has seen first.
			c.balances++
			c.rounded++
		default:
			t.Errorf("%s: %s: the ledger has %q, hledger %q, exactly %q\n%s", e.name, key, value, want[key], exact[key], e.text)
		}
	}
}

// exactBalances asks hledger for balances that are not rounded for display.
func exactBalances(t *testing.T, journal string, flags []string) map[string]string {
	t.Helper()
	text, err := runHledger(t, journal, "balance", append(flags, "-O", "json")...)
	if err != nil {
		t.Fatal(err)
	}
	var report []json.RawMessage
	var accounts [][]json.RawMessage
	if err = json.Unmarshal(text, &report); err == nil {
		err = json.Unmarshal(report[0], &accounts)
	}
	if err != nil {
		t.Fatal(err)
	}
	exact := map[string]string{}
	for _, a := range accounts {
		var name string
		var amounts []struct {
			Commodity string `json:"acommodity"`
			Quantity  struct {
				Mantissa json.Number `json:"decimalMantissa"`
				Places   int         `json:"decimalPlaces"`
			} `json:"aquantity"`
		}
		if err := errors.Join(json.Unmarshal(a[0], &name), json.Unmarshal(a[3], &amounts)); err != nil {
			t.Fatal(err)
		}
		for _, m := range amounts {
			put(t, exact, name, m.Commodity, m.Quantity.Mantissa.String()+"e-"+strconv.Itoa(m.Quantity.Places))
		}
	}
	return exact
}

// put notes a balance that is not zero.
func put(t *testing.T, balances map[string]string, account, currency, text string) {
	t.Helper()
	d, err := book.ParseDecimalMark(text, 0)
	if err != nil {
		t.Fatalf("%s %s: %v", account, currency, err)
	}
	if d != (book.Decimal{}) {
		balances[account+" in "+strconv.Quote(currency)] = d.String()
	}
}

func hledgerCSV(t *testing.T, journal, command string, flags ...string) (rows [][]string, text []byte, err error) {
	t.Helper()
	if text, err = runHledger(t, journal, command, append(flags, "-O", "csv")...); err != nil {
		return nil, nil, err
	}
	rows, err = csv.NewReader(bytes.NewReader(text)).ReadAll()
	return rows, text, err
}

// runHledger runs a command of hledger. Empty flags are left out.
func runHledger(t *testing.T, journal, command string, flags ...string) ([]byte, error) {
	t.Helper()
	args := []string{"-f", journal, command}
	for _, flag := range flags {
		if flag != "" {
			args = append(args, flag)
		}
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "hledger", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stderr = &errs
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, errs.String())
	}
	return text, nil
}

// findExamples collects every example journal that the Debian packages of
// hledger put on this machine: journal files in their documentation folders,
// and the examples inside the manual pages and the change log.
func findExamples(t *testing.T) (examples []example) {
	t.Helper()
	root := cmp.Or(os.Getenv("LEDGER_HLEDGER_ROOT"), "/")
	folders, err := filepath.Glob(filepath.Join(root, "usr/share/doc/*hledger*"))
	if err != nil {
		t.Fatal(err)
	}
	folders = append(folders, filepath.SplitList(os.Getenv("LEDGER_JOURNALS"))...)
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || (err == nil && !entry.Type().IsRegular()) {
				return nil
			}
			if err != nil {
				return err
			}
			switch name := strings.TrimSuffix(path, ".gz"); {
			case slices.Contains([]string{".journal", ".hledger", ".ledger", ".j", ".dat"}, filepath.Ext(name)):
				examples = append(examples, example{path, readText(t, path)})
			case filepath.Base(name) == "changelog":
				examples = append(examples, fromMarkdown(path, readText(t, path))...)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	manuals, err := filepath.Glob(filepath.Join(root, "usr/share/man/man[15]/hledger*.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range manuals {
		examples = append(examples, fromManual(path, readText(t, path))...)
	}
	return examples
}

// aTransaction is what makes a block of text worth giving to hledger.
var aTransaction = regexp.MustCompile(`(?m)^\d+[-/.]\d+.*\n[ \t]+\S`)

var (
	manualBlock = regexp.MustCompile(`(?s)\.nf\n(.*?)\.fi\n`)
	manualFont  = regexp.MustCompile(`\\f(\[[^\]]*\]|\(..|.)`)
	manualChar  = strings.NewReplacer(`\[aq]`, "'", `\[dq]`, `"`, `\[rs]`, `\`, `\[ga]`, "`", `\[ha]`, "^", `\[ti]`, "~", `\[at]`, "@",
		`\[Eu]`, "€", `\[Po]`, "£", `\-`, "-", `\&`, "", `\e`, `\`, `\ `, " ", `\'`, "'")
)

// fromManual takes the examples out of a manual page. A block that shows a
// command and what it printed is the journal that was printed.
func fromManual(path, text string) (examples []example) {
	for i, m := range manualBlock.FindAllStringSubmatch(text, -1) {
		block := manualChar.Replace(manualFont.ReplaceAllString(m[1], ""))
		var lines []string
		for line := range strings.Lines(block) {
			if !strings.HasPrefix(line, "$ ") {
				lines = append(lines, line)
			}
		}
		if block = strings.Join(lines, ""); aTransaction.MatchString(block) {
			examples = append(examples, example{fmt.Sprintf("%s, block %d", path, i+1), block})
		}
	}
	return examples
}

// fromMarkdown takes the indented examples out of a change log.
func fromMarkdown(path, text string) (examples []example) {
	var block []string
	flush := func(line int) {
		indent := 100
		for _, l := range block {
			if l != "" {
				indent = min(indent, len(l)-len(strings.TrimLeft(l, " ")))
			}
		}
		for i, l := range block {
			block[i] = l[min(indent, len(l)):]
		}
		if journal := strings.Join(block, "\n") + "\n"; aTransaction.MatchString(journal) {
			examples = append(examples, example{fmt.Sprintf("%s before line %d", path, line), journal})
		}
		block = nil
	}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "    ") {
			block = append(block, line)
		} else {
			flush(i)
		}
	}
	return examples
}

func readText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return string(data)
}
