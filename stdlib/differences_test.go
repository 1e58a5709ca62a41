package stdlib_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/stdlib.md")

// observation is what both drivers answered to the same question.
type observation struct {
	topic       string // of the tables
	question    string // for messages
	declared    string // the type of the column
	stored      string // a literal in it
	stock, lido string
}

// difference is an answer of Lido's that is not the stock driver's, on purpose.
// docs/stdlib.md lists them.
type difference struct {
	topic     string
	what      string
	stock     string
	lido      string
	why       string
	explained func(o observation) bool
}

// The topics are headings in docs/stdlib.md, in this order.
const (
	topicParameters  = "Parameters"
	topicArguments   = "What a Go value is stored as"
	topicValues      = "What a stored value is read as"
	topicColumnTypes = "What ColumnTypes says"
	topicResults     = "What Exec and Query return"
	topicConnections = "Ping and Close"
)

var topics = []string{topicParameters, topicArguments, topicValues, topicColumnTypes, topicResults, topicConnections}

// differences are looked through in their order.
var differences = []difference{
	{
		topicParameters, "an argument that no parameter takes: `SELECT ?` with (1, 2), `SELECT :x` with x and y",
		"ignores it", "error",
		"it is a mistake of the caller, often a misspelt name",
		is("SELECT ?|1 2", "1", "no parameter takes argument 2 of 2"),
	},
	{
		topicParameters, "two arguments of one name: `SELECT :x` with x and x",
		"binds the first", "error", "one of two values would be lost",
		is("SELECT :x|x=1 x=2", "1", `two arguments are named "x"`),
	},
	{
		topicParameters, "a named argument in the place of another: `SELECT ?, :x` with (x, 5)",
		"binds x twice", "error", "the value is not the one meant for that place",
		is("SELECT ?, :x|x=1 5", "1 1", `parameter ? takes argument 1, which is named "x"`),
	},
	{
		topicParameters, "`?` in several statements: `SELECT ?; SELECT ?` with (1, 2)",
		"begins with the first argument in each: 1, 1", "goes on: 1, 2", "as mattn/go-sqlite3 does; the stock driver ignores the second argument",
		is("SELECT ?; SELECT ?|1 2", "1", "2"),
	},
	{
		topicParameters, "the same with (1)", "1, 1", "error", "there is no argument for the second",
		is("SELECT ?; SELECT ?|1", "1", "parameter ? takes argument 2, but the call has 1"),
	},
	{
		topicParameters, "`?` and `?1` in several statements: `SELECT ?; SELECT ?1` with (1)",
		"1, 1", "error", "SQLite's rule for the number of a `?` is for one statement; number all of them",
		is("SELECT ?; SELECT ?1|1", "1", "several statements, with both ? and numbered parameters"),
	},
	{
		topicParameters, "an error in the arguments of a later statement",
		"runs the earlier ones", "runs none", "half a script is worse than none",
		is("INSERT INTO log VALUES (?1); INSERT INTO log VALUES (?2)|1", "1 row inserted", "0 rows inserted"),
	},
	{
		topicParameters, "`?03`", "error", "is `?3`", "it is to SQLite",
		is("SELECT ?03|1 2 3", "missing named argument", "3"),
	},

	{
		topicArguments, "time.Time, also behind a pointer, in sql.NullTime or sql.Null",
		"as Go prints it: `2024-02-29 22:59:58.5 +0100 CET`, after time.Now with ` m=+0.01`",
		"UTC, always 30 bytes: `2024-02-29 21:59:58.500000000Z`",
		"the text of the stock driver neither sorts nor equals itself, and SQLite's date functions do not read it",
		func(o observation) bool {
			return strings.HasPrefix(o.stock, "text '") && strings.HasPrefix(o.lido, "text '2024-02-29 21:59:58.") && len(o.lido) == len("text ''")+30
		},
	},
	{
		topicArguments, "time.Time before the year 0 or after 9999", "as Go prints it", "error", "it would not sort",
		func(o observation) bool {
			return strings.HasPrefix(o.stock, "text '") && strings.Contains(o.lido, "only the years 0 to 9999 sort as text")
		},
	},
	{
		topicArguments, "uint above the largest int64, also of a type of its own, behind a pointer or in sql.Null",
		"a negative integer", "error", "another value, without an error (a uint64 database/sql refuses by itself)",
		func(o observation) bool {
			return o.stock == "integer -1" && strings.Contains(o.lido, "18446744073709551615 is too large for SQLite")
		},
	},

	{
		topicArguments, "NaN", "NULL", "error", "SQLite has no such number; another value, without an error",
		func(o observation) bool {
			return o.stock == "null NULL" && strings.Contains(o.lido, "NaN is no number that SQLite can hold")
		},
	},

	{
		topicValues, "an empty blob", "nil, as for NULL", "an empty []byte", "it is not NULL",
		func(o observation) bool { return o.stored == "x''" && o.stock == "[]byte(nil)" && o.lido == "[]byte()" },
	},
	{
		topicValues, "text in a column with a precision, `DATETIME(6)` or `TIMESTAMP(3)`", "string", "time.Time, if it is one",
		"a precision makes no difference to what a column is",
		func(o observation) bool {
			return strings.Contains(o.declared, "TIME") && strings.HasSuffix(o.declared, ")") && strings.HasPrefix(o.stock, "string ") && strings.HasPrefix(o.lido, "time ")
		},
	},
	{
		topicValues, "a time in a zone without a name, as Go prints it (`2024-02-29 22:59:58.5 +0100 +0100`), in a time column", "string", "time.Time",
		"the stock driver has written it itself",
		func(o observation) bool {
			return strings.HasSuffix(o.stored, " +0100 +0100'") && strings.HasPrefix(o.stock, "string ") && strings.HasPrefix(o.lido, "time ")
		},
	},
	{
		topicValues, "a time with the name of its zone (`... +0100 CET`), in a time column", "the zone is CET", "the zone has no name; offset and instant are the same",
		"a name of three letters does not say which zone it is",
		func(o observation) bool {
			return strings.HasSuffix(o.stored, " +0100 CET'") && strings.Replace(o.stock, "CET", "+0100", 1) == o.lido
		},
	},
	{
		topicValues, "`2024-02-29Z` in a time column", "time.Time", "string", "SQLite's date functions do not read it",
		func(o observation) bool {
			return o.stored == "'2024-02-29Z'" && strings.HasPrefix(o.stock, "time ") && strings.HasPrefix(o.lido, "string ")
		},
	},

	{
		topicColumnTypes, "DatabaseTypeName of `VARCHAR(20)`", "VARCHAR(20)", "VARCHAR", "database/sql wants the name without the length",
		func(o observation) bool {
			name, _, _ := strings.Cut(o.stock, "(")
			return strings.HasPrefix(o.question, "name") && o.lido == name
		},
	},
	{
		topicColumnTypes, "DecimalSize of `DECIMAL(10,2)`", "not known", "10, 2", "the declaration says so",
		func(o observation) bool {
			return strings.HasPrefix(o.question, "decimal") && o.stock == "0 0 false" && o.lido == "10 2 true"
		},
	},
	{
		topicColumnTypes, "Length", "by the value of the first row: without limit for text and blobs", "by the declaration: 20 for `VARCHAR(20)`, without limit for other text and blob columns",
		"it is to describe the column, not one value",
		func(o observation) bool { return strings.HasPrefix(o.question, "length") },
	},
	{
		topicColumnTypes, "ScanType without a row", "nil", "by the declaration, any without one", "reflect.New panics on a nil type",
		func(o observation) bool {
			return strings.HasPrefix(o.question, "scan") && o.stored == "no row" && o.stock == "<nil>"
		},
	},
	{
		topicColumnTypes, "ScanType of NULL", "nil", "any", "reflect.New panics on a nil type",
		func(o observation) bool {
			return strings.HasPrefix(o.question, "scan") && o.stored == "NULL" && o.stock == "<nil>" && o.lido == "interface {}"
		},
	},
	{
		topicColumnTypes, "ScanType of text that is a time, in a time column", "string", "time.Time", "the value of the row is a time.Time with both",
		func(o observation) bool {
			return strings.HasPrefix(o.question, "scan") && o.stock == "string" && o.lido == "time.Time"
		},
	},
	{
		topicColumnTypes, "ScanType of an integer in a time column (TIME among them)", "time.Time", "int64", "the value is an int64 with both, which does not scan into a time.Time",
		func(o observation) bool {
			return strings.HasPrefix(o.question, "scan") && o.stock == "time.Time" && o.lido == "int64"
		},
	},
	{
		topicColumnTypes, "ScanType of another integer than 0 and 1 in a BOOLEAN column", "bool", "int64", "it does not scan into a bool",
		func(o observation) bool {
			return strings.HasPrefix(o.question, "scan") && o.declared == "BOOLEAN" && o.stock == "bool" && o.lido == "int64" && o.stored != "0" && o.stored != "1"
		},
	},

	{
		topicResults, "the Result of texts without a change: `SELECT 1`, `PRAGMA user_version`",
		"the counters of an earlier statement, of whichever caller", "0, 0", "they are not of this call",
		func(o observation) bool {
			return strings.HasPrefix(o.question, "exec ") && !strings.Contains(o.question, "INSERT") && o.stock != "a panic" && o.lido == "0 0"
		},
	},
	{
		topicResults, "the Result of an empty text, or of a comment", "its methods panic", "0, 0", "a script may be empty",
		func(o observation) bool {
			return strings.HasPrefix(o.question, "exec nothing") && o.stock == "a panic" && o.lido == "0 0"
		},
	},
	{
		topicResults, "the text of an error", "`SQL logic error: near \"SELEKT\": syntax error (1)`, a *sqlite.Error", "`near \"SELEKT\": syntax error (SQLite code 1)`, a *lido.Error",
		"errors.Is finds lido.ErrUnique and its like; a *lido.Error names query, table and columns",
		func(o observation) bool {
			words, _, found := strings.Cut(strings.TrimPrefix(o.stock, "SQL logic error: "), " (1)")
			return found && o.lido == words+" (SQLite code 1)"
		},
	},

	{
		topicConnections, "Ping and every other call after the database is closed below the *sql.DB", "there is nothing below", "lido.ErrClosed", "the pool is opened and closed by itself",
		is("ping after the pool is closed", "sql: database is closed", ": closed"),
	},
	{
		topicConnections, "Driver().Open(name)", "opens a file", "error", "there is no data source name; the pool is opened by `pool.Open`",
		is("open by name", "no error", "there is no data source name"),
	},
}

