package codegen

import (
	"fmt"
	"strings"
)

// remedies are what helps where the engine refuses what sqlc takes, by a part
// of its message.
var remedies = []struct {
	message, remedy string
	schema          bool // only in a schema file
}{
	{"should this be a string literal in single-quotes?", `; or set the option double_quoted_strings and open the pool with DoubleQuotedStrings`, false},
	{"no such function: ", "; if the program adds it, name it in the option functions", false},
	{"no such collation sequence: ", "; if the program adds it, name it in the option collations", false},
	{"no such module: ", onlyForSqlc, true},
	{"object name reserved for internal use", onlyForSqlc, true},
	{"already exists", onlyForSqlc, true},
	{"may not be altered", onlyForSqlc, true},
}

const onlyForSqlc = `; if the statement is there only for sqlc, mark it with a comment line "-- ` + sqlcOnly + `"`

func remedy(message string, schema bool) string {
	for _, r := range remedies {
		if (schema || !r.schema) && strings.Contains(message, r.message) {
			return r.remedy
		}
	}
	return ""
}

// transactionFlag approves a query that answers for its connection: the
// program calls it inside a transaction only.
const transactionFlag = "@transaction"

// ownsItsConnection reports whether a query may be written. Outside a
// transaction a connection serves other callers between two calls, and
// last_insert_rowid() is what one of them has inserted.
func (g *generator) ownsItsConnection(q *query) bool {
	name := q.facts.connection
	if name == "" || q.src.hasFlag(transactionFlag) {
		return true
	}
	instead := ":execrows"
	if name == "last_insert_rowid" {
		instead = "RETURNING or :execlastid"
	}
	p := q.src.problem(q.src.body[0].start, "%s", fmt.Sprintf("%s() answers for the connection, which outside a transaction other callers use as well; "+
		"take %s, or call it inside Write only and approve that with a comment line \"-- %s\"", name, instead, transactionFlag))
	if g.opts.StrictTypes {
		g.problems = append(g.problems, p)
		return false
	}
	g.notes = append(g.notes, p)
	return true
}
