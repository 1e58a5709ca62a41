package codegen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// query is one method to be written.
type query struct {
	*Query
	src   *sourceQuery
	stmt  *statement
	facts facts
	proof
	arg  value
	ret  value
	bulk bulkInsert // of :copyfrom
}

// value is what a method takes or returns: nothing, one scalar, or a struct.
type value struct {
	emit    bool // the struct is written beside the method
	pointer bool // handed over by pointer
	name    string
	typ     string
	def     *structDef
	param   int // number of the parameter of a scalar
}

func (v *value) empty() bool { return v.typ == "" && v.def == nil }

func (v *value) typeName() string {
	if v.def != nil {
		return v.def.name
	}
	return v.typ
}

// goType is the type as a signature spells it.
func (v *value) goType() string {
	if v.pointer && v.def != nil {
		return "*" + v.typeName()
	}
	return v.typeName()
}

// variable is one parameter of a method.
type variable struct {
	name, typ string
	param     int
}

// variables are the parameters of a method, as sqlc lists them.
func (v *value) variables() []variable {
	switch {
	case v.empty():
		return nil
	case v.def != nil && !v.emit:
		var list []variable
		for _, f := range v.def.unique() {
			list = append(list, variable{strings.ToLower(f.name[:1]) + f.name[1:], f.typ, f.param})
		}
		return list
	}
	return []variable{{v.name, v.goType(), v.param}}
}

// returnsRows reports whether the method hands rows to its caller.
func (q *query) returnsRows() bool {
	return slices.Contains([]string{":one", ":many", ":batchone", ":batchmany"}, q.Cmd)
}

// receiver is the type that the method hangs on.
func (q *query) receiver() string {
	if q.facts.readOnly {
		return "ReadQueries"
	}
	return "Queries"
}

func (q *query) isBatch() bool { return strings.HasPrefix(q.Cmd, ":batch") }

// takesList reports whether the method takes a list of arguments.
func (q *query) takesList() bool { return q.Cmd == ":copyfrom" || q.isBatch() }

// commands are those of sqlc for SQLite, and those that sqlc has for pgx only.
var commands = []string{
	":one", ":many", ":exec", ":execrows", ":execlastid", ":execresult",
	":copyfrom", ":batchexec", ":batchmany", ":batchone",
}

// buildValues decides what the methods take and return.
func (g *generator) buildValues() []problem {
	var problems []problem
	for _, q := range g.queries {
		if err := g.buildArg(q); err != nil {
			problems = append(problems, q.src.problem(q.src.at, "%v", err))
			continue
		}
		if err := g.buildRet(q); err != nil {
			problems = append(problems, q.src.problem(q.src.at, "%v", err))
		}
		g.noteStrict(q)
	}
	slices.SortFunc(g.queries, func(a, b *query) int { return cmp.Compare(a.Name, b.Name) })
	return problems
}

func (g *generator) buildArg(q *query) error {
	params := q.stmt.params
	if g.opts.StrictTypes {
		for i := range params {
			g.nameParam(q, &params[i])
		}
	}
	limit := *g.opts.QueryParameterLimit
	if len(params) == 1 && limit != 0 {
		name := fmt.Sprintf("dollar_%d", params[0].Number)
		if n := params[0].Column.Name; n != "" {
			name = argName(n)
		}
		q.arg = value{name: name, typ: g.paramType(q, &params[0]), param: 1}
		return nil
	}
	if len(params) == 0 {
		return nil
	}
	var members []member
	for i := range params {
		members = append(members, member{id: i + 1, col: &params[i].Column, typ: g.paramType(q, &params[i])})
	}
	def, err := g.buildStruct(q.Name+"Params", members, false)
	if err != nil {
		return err
	}
	q.arg = value{name: "arg", def: def, emit: len(params) > limit || q.takesList(), pointer: g.opts.EmitParamsStructPointers}
	return nil
}

func (g *generator) buildRet(q *query) error {
	if !q.returnsRows() {
		return nil
	}
	if g.opts.StrictTypes {
		g.nameResults(q)
	}
	if len(q.Columns) == 1 && q.Columns[0].EmbedTable == nil {
		q.ret = value{name: "i", typ: g.resultType(q, 0, 0)}
		return nil
	}
	var members []member
	at := 0
	for n, col := range q.Columns {
		m := member{id: n, col: col, typ: anyType}
		if col.EmbedTable != nil {
			m.embed = g.modelOf(col.EmbedTable)
		}
		if m.embed != nil {
			m.typ = m.embed.name
			at += len(m.embed.fields)
		} else {
			m.typ = g.resultType(q, n, at)
			at++
		}
		members = append(members, m)
	}
	for _, m := range g.models {
		if g.isModel(m, members) { // as sqlc sees it: strict types must not cost a row its model
			q.ret = value{name: "i", def: m, pointer: g.opts.EmitResultStructPointers}
			return nil
		}
	}
	def, err := g.buildStruct(q.Name+"Row", members, true)
	if err != nil {
		return err
	}
	embed := 0
	for i := range def.fields {
		f := &def.fields[i]
		if f.column.EmbedTable == nil {
			continue
		}
		f.optional = f.model != nil && g.optionalEmbed(q, embed)
		if f.optional && g.opts.StrictTypes {
			f.nullable, f.typ = true, "*"+f.typ
		}
		embed++
	}
	q.ret = value{name: "i", def: def, emit: true, pointer: g.opts.EmitResultStructPointers}
	return nil
}

// isModel reports whether a row is a model: the same names, types and table.
func (g *generator) isModel(model *structDef, members []member) bool {
	if len(model.fields) != len(members) {
		return false
	}
	for i, f := range model.fields {
		m := members[i]
		if m.embed != nil || g.opts.goName(f.dbName) != g.opts.goName(columnName(m.col.Name, i)) || f.typ != g.goType(m.col) ||
			!g.sameTable(m.col.Table, model.table) {
			return false
		}
	}
	return true
}

// width is how many columns of the engine's answer sqlc's columns make up.
func (g *generator) width(columns []*Column) int {
	n := 0
	for _, c := range columns {
		if m := g.modelOf(c.EmbedTable); c.EmbedTable != nil && m != nil {
			n += len(m.fields)
		} else {
			n++
		}
	}
	return n
}
