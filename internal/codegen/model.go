package codegen

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// structDef is a struct of the generated code.
type structDef struct {
	name    string
	table   *Identifier // of a model
	comment string
	fields  []field
}

// field is a field of a structDef.
type field struct {
	name, typ string
	dbName    string
	tags      map[string]string
	comment   string
	column    *Column
	model     *structDef // of a field made by sqlc.embed
	param     int        // number of the parameter that fills it, from 1
	optional  bool       // an embed whose row may be absent
	nullable  bool       // one that is nil then
}

func (g *generator) defaultSchema() string { return g.req.Catalog.DefaultSchema }

// buildModels makes a struct of every table.
func (g *generator) buildModels() {
	for _, schema := range g.req.Catalog.Schemas {
		for _, table := range schema.Tables {
			inSchema := ""
			if schema.Name != g.defaultSchema() {
				inSchema = schema.Name
			}
			m := &structDef{
				name:    g.opts.modelName(inSchema, table.Rel.Name),
				table:   &Identifier{Schema: schema.Name, Name: table.Rel.Name},
				comment: table.Comment,
			}
			for _, col := range table.Columns {
				m.fields = append(m.fields, field{
					name:    g.opts.goName(col.Name),
					dbName:  col.Name,
					typ:     g.goType(col),
					tags:    g.tags(col, col.Name),
					comment: col.Comment,
					column:  col,
				})
			}
			numberFields(m.fields)
			g.models = append(g.models, m)
		}
	}
	slices.SortStableFunc(g.models, func(a, b *structDef) int { return cmp.Compare(a.name, b.name) })
}

// numberFields tells columns apart that would share a name in Go, as "a b" and
// a_b do. sqlc's own code does not compile then.
func numberFields(fields []field) {
	seen := map[string]int{}
	for i := range fields {
		name := fields[i].name
		if seen[name]++; seen[name] > 1 {
			fields[i].name = fmt.Sprintf("%s_%d", name, seen[name])
		}
	}
}

// tags returns the struct tags of a column that goes by name.
func (g *generator) tags(col *Column, name string) map[string]string {
	tags := map[string]string{}
	if g.opts.EmitDBTags {
		tags["db"] = name
	}
	if g.opts.EmitJSONTags {
		tags["json"] = g.opts.jsonTag(name)
	}
	for i := range g.opts.Overrides {
		if o := &g.opts.Overrides[i]; o.matchesType(col) || o.matchesColumn(col, g.defaultSchema()) {
			maps.Copy(tags, o.tags)
		}
	}
	return tags
}

// modelOf finds the model of a table.
func (g *generator) modelOf(table *Identifier) *structDef {
	for _, m := range g.models {
		if g.sameTable(table, m.table) {
			return m
		}
	}
	return nil
}

func (g *generator) sameTable(a, b *Identifier) bool {
	if a == nil || b == nil {
		return false
	}
	schema := a.Schema
	if schema == "" {
		schema = g.defaultSchema()
	}
	return a.Catalog == b.Catalog && schema == b.Schema && a.Name == b.Name
}

// member is a column on its way into a struct.
type member struct {
	id    int // columns of one parameter share it
	col   *Column
	embed *structDef
	typ   string
}

// buildStruct makes the struct of a query's parameters or results. Names that
// occur again get a number; with useID, members of the same id share one.
func (g *generator) buildStruct(name string, members []member, useID bool) (*structDef, error) {
	s := &structDef{name: name}
	seen := map[string][]int{}
	suffixes := map[int]int{}
	for i, m := range members {
		colName := columnName(m.col.Name, i)
		tagName := colName
		if m.embed != nil {
			colName = m.embed.name
			tagName = snakeCase(colName)
		}
		fieldName := g.opts.goName(colName)
		base := fieldName
		suffix := 0
		if known, ok := suffixes[m.id]; ok && useID {
			suffix = known
		} else if n := len(seen[fieldName]); n > 0 && !m.col.IsNamedParam {
			suffix = n + 1
		}
		suffixes[m.id] = suffix
		if suffix > 0 {
			tagName = fmt.Sprintf("%s_%d", tagName, suffix)
			fieldName = fmt.Sprintf("%s_%d", fieldName, suffix)
		}
		s.fields = append(s.fields, field{
			name: fieldName, dbName: colName, typ: m.typ, tags: g.tags(m.col, tagName),
			column: m.col, model: m.embed, param: m.id,
		})
		seen[base] = append(seen[base], i)
	}
	for i := range s.fields { // a type that one use of a name has serves the others
		f := &s.fields[i]
		if same := seen[f.name]; len(same) > 1 && f.typ == anyType {
			for _, j := range same {
				if s.fields[j].typ != anyType {
					f.typ = s.fields[j].typ
				}
			}
		}
	}
	if err := s.oneNameOneParameter(useID); err != nil {
		return nil, err
	}
	types := map[string]string{}
	for _, f := range s.fields {
		if typ, ok := types[f.name]; ok && typ != f.typ {
			return nil, fmt.Errorf("parameter %s has incompatible types: %s and %s", f.name, f.typ, typ)
		}
		types[f.name] = f.typ
	}
	return s, nil
}

// oneNameOneParameter refuses parameters that sqlc would give one field, and so
// one value, though the query has them apart: @user_id and @userID, or @name
// and the question mark in "name = ?".
func (s *structDef) oneNameOneParameter(results bool) error {
	first := map[string]*field{}
	for i := range s.fields {
		f := &s.fields[i]
		other := first[f.name]
		if other == nil || results {
			first[f.name] = f
			continue
		}
		if f.param != other.param && (f.dbName != other.dbName || !f.column.IsNamedParam || !other.column.IsNamedParam) {
			return fmt.Errorf("parameters %d (%s) and %d (%s) would both be %s in Go and have one value; give each a name of its own, as in @name",
				other.param, other.dbName, f.param, f.dbName, f.name)
		}
	}
	return nil
}

// unique returns the fields without repetitions of a name.
func (s *structDef) unique() []field {
	var fields []field
	for _, f := range s.fields {
		if !slices.ContainsFunc(fields, func(g field) bool { return g.name == f.name }) {
			fields = append(fields, f)
		}
	}
	return fields
}

// dropUnusedModels keeps the models that some query mentions.
func (g *generator) dropUnusedModels() {
	used := map[string]bool{}
	for _, q := range g.queries {
		for _, v := range []*value{&q.arg, &q.ret} {
			if v.empty() {
				continue
			}
			used[bareType(v.typeName())] = true
			if v.def != nil {
				for _, f := range v.def.fields {
					used[strings.TrimPrefix(bareType(f.typ), "*")] = true
				}
			}
		}
	}
	g.models = slices.DeleteFunc(g.models, func(m *structDef) bool { return !used[m.name] })
}
