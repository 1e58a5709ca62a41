package codegen

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// schemaTimeout bounds what the schema may take to apply; a schema is text
// that somebody wrote, and may loop.
const schemaTimeout = 2 * time.Minute

// facts are what the engine says of a statement.
type facts struct {
	readOnly      bool
	reads, writes []string
	results       []result
	params        int
	connection    string // a function in it that answers for the connection
}

// engine is a database in memory that holds the schema.
type engine struct {
	conn      *sqlite.Conn
	tables    map[string]string            // base tables: lower-case name to the name as declared
	views     map[string]bool              // in lower case
	content   map[string]string            // FTS5 tables that keep their text in another table
	notNull   map[string]map[string]bool   // table to column, both in lower case
	affinity  map[string]map[string]string // the declared types, likewise
	order     map[string][]string          // the columns in their order, likewise
	defaults  map[string]string            // of "table.column", likewise
	unique    map[string]int               // unique keys, and of how many columns
	prepared  map[string]prepared
	failKeeps bool   // somewhere in the schema FAIL keeps what a failed statement did
	refusal   string // why the authorizer said no
	seen      *access
}

// prepared is an answer that is given again for the same text: the engine asks
// the authorizer only the first time.
type prepared struct {
	facts facts
	err   error
}

// access collects what the authorizer is asked while a statement is prepared.
type access struct {
	reads, writes map[string]bool
	stateful      bool   // depends on or changes the state of the connection
	connection    string // the function that answers for the connection
}

// openEngine opens a database in memory, without a schema.
func openEngine(ctx context.Context, doubleQuotedStrings bool) (*engine, error) {
	conn, err := sqlite.Open(ctx, ":memory:", sqlite.Options{
		Create:              true,
		DoubleQuotedStrings: doubleQuotedStrings,
		Pragmas:             []sqlite.Pragma{{Name: "foreign_keys", Value: "ON", Want: "1"}},
	})
	if err != nil {
		return nil, err
	}
	return &engine{conn: conn, prepared: map[string]prepared{}}, nil
}

// load applies the schema and reads the catalog. What it returns without an
// error are the statements that did not apply, if lenient lets them pass.
func (e *engine) load(ctx context.Context, schema []*sourceFile, skip []string, lenient bool) ([]problem, error) {
	refused, err := e.applySchema(ctx, schema, skip, lenient)
	if err != nil {
		return nil, err
	}
	if err := e.conn.Exec(ctx, "PRAGMA foreign_keys = ON"); err != nil {
		return nil, err
	}
	return refused, e.readCatalog(ctx)
}

func (e *engine) close() error { return e.conn.Close() }

// authorizeSchema keeps a schema from reaching into other files.
func (e *engine) authorizeSchema(action sqlite.Action, arg1, arg2, _, _ string) sqlite.Auth {
	if action == sqlite.ActionAttach && arg1 != ":memory:" && arg1 != "" {
		e.refusal = fmt.Sprintf("ATTACH of the file %q is not allowed while generating", arg1)
		return sqlite.AuthDeny
	}
	return sqlite.AuthOK
}

var ftsContent = regexp.MustCompile(`(?is)\busing\s+fts[45]\s*\(.*\bcontent\s*=\s*(?:'([^']*)'|"([^"]*)"|([a-z0-9_]+))`)

// readCatalog reads the tables of every attached database.
func (e *engine) readCatalog(ctx context.Context) error {
	e.tables, e.content, e.views = map[string]string{}, map[string]string{}, map[string]bool{}
	e.order, e.defaults = map[string][]string{}, map[string]string{}
	e.notNull, e.affinity = map[string]map[string]bool{}, map[string]map[string]string{}
	names, err := e.strings(ctx, "SELECT name FROM pragma_database_list", 1)
	if err != nil {
		return err
	}
	e.unique = map[string]int{}
	for _, db := range names {
		failing, err := e.strings(ctx, "SELECT 1 FROM "+quoteName(db[0])+".sqlite_schema WHERE sql LIKE '%fail%'", 1)
		if err != nil {
			return err
		}
		e.failKeeps = e.failKeeps || len(failing) > 0
		if err := e.readKeys(ctx, db[0]); err != nil {
			return err
		}
		views, err := e.strings(ctx, "SELECT lower(name) FROM "+quoteName(db[0])+".sqlite_schema WHERE type = 'view'", 1)
		if err != nil {
			return err
		}
		for _, v := range views {
			e.views[v[0]] = true
		}
		rows, err := e.strings(ctx, "SELECT name, coalesce(sql, '') FROM "+quoteName(db[0])+
			".sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'", 2)
		if err != nil {
			return err
		}
		for _, row := range rows {
			table := strings.ToLower(row[0])
			e.tables[table] = row[0]
			if m := ftsContent.FindStringSubmatch(row[1]); m != nil {
				e.content[table] = m[1] + m[2] + m[3]
			}
			if e.notNull[table] != nil {
				continue // of the same name in an attached database; main comes first
			}
			info := "pragma_table_xinfo(" + quoteString(row[0]) + ", " + quoteString(db[0]) + ")"
			columns, err := e.strings(ctx, `SELECT lower(name), "notnull" OR pk > 0 AND upper(type) = 'INTEGER'
				AND (SELECT count(*) FROM `+info+` WHERE pk > 0) = 1, type, coalesce(dflt_value, '') FROM `+info, 4)
			if err != nil {
				return err
			}
			e.notNull[table], e.affinity[table] = map[string]bool{}, map[string]string{}
			for _, c := range columns {
				e.notNull[table][c[0]] = c[1] == "1"
				e.affinity[table][c[0]] = c[2]
				e.order[table] = append(e.order[table], c[0])
				e.defaults[table+"."+c[0]] = c[3]
			}
		}
	}
	return nil
}

