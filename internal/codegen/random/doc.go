// Package random makes up schemas and queries, in the dialect that sqlc reads
// and as plain SQL, for the test that compares generated code with database/sql
// on the stock driver.
//
// Compiling is what costs time, so a run generates a few packages with many
// queries, compiles them once, and then package prove draws rows and arguments
// for them by the thousand.
package random

// Project is one schema and its queries.
type Project struct {
	Tables  []Table
	Queries []Query
}

// Table is a table; those that others refer to come first.
type Table struct {
	Name    string
	SQL     string
	Columns []Column
}

// Column is a column of a table.
type Column struct {
	Name  string
	Class Class
	// NotNull is also true for the columns of a primary key.
	NotNull bool
}

// Class is what a column is meant to hold.
type Class string

// The classes.
const (
	Integer Class = "integer"
	Real    Class = "real"
	Text    Class = "text"
	Blob    Class = "blob"
	Bool    Class = "bool"
	Time    Class = "time"
	JSON    Class = "json"
	Untyped Class = "untyped"
)

// Query is one query in both forms.
type Query struct {
	Name, Cmd string
	// Source is for sqlc; Stock has numbered parameters, and SliceMark with the
	// number where the elements of a slice are to stand.
	Source, Stock string
	Params        int
	// Order are the numbers of the parameters in the order in which the method
	// takes their values; sqlc numbers them differently here and there.
	Order []int
	// Slices are the numbers of the parameters that are slices.
	Slices []int
	Writes bool
	Insert bool // a plain one, to fill tables with
	// Asserts is true where a result is given a type that is taken as it is
	// said, NULL or not: that of CAST and of functions, over what no schema
	// declares.
	Asserts bool
}

// SliceMark stands before and after the number of a slice in Query.Stock.
const SliceMark = "\x00"

// SourceText is the query file.
func (p *Project) SourceText() string {
	text := ""
	for _, q := range p.Queries {
		text += q.Source + "\n"
	}
	return text
}

// SchemaText is the schema file.
func (p *Project) SchemaText() string {
	text := ""
	for _, t := range p.Tables {
		text += t.SQL + ";\n"
	}
	return text
}
