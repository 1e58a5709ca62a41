package sqlite

import lib "modernc.org/sqlite/lib"

// Columns are the names of the columns of a statement's rows, each from its AS
// clause if it has one, and the types that the schema declares for the table
// columns behind them, empty for an expression. Nobody may change them.
//
// https://www.sqlite.org/c3ref/column_decltype.html
type Columns struct {
	Names, DeclTypes []string
}

// Columns returns what ColumnName and ColumnDeclType answer, for all columns.
// It is kept until the engine compiles the statement anew, as it does in a Step
// after the schema has changed; what was returned before stays as it is.
func (s *Stmt) Columns() *Columns {
	if !s.usable() {
		return new(Columns)
	}
	compiled := (*lib.TVdbe)(pointer(s.stmt)).FaCounter[lib.SQLITE_STMTSTATUS_REPREPARE]
	if s.columns != nil && s.columnsOf == compiled {
		return s.columns
	}
	n := s.ColumnCount()
	c := &Columns{Names: make([]string, n), DeclTypes: make([]string, n)}
	for i := range n {
		c.Names[i] = s.ColumnName(i)
		c.DeclTypes[i] = s.ColumnDeclType(i)
	}
	s.columns, s.columnsOf = c, compiled
	return c
}