// is explains one question that has one answer each. Of errors it names a part.
func is(question, stock, lido string) func(observation) bool {
	return func(o observation) bool {
		return o.question == question && o.stock != "" && strings.Contains(o.stock, stock) && strings.Contains(o.lido, lido)
	}
}

// ledger holds observations against differences.
type ledger struct {
	compared map[string]int // by topic
	met      map[int]int    // by the place in differences
}

func newLedger() *ledger {
	return &ledger{compared: make(map[string]int), met: make(map[int]int)}
}

// note reports an answer that differs and is not listed. It returns whether the
// answers are the same.
func (l *ledger) note(t testing.TB, o observation) bool {
	t.Helper()
	l.compared[o.topic]++
	if o.stock == o.lido {
		return true
	}
	for i, d := range differences {
		if d.topic == o.topic && d.explained(o) {
			l.met[i]++
			return false
		}
	}
	t.Errorf("%s, %s: %s in a column %q: the stock driver says %.120s, Lido %.120s", o.topic, o.question, o.stored, o.declared, o.stock, o.lido)
	return false
}

// end reports differences that are listed and have not been met.
func (l *ledger) end(t testing.TB, topic string) {
	t.Helper()
	n := 0
	for i, d := range differences {
		if d.topic != topic {
			continue
		}
		n++
		if l.met[i] == 0 {
			t.Errorf("%s, %s: listed as a difference, but not met", topic, d.what)
		}
	}
	t.Logf("%s: %d answers compared, %d differences", topic, l.compared[topic], n)
}

