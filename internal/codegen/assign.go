package codegen

import "strings"

// assignment is a value that a statement gives to a column.
type assignment struct {
	table, column string  // in lower case
	value         []token // of a SELECT or of VALUES the value in its place
}

// writing is what the statements of a text store.
type writing struct {
	assignments []assignment
	inserts     []insertion
}

// insertion is an INSERT, with the columns that it gives.
type insertion struct {
	table   string // in lower case
	columns []string
}

// assigner goes through a query or the body of a trigger. It finds what stands
// in INSERT ... VALUES, INSERT ... SELECT and SET.
type assigner struct {
	src     string
	body    []token                     // without blanks
	columns func(table string) []string // of a table, in their order
	found   writing
}

func (e *engine) writesOf(src string, body []token) writing {
	a := assigner{src: src, body: significant(body), columns: func(table string) []string { return e.order[table] }}
	table := "" // of the INSERT around an ON CONFLICT
	for i := 0; i < len(a.body); i++ {
		switch {
		case a.is(i, "INTO"):
			table = a.insert(i + 1)
		case a.is(i, "UPDATE") && a.is(i-1, "DO") && a.is(i+1, "SET"):
			a.set(table, i+2)
		case a.is(i, "UPDATE"):
			if name, next := a.updated(i + 1); a.is(next, "SET") {
				a.set(name, next+1)
			}
		}
	}
	return a.found
}

func (a *assigner) is(i int, word string) bool {
	return i >= 0 && i < len(a.body) && a.body[i].isWord(a.src, word)
}

func (a *assigner) punct(i int, p string) bool {
	return i >= 0 && i < len(a.body) && a.body[i].isPunct(a.src, p)
}

// name reads a table's name at i, with its schema or without.
func (a *assigner) name(i int) (name string, next int) {
	if a.punct(i+1, ".") {
		i += 2
	}
	if i < len(a.body) {
		name, _ = a.body[i].name(a.src)
	}
	return strings.ToLower(name), i + 1
}

// updated reads the table of an UPDATE up to SET.
func (a *assigner) updated(i int) (name string, next int) {
	if a.is(i, "OR") {
		i += 2
	}
	name, i = a.name(i)
	for n := 0; n < 3 && i < len(a.body) && !a.is(i, "SET"); n++ { // an alias, INDEXED BY
		i++
	}
	return name, i
}

// set reads "column = value, ..." from i on.
func (a *assigner) set(table string, i int) {
	for _, item := range a.list(i, "WHERE", "FROM", "RETURNING", "ORDER", "LIMIT", "ON") {
		if len(item) > 2 && item[1].isPunct(a.src, "=") {
			column, _ := item[0].name(a.src)
			a.found.assignments = append(a.found.assignments, assignment{table, strings.ToLower(column), item[2:]})
		}
	}
}

// insert reads "table (columns) VALUES (...), (...)" or SELECT.
func (a *assigner) insert(i int) (table string) {
	table, i = a.name(i)
	if a.is(i, "AS") {
		i += 2
	}
	columns := a.columns(table)
	if a.punct(i, "(") {
		columns = nil
		for _, item := range a.list(i + 1) {
			name, _ := item[0].name(a.src)
			columns = append(columns, strings.ToLower(name))
		}
		i = a.closing(i) + 1
	}
	var rows [][][]token
	switch {
	case a.is(i, "VALUES"):
		for i++; a.punct(i, "("); i++ {
			rows = append(rows, a.list(i+1))
			if i = a.closing(i) + 1; !a.punct(i, ",") {
				break
			}
		}
	case a.is(i, "SELECT"):
		rows = append(rows, a.list(i+1, "FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "UNION", "ON", "RETURNING"))
	case a.is(i, "DEFAULT"):
		columns = nil
	}
	a.found.inserts = append(a.found.inserts, insertion{table, columns})
	for _, row := range rows {
		for n, value := range row {
			if n < len(columns) {
				a.found.assignments = append(a.found.assignments, assignment{table, columns[n], value})
			}
		}
	}
	return table
}

// list splits what follows from i on at its commas, up to a closing
// parenthesis, a semicolon or one of the words.
func (a *assigner) list(i int, ends ...string) (items [][]token) {
	depth, start := 0, i
	cut := func(i int) {
		if i > start {
			items = append(items, a.body[start:i])
		}
		start = i + 1
	}
	for ; i < len(a.body); i++ {
		end := a.punct(i, ";") || depth == 0 && a.punct(i, ")")
		for _, word := range ends {
			end = end || depth == 0 && a.is(i, word)
		}
		switch {
		case end:
			cut(i)
			return items
		case a.punct(i, "("):
			depth++
		case a.punct(i, ")"):
			depth--
		case depth == 0 && a.punct(i, ","):
			cut(i)
		}
	}
	cut(i)
	return items
}

// closing is the parenthesis that closes the one at i.
func (a *assigner) closing(i int) int {
	for depth := 0; i < len(a.body); i++ {
		if a.punct(i, "(") {
			depth++
		} else if a.punct(i, ")") {
			if depth--; depth == 0 {
				break
			}
		}
	}
	return i
}
