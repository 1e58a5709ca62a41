package stdlib

import (
	"strings"
	"testing"
)

func TestTextIsSplitWhereTheEngineSeesAStatementEnd(t *testing.T) {
	const trigger = "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN ';' END; DELETE FROM b; END"
	for text, want := range map[string][]string{
		"":                               nil,
		" ;; -- nothing\n/* at ; all":    nil,
		"SELECT 1":                       {"SELECT 1"},
		"SELECT 1 ; \n SELECT 2;":        {"SELECT 1", "SELECT 2"},
		`SELECT ';', ";", [;], ` + "`;`": {`SELECT ';', ";", [;], ` + "`;`"},
		"SELECT 'it''s;' ; SELECT 2":     {"SELECT 'it''s;'", "SELECT 2"},
		"SELECT 1 -- ; \n + 1; SELECT 2": {"SELECT 1 -- ; \n + 1", "SELECT 2"},
		"SELECT /* ; */ 1;SELECT 2":      {"SELECT /* ; */ 1", "SELECT 2"},
		trigger + "; SELECT 1":           {trigger, "SELECT 1"},
		trigger:                          {trigger},
		"explain create trigger x begin select 1; end; select 2": {"explain create trigger x begin select 1; end", "select 2"},
		"CREATE TABLE trigger (a); SELECT 1":                     {"CREATE TABLE trigger (a)", "SELECT 1"},
		"CREATE VIEW v AS SELECT trigger FROM x; SELECT 1":       {"CREATE VIEW v AS SELECT trigger FROM x", "SELECT 1"},
		"EXPLAIN QUERY PLAN " + trigger + "; SELECT 1":           {"EXPLAIN QUERY PLAN " + trigger, "SELECT 1"},
		"SELECT 1;\ufeff\ufeffCOMMIT \ufeff; SELECT 2":           {"SELECT 1", "COMMIT", "SELECT 2"},
		"SELECT 1;COMMIT\ufeff":                                  {"SELECT 1", "COMMIT\ufeff"},
		"SELECT 1; \v SELECT 2":                                  {"SELECT 1", "SELECT 2"},
		"CREATE TABLE trigger_log (x); SELECT 1":                 {"CREATE TABLE trigger_log (x)", "SELECT 1"},
		"CREATE TABLE a (x TEXT DEFAULT 'TRIGGER'); SELECT 1":    {"CREATE TABLE a (x TEXT DEFAULT 'TRIGGER')", "SELECT 1"},
		"SELECT 'open; SELECT 2":                                 {"SELECT 'open; SELECT 2"},
		"BEGIN; SELECT 1; END; SELECT 2":                         {"BEGIN", "SELECT 1", "END", "SELECT 2"},
	} {
		var got []string
		for _, s := range split(text) {
			got = append(got, s.text)
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q is split into %q, want %q", text, got, want)
		}
	}
}

func TestTheFirstWordsTellStatementsApart(t *testing.T) {
	for text, want := range map[string]class{
		"select 1":           classRead,
		"/* x */ VALUES (1)": classRead,
		"EXPLAIN SELECT 1":   classRead,
		"EXPLAIN QUERY PLAN WITH a AS (SELECT 1) SELECT * FROM a": classRead,
		"EXPLAIN COMMIT":                      classWrite,
		"EXPLAIN PRAGMA foreign_keys = 0":     classPragma,
		"EXPLAIN":                             classWrite,
		"pragma foreign_keys":                 classPragma,
		"PRAGMA table_info (t)":               classRead,
		"PRAGMA user_version":                 classRead,
		"PRAGMA user_version = 1":             classPragma,
		"PRAGMA user_version (1)":             classPragma,
		"PRAGMA main.user_version = 1":        classPragma,
		"SELECT changes ( )":                  classWrite,
		"SELECT 'changes()'":                  classRead,
		"SELECT changes_made FROM t":          classRead,
		"SELECT last_insert_rowid()":          classWrite,
		"INSERT INTO t VALUES (1)":            classChange,
		"replace INTO t VALUES (1)":           classChange,
		"/* x */ Update t SET a = 1":          classChange,
		"DELETE FROM t":                       classChange,
		"EXPLAIN DELETE FROM t":               classWrite,
		"CREATE TABLE t (a)":                  classWrite,
		"begin exclusive":                     classBegin,
		"END":                                 classEnd,
		"COMMIT TRANSACTION":                  classEnd,
		"ROLLBACK":                            classEnd,
		"\ufeffCOMMIT":                        classEnd,
		"ROLLBACK \ufeff TO a":                classSavepoint,
		"ROLLBACK TO a":                       classSavepoint,
		"rollback transaction to savepoint a": classSavepoint,
		"SAVEPOINT a":                         classSavepoint,
		"RELEASE a":                           classSavepoint,
		"(SELECT 1)":                          classWrite,
	} {
		got := split(text)
		if len(got) != 1 || got[0].class != want {
			t.Errorf("%q: %+v, want one statement of class %d", text, got, want)
		}
	}
}

// FuzzSplit checks that no text is lost or invented: the statements stand in it
// in their order, and between them there is nothing but blanks, comments and
// semicolons.
func FuzzSplit(f *testing.F) {
	f.Add("SELECT 1; CREATE TRIGGER t BEGIN SELECT ';'; END; -- done")
	f.Add("/* ; */ 'a''b' [x;y] \"")
	f.Add("/**/*")
	f.Add("INSERT INTO t VALUES (1); \ufeffCOMMIT; \xef\xbb SELECT \v 2")
	f.Fuzz(func(t *testing.T, text string) {
		rest := afterBlanks(t, text)
		for _, s := range split(text) {
			if s.text == "" || !strings.HasPrefix(rest, s.text) {
				t.Fatalf("%q does not stand where %q begins, in %q", s.text, rest, text)
			}
			rest = afterBlanks(t, rest[len(s.text):])
		}
		if rest != "" {
			t.Fatalf("%q is lost at the end of %q", rest, text)
		}
	})
}

// afterBlanks cuts off what may stand between statements.
func afterBlanks(t *testing.T, text string) string {
	t.Helper()
	for i := 0; i < len(text); {
		kind, end := token(text, i)
		if kind != tokenBlank && kind != tokenSemicolon {
			return text[i:]
		}
		if end <= i {
			t.Fatalf("no progress in %q at %d", text, i)
		}
		i = end
	}
	return ""
}