func quoteString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// strings runs sql and returns the first n columns of its rows as text.
func (e *engine) strings(ctx context.Context, sql string, n int) (rows [][]string, err error) {
	stmt, err := e.conn.Prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for {
		row, err := stmt.Step()
		if err != nil || !row {
			return rows, err
		}
		values := make([]string, n)
		for i := range values {
			values[i] = stmt.ColumnText(i)
		}
		rows = append(rows, values)
	}
}

// statefulFunctions read what the connection did last, so they belong on the
// writer although the engine calls them read-only.
var statefulFunctions = map[string]bool{"last_insert_rowid": true, "changes": true, "total_changes": true}

// readingPragmas take an argument and change nothing.
var readingPragmas = map[string]bool{
	"table_info": true, "table_xinfo": true, "table_list": true, "index_list": true, "index_info": true,
	"index_xinfo": true, "foreign_key_list": true, "foreign_key_check": true, "integrity_check": true, "quick_check": true,
}

// authorizeQuery notes what a query touches and refuses what a query must not
// do.
func (e *engine) authorizeQuery(action sqlite.Action, arg1, arg2, db, within string) sqlite.Auth {
	if strings.EqualFold(db, "temp") && arg1 != "" && action != sqlite.ActionSelect {
		e.seen.stateful = true
	}
	switch action {
	case sqlite.ActionAttach, sqlite.ActionDetach:
		e.refusal = "ATTACH and DETACH are not allowed in a query"
	case sqlite.ActionTransaction, sqlite.ActionSavepoint:
		e.refusal = "transaction control is not allowed in a query; use Write, Read and Savepoint"
	case sqlite.ActionFunction:
		if name := strings.ToLower(arg2); statefulFunctions[name] {
			e.seen.stateful = true
			if within == "" || e.views[strings.ToLower(within)] { // a trigger asks about its own statements
				e.seen.connection = name
			}
		}
		if strings.EqualFold(arg2, "load_extension") {
			e.refusal = "load_extension is not allowed in a query"
		}
	case sqlite.ActionPragma:
		e.seen.stateful = e.seen.stateful || arg2 != "" && !readingPragmas[strings.ToLower(arg1)]
	case sqlite.ActionRead:
		e.note(e.seen.reads, arg1)
	case sqlite.ActionInsert, sqlite.ActionUpdate, sqlite.ActionDelete:
		e.note(e.seen.writes, arg1)
	case sqlite.ActionSelect, sqlite.ActionRecursive:
	default: // creates, drops, ALTER, REINDEX, ANALYZE
		e.seen.stateful = true
	}
	if e.refusal != "" {
		return sqlite.AuthDeny
	}
	return sqlite.AuthOK
}

// note keeps base tables only: views come with the tables behind them, and
// table-valued functions and the engine's own tables are nobody's data.
func (e *engine) note(set map[string]bool, table string) {
	if name, ok := e.tables[strings.ToLower(table)]; ok {
		set[name] = true
	}
	if name, ok := e.content[strings.ToLower(table)]; ok && name != "" {
		e.note(set, name)
	}
}

// prepare has the engine compile sql and returns what it learned.
func (e *engine) prepare(ctx context.Context, sql string) (facts, error) {
	if p, ok := e.prepared[sql]; ok {
		return p.facts, p.err
	}
	f, err := e.compile(ctx, sql)
	e.prepared[sql] = prepared{f, err}
	return f, err
}

func (e *engine) compile(ctx context.Context, sql string) (f facts, err error) {
	if word, _, _ := strings.Cut(strings.ToUpper(sql)+" ", " "); strings.TrimSpace(word) == "VACUUM" {
		return f, errors.New("VACUUM is not allowed in a query")
	}
	e.refusal, e.seen = "", &access{reads: map[string]bool{}, writes: map[string]bool{}}
	e.conn.SetAuthorizer(e.authorizeQuery)
	stmt, err := e.conn.Prepare(ctx, sql)
	e.conn.SetAuthorizer(nil)
	if err != nil {
		if e.refusal != "" {
			err = errors.New(e.refusal)
		}
		return f, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	f.reads = slices.Sorted(maps.Keys(e.seen.reads))
	f.writes = slices.Sorted(maps.Keys(e.seen.writes))
	f.readOnly = stmt.ReadOnly() && len(f.writes) == 0 && !e.seen.stateful
	f.params, f.connection = stmt.ParamCount(), e.seen.connection
	for i := range stmt.ColumnCount() {
		r := result{name: stmt.ColumnName(i), declared: stmt.ColumnDeclType(i)}
		r.database, r.table, r.column = stmt.ColumnOrigin(i)
		f.results = append(f.results, r)
	}
	return f, nil
}

// explain turns an answer of the engine into a problem with its place; offset
// traces a byte of the SQL to the source.
func (e *engine) explain(err error, f *sourceFile, offset func(int) int, start int, name string) problem {
	p := problem{file: f, offset: start, name: name, msg: err.Error()}
	var refused *lido.Error
	switch {
	case e.refusal != "" && name == "":
		p.msg = e.refusal
	case errors.As(err, &refused):
		p.msg = refused.Message + remedy(refused.Message, name == "")
		if refused.Offset >= 0 {
			p.offset = offset(refused.Offset)
		} else if refused.Message == "incomplete input" {
			p.offset = offset(math.MaxInt)
		}
	}
	return p
}
