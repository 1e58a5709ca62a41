package sqlite

import (
	"context"
	"slices"
	"strings"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// Outcome is how a transaction ended.
type Outcome int

// The outcomes. CommitUnknown is that of a commit which an I/O error or a fault
// struck: its pages may be in the WAL, where the next recovery finds them.
const (
	RolledBack Outcome = iota
	Committed
	CommitUnknown
)

// String returns the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Committed:
		return "committed"
	case CommitUnknown:
		return "commit unknown"
	}
	return "rolled back"
}

// Ending is what OnEnding tells of a transaction.
type Ending struct {
	Outcome Outcome
	// Tables are those in which the transaction inserted, updated or deleted
	// rows, and those it created, altered or dropped, each once; nothing that
	// was undone with a savepoint. Only until the function returns.
	Tables []string
	// Schema reports a change of the schema.
	Schema bool
}

// OnEnding makes fn be told of each transaction on this connection that ends
// after a statement wrote in it, a statement outside a transaction being one of
// its own. It replaces the function set before, but not that of
// Options.OnEnding; nil sets none. Of a transaction that is open fn is told what
// is written in it from then on, or all if somebody was told before.
//
// fn runs on the goroutine that uses the connection, when the engine has done
// its part and before the call that ended the transaction returns. It must
// neither use the connection nor panic.
//
// What a statement writes the engine says when it compiles it: the tables of
// triggers and foreign-key actions are among them, and a statement that changed
// no row at all counts for nothing. One that failed in a transaction which went
// on counts for all of its tables. A view counts as the tables behind it, a
// virtual table as itself and not as the tables it is kept in. Temporary tables
// are left out, a table of an attached database has that one's name before a
// dot, and VACUUM changes no table.
//
// https://www.sqlite.org/c3ref/commit_hook.html
func (c *Conn) OnEnding(fn func(Ending)) {
	if c.alive() != nil {
		return
	}
	owner, before := c.ownersEnding, c.onEnding != nil
	switch {
	case owner == nil || fn == nil:
		if c.onEnding = owner; owner == nil {
			c.onEnding = fn
		}
	default:
		c.onEnding = func(e Ending) {
			owner(e)
			fn(e)
		}
	}
	switch now := c.onEnding != nil; {
	case now && !before:
		c.open.clear()
		lib.Xsqlite3_commit_hook(c.tls, c.db, function(onCommit), c.handle)
		lib.Xsqlite3_rollback_hook(c.tls, c.db, function(onRollback), c.handle)
	case before && !now:
		lib.Xsqlite3_commit_hook(c.tls, c.db, 0, 0)
		lib.Xsqlite3_rollback_hook(c.tls, c.db, 0, 0)
	}
}

// onCommit is called before the engine commits, which can still fail; anything
// but 0 makes it roll back.
func onCommit(_ *libc.TLS, handle uintptr) int32 {
	if c := connOf(handle); c != nil {
		// A statement that must be compiled anew has been rolled back before.
		c.open.committing, c.open.rolledBack = true, false
	}
	return 0
}

func onRollback(_ *libc.TLS, handle uintptr) {
	if c := connOf(handle); c != nil {
		c.open.rolledBack = true
	}
}

// effects is what a statement does when it runs, as the engine said when it
// compiled it. It is kept with the statement, and not copied.
type effects struct {
	tables []string
	first  [1]string // where tables is, if there is one
	data   int       // how many of tables came from row changes: views may be among them
	schema bool      // changes the schema
	// control is set for transaction control; savepoint and name are those of
	// SAVEPOINT, RELEASE and ROLLBACK TO.
	control   bool
	savepoint string
	name      string

	noted uint64 // openTransaction.part when its tables came to have these
}

// openTransaction is what is known of the transaction that is under way.
type openTransaction struct {
	wrote   bool // a statement that may write has run
	schema  bool
	tables  []string
	part    uint64 // never 0; changes when tables gets shorter, so that effects are noted again
	savings []savepoint

	committing, rolledBack bool // what the hooks saw in this call
}