const (
	docPath  = "../docs/stdlib.md"
	docBegin = "<!-- begin of the tables: go test ./stdlib -run Differences -update -->\n"
	docEnd   = "<!-- end of the tables -->\n"
)

func TestDifferencesFromTheStockDriverAreThoseThatTheDocumentationLists(t *testing.T) {
	var tables strings.Builder
	for _, topic := range topics {
		fmt.Fprintf(&tables, "\n### %s\n\n| What | Stock driver | Lido | Why |\n|---|---|---|---|\n", topic)
		for _, d := range differences {
			if d.topic == topic {
				fmt.Fprintf(&tables, "| %s | %s | %s | %s |\n", d.what, d.stock, d.lido, d.why)
			}
		}
	}
	tables.WriteString("\n")
	doc, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	counts := fmt.Sprintf("%d values in columns of %d declared types, scanned into %d Go types", len(storedLiterals), len(columnDeclarations), len(destinations))
	if !strings.Contains(string(doc), counts) {
		t.Errorf("%s does not say %q", docPath, counts)
	}
	before, rest, found := strings.Cut(string(doc), docBegin)
	old, after, ended := strings.Cut(rest, docEnd)
	switch {
	case !found || !ended:
		t.Fatalf("%s has no place for the tables", docPath)
	case old == tables.String():
	case *update:
		if err := os.WriteFile(docPath, []byte(before+docBegin+tables.String()+docEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the tables of %s are not those of the test: run it with -update", docPath)
	}
}
