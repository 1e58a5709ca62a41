package sqlite

import (
	"strings"

	lib "modernc.org/sqlite/lib"
)

// Columns are the names of the columns of a statement's rows, each from its AS
// clause if it has one, and the types that the schema declares for the table
// columns behind them, empty for an expression. Nobody may change them.
//
// https://www.sqlite.org/c3ref/column_decltype.html
type Columns struct {
	Names, DeclTypes []string
	Kinds            []DeclKind // by their declared types
}

// DeclKind is what a declared type says of values that the engine has no type
// for.
type DeclKind uint8

const (
	DeclOther DeclKind = iota
	DeclTime           // DATE, DATETIME or TIMESTAMP
	DeclBool           // BOOLEAN
)

// declKind looks at the declared type alone, without what is in parentheses.
func declKind(declType string) DeclKind {
	name, _, _ := strings.Cut(declType, "(")
	switch name = strings.TrimSpace(name); {
	case strings.EqualFold(name, "DATE"), strings.EqualFold(name, "DATETIME"), strings.EqualFold(name, "TIMESTAMP"):
		return DeclTime
	case strings.EqualFold(name, "BOOLEAN"):
		return DeclBool
	}
	return DeclOther
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
	// Texts that differ in their values alone have the same columns.
	c := s.conn.columns
	if c == nil || !c.areOf(s) {
		n := s.ColumnCount()
		c = &Columns{Names: make([]string, n), DeclTypes: make([]string, n), Kinds: make([]DeclKind, n)}
		for i := range n {
			c.Names[i] = s.ColumnName(i)
			c.DeclTypes[i] = s.ColumnDeclType(i)
			c.Kinds[i] = declKind(c.DeclTypes[i])
		}
		s.conn.columns = c
	}
	s.columns, s.columnsOf = c, compiled
	return c
}

// areOf reports whether they are what the engine answers for s.
func (c *Columns) areOf(s *Stmt) bool {
	tls := s.conn.tls
	if len(c.Names) != s.ColumnCount() {
		return false
	}
	for i, name := range c.Names {
		if !isText(lib.Xsqlite3_column_name(tls, s.stmt, int32(i)), name) ||
			!isText(lib.Xsqlite3_column_decltype(tls, s.stmt, int32(i)), c.DeclTypes[i]) {
			return false
		}
	}
	return true
}