// savepoint remembers what had been written when it was opened.
type savepoint struct {
	name   string
	count  int
	schema bool
}

// addEffect notes an action of the statement that is being compiled, which may
// be anew and in the middle of a step. What runs inside the engine's own loop is
// a virtual table's upkeep, and the table itself is noted already.
func (c *Conn) addEffect(a Action, arg1, arg2, database uintptr) {
	e := c.compiling
	if e == nil || db(c).FnVdbeExec > 0 {
		return
	}
	table, schema, data := arg1, true, false
	switch a {
	case ActionInsert, ActionUpdate, ActionDelete:
		schema, data = false, true
	case ActionCreateTable, ActionDropTable, ActionCreateVTable, ActionDropVTable:
	case ActionAlterTable:
		table, database = arg2, arg1
	case ActionSavepoint:
		e.control, e.savepoint, e.name = true, libc.GoString(arg1), libc.GoString(arg2)
		return
	case ActionTransaction:
		e.control = true
		return
	default:
		return
	}
	if isText(database, "temp") {
		return
	}
	name := c.tableName(table)
	if strings.HasPrefix(name, "sqlite_") {
		// The table of the schema; others are the engine's own books.
		e.schema = e.schema || name == "sqlite_master" || name == "sqlite_schema"
		return
	}
	e.schema = e.schema || schema
	if !isText(database, "main") {
		name = libc.GoString(database) + "." + name
	}
	switch {
	case slices.Contains(e.tables, name):
		return
	case data:
		e.tables = slices.Insert(e.room(), e.data, name)
		e.data++
	default:
		e.tables = append(e.room(), name)
	}
	e.noted = 0
}

// room is tables, with room for the first.
func (e *effects) room() []string {
	if e.tables == nil {
		return e.first[:0]
	}
	return e.tables
}

// tableName is a copy of the engine's string, or one that is there already:
// what writes much writes into the same tables.
func (c *Conn) tableName(p uintptr) string {
	for _, name := range c.open.tables {
		if isText(p, name) {
			return name
		}
	}
	return libc.GoString(p)
}

// keepTables takes views and the tables that a virtual table is kept in out of
// the effects of a statement that was just compiled.
func (c *Conn) keepTables(e *effects) {
	if t := &c.open; len(e.tables) == 1 && !t.schema && slices.Contains(t.tables, e.tables[0]) {
		return // it was found to be a table when it came there
	}
	isTable := func(name string) bool {
		where, table := splitName(name)
		return c.isTable(where, table) && !c.isShadow(e, name)
	}
	data := slices.DeleteFunc(slices.Clone(e.tables[:e.data]), func(name string) bool { return !isTable(name) })
	e.tables = append(data, e.tables[e.data:]...)
	e.data = len(data)
}

// splitName splits a name as addEffect makes it. A dot may also be in the name of a
// table in main; the engine then knows no such database.
func splitName(name string) (where, table string) {
	if before, after, ok := strings.Cut(name, "."); ok {
		return before, after
	}
	return "main", name
}

// isTable asks the engine about a name; it says no for a view.
//
// https://www.sqlite.org/c3ref/table_column_metadata.html
func (c *Conn) isTable(where, table string) bool {
	ask := func(where, table string) bool {
		w, t := cString(c.tls, where), cString(c.tls, table)
		defer free(c.tls, w)
		defer free(c.tls, t)
		return lib.Xsqlite3_table_column_metadata(c.tls, c.db, w, t, 0, 0, 0, 0, 0, 0) == lib.SQLITE_OK
	}
	return ask(where, table) || where != "main" && ask("main", where+"."+table)
}

// isShadow reports whether the table of that name belongs to a virtual table
// among the effects. Its name then begins with that one's, so there is seldom
// anything to ask.
//
// https://www.sqlite.org/vtab.html#the_xshadowname_method
func (c *Conn) isShadow(e *effects, name string) bool {
	if !slices.ContainsFunc(e.tables, func(t string) bool { return strings.HasPrefix(name, t+"_") }) {
		return false
	}
	where, table := splitName(name)
	authorizer, compiling := c.authorizer, c.compiling
	c.authorizer, c.compiling = nil, nil
	defer func() { c.authorizer, c.compiling = authorizer, compiling }()
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	n, err := queryOne(context.Background(), c, "SELECT count(*) FROM pragma_table_list("+quote(table)+") WHERE type='shadow' AND schema="+quote(where), (*Stmt).ColumnInt64)
	return err == nil && n > 0
}

// ran notes that a statement with these effects was run to its end or failed;
// changed reports that rows may have changed.
func (c *Conn) ran(e *effects, changed bool) {
	t := &c.open
	if e.control {
		return
	}
	t.wrote = true
	if e.noted == t.part || !changed && !e.schema {
		return
	}
	e.noted = t.part
	t.schema = t.schema || e.schema
	for _, name := range e.tables {
		if !slices.Contains(t.tables, name) {
			t.tables = append(t.tables, name)
		}
	}
}

// ranTo is ran for a statement that ended with err, when the connection had made
// total changes before, and looks whether that ended a transaction. A statement
// that failed may have kept what it did until then.
func (c *Conn) ranTo(e *effects, err error, total int64) {
	if t := &c.open; e.noted == t.part && t.wrote && !t.committing && !t.rolledBack && db(c).FautoCommit == 0 {
		return // the same statement again, in the same transaction
	}
	switch {
	case e.savepoint != "" && err == nil:
		c.ranSavepoint(e)
	default:
		c.ran(e, err != nil || db(c).FnTotalChange != total)
	}
	c.settle()
}

// ranSavepoint follows SAVEPOINT, RELEASE and ROLLBACK TO, which worked.
func (c *Conn) ranSavepoint(e *effects) {
	t := &c.open
	if e.savepoint == "BEGIN" {
		t.savings = append(t.savings, savepoint{e.name, len(t.tables), t.schema})
		return
	}
	at := len(t.savings) - 1
	for at >= 0 && !strings.EqualFold(t.savings[at].name, e.name) {
		at--
	}
	switch {
	case at < 0: // it was there before anybody listened
	case e.savepoint == "RELEASE":
		t.savings = t.savings[:at]
	default:
		s := t.savings[at]
		if len(t.tables) > s.count || t.schema != s.schema {
			t.tables, t.schema = t.tables[:s.count], s.schema
			t.part++
		}
		t.savings = t.savings[:at+1]
	}
}

// settle looks whether the call into the engine that just returned ended a
// transaction, and tells.
func (c *Conn) settle() {
	t := &c.open
	switch {
	case t.rolledBack && t.committing && c.broken != nil:
		c.end(CommitUnknown)
	case t.rolledBack:
		c.end(RolledBack)
	case t.committing && db(c).FautoCommit != 0:
		c.end(Committed)
	case db(c).FautoCommit != 0 && db(c).FnVdbeWrite == 0:
		t.clear() // no transaction is open, and none was that could write
	default:
		t.committing = false // it failed and left the transaction open
	}
}

// settleLost is settle for a connection that is lost or closed.
func (c *Conn) settleLost() {
	if c.open.committing {
		c.end(CommitUnknown)
	} else {
		c.end(RolledBack)
	}
}

// clear makes t that of the next transaction.
func (t *openTransaction) clear() {
	*t = openTransaction{tables: t.tables[:0], part: t.part + 1, savings: t.savings[:0]}
}

func (c *Conn) end(o Outcome) {
	t := &c.open
	told := Ending{Outcome: o, Tables: t.tables, Schema: t.schema}
	wrote := t.wrote
	t.clear()
	if wrote && c.onEnding != nil {
		c.onEnding(told)
	}
}
