package codegen

import (
	"fmt"
	"strconv"
	"strings"
)

// method writes the Go methods of one query.
type method struct {
	*goFile
	q        *query
	receiver string // ReadQueries or Queries
	handle   string // what prepares: q.r, q.w, or tx in a transaction of the method's own
	params   string // of the signature, after ctx
	args     string // the same as a call passes them on
	item     string // type of an element where the method takes a list
	exprs    []bound
	offset   string // added to the number of a parameter: "at+" or empty
	returns  string // the type of a row
}

// bound is a value to bind: parameter number, type and Go expression.
type bound struct {
	number    int
	typ, expr string
}

func (f *goFile) method(q *query) *method {
	m := &method{goFile: f, q: q, receiver: q.receiver(), handle: "q.w"}
	if q.facts.readOnly {
		m.handle = "q.r"
	}
	if f.g.opts.EmitMethodsWithDBArgument {
		f.use(waist)
		m.handle, m.params = "db", ", db lido.Writer"
		if q.facts.readOnly {
			m.params = ", db lido.Reader"
		}
	}
	local := f.g.localNames()
	for _, v := range q.arg.variables() {
		name := local.choose(v.name)
		m.args += ", " + name
		if q.takesList() {
			m.item = f.typ(v.typ)
			m.params += ", " + name + " []" + m.item
			name = "arg" // one of them
		} else {
			m.params += ", " + name + " " + f.typ(v.typ)
		}
		if q.arg.def == nil || !q.arg.emit {
			m.exprs = append(m.exprs, bound{v.param, v.typ, name})
			continue
		}
		done := map[int]bool{}
		for _, fd := range q.arg.def.fields {
			if !done[fd.param] {
				done[fd.param] = true
				m.exprs = append(m.exprs, bound{fd.param, fd.typ, name + "." + fd.name})
			}
		}
	}
	if q.returnsRows() {
		m.returns = f.typ(q.ret.goType())
	}
	return m
}

func (m *method) doc() {
	for _, line := range m.q.src.doc {
		m.docLine(line)
	}
	if m.q.unchecked {
		if len(m.q.src.doc) > 0 {
			m.docLine("")
		}
		m.docLine("Unchecked: no engine had seen the statement when this was written.")
	}
	if m.g.opts.EmitSQLAsComment {
		if len(m.q.src.doc) == 0 {
			m.docLine(m.q.Name)
		}
		m.docLine("")
		for line := range strings.SplitSeq(m.q.stmt.sql(), "\n") {
			m.docLine("\t" + line)
		}
	}
}

// result is the result list of the signature.
func (q *query) results(row string) string {
	switch q.Cmd {
	case ":one":
		return "(" + row + ", error)"
	case ":many":
		return "([]" + row + ", error)"
	case ":exec":
		return "error"
	case ":execresult":
		return "(sql.Result, error)"
	case ":batchexec", ":batchmany", ":batchone":
		return "*" + q.batchType()
	}
	return "(int64, error)"
}

func (m *method) head() {
	if m.q.Cmd == ":execresult" {
		m.use("database/sql")
	}
	m.doc()
	m.printf("func (q *%s) %s(ctx context.Context%s) %s {\n", m.receiver, m.q.Name, m.params, m.q.results(m.returns))
}

// failed is the error of a method as it is returned.
func (m *method) failed() string {
	if !m.g.opts.WrapErrors {
		return "err"
	}
	m.use("fmt")
	return fmt.Sprintf("fmt.Errorf(%q, err)", "query "+m.q.Name+": %w")
}

// open prepares and binds; onError is the statement to leave with.
func (m *method) open(onError string) {
	prepare := m.handle + ".PrepareWrite"
	if m.q.facts.readOnly {
		prepare = m.handle + ".PrepareRead"
	}
	m.printf("stmt, err := %s(ctx, &%s)\nif err != nil {\n%s\n}\ndefer stmt.Close()\n", prepare, queryVar(m.q.Name), onError)
	for _, b := range m.exprs {
		m.bind(b)
	}
}

func (m *method) one() {
	m.head()
	m.oneBody()
	m.printf("}\n\n")
}

// oneBody reads one row and returns it.
func (m *method) oneBody() {
	ret := "i"
	m.printf("var i %s\n", m.typ(m.q.ret.typeName()))
	if m.q.ret.pointer && m.q.ret.def != nil {
		ret = "&i"
	}
	leave := "return " + ret + ", " + m.failed()
	m.open(leave)
	m.printf("row, err := stmt.Step()\nif err != nil {\n%s\n}\n", leave)
	if m.g.opts.WrapErrors {
		m.printf("if !row {\nreturn %s, fmt.Errorf(%q, lido.ErrNoRows)\n}\n", ret, "query "+m.q.Name+": %w")
	} else {
		m.printf("if !row {\nreturn %s, lido.ErrNoRows\n}\n", ret)
	}
	m.columns()
	if m.g.opts.WrapErrors {
		m.printf("if err := stmt.Close(); err != nil {\n%s\n}\nreturn %s, nil\n", leave, ret)
	} else {
		m.printf("return %s, stmt.Close()\n", ret)
	}
}

func (m *method) many() {
	m.head()
	m.manyBody()
	m.printf("}\n\n")
}

// manyBody reads every row and returns them.
func (m *method) manyBody() {
	leave := "return nil, " + m.failed()
	m.open(leave)
	if m.g.opts.EmitEmptySlices {
		m.printf("items := []%s{}\n", m.returns)
	} else {
		m.printf("var items []%s\n", m.returns)
	}
	m.printf("row, err := stmt.Step()\nfor row && err == nil {\n")
	m.row()
	m.printf("items = lido.Append(stmt, items, %s)\nrow, err = stmt.Step()\n}\n", m.handedOver())
	m.printf("if err != nil {\n%s\n}\n", leave)
	m.printf("if err := stmt.Close(); err != nil {\n%s\n}\nreturn lido.Trim(items), nil\n", leave)
}

// handedOver is a row as the method gives it to its caller.
func (m *method) handedOver() string {
	if m.q.ret.pointer && m.q.ret.def != nil {
		return "&i"
	}
	return "i"
}

// seq writes the iterator. It steps once more before it yields a row, because
// only that step says whether the row's values could be read.
func (m *method) seq() {
	m.use("iter")
	m.printf("// %sSeq is [%s.%s] as an iterator. The query\n"+
		"// starts with the loop; an error ends it.\n", m.q.Name, m.receiver, m.q.Name)
	m.printf("func (q *%s) %sSeq(ctx context.Context%s) iter.Seq2[%s, error] {\n", m.receiver, m.q.Name, m.params, m.returns)
	m.printf("return func(yield func(%s, error) bool) {\n", m.returns)
	m.printf("var none %s\n", m.returns)
	leave := "yield(none, " + m.failed() + ")\nreturn"
	m.open(leave)
	m.printf("row, err := stmt.Step()\nfor row && err == nil {\n")
	m.row()
	m.printf("row, err = stmt.Step()\nif err == nil && !yield(%s, nil) {\nreturn\n}\n}\n", m.handedOver())
	m.printf("if err != nil {\n%s\n}\n", strings.TrimSuffix(leave, "\nreturn"))
	m.printf("}\n}\n\n")
}

func (m *method) exec() {
	m.head()
	leave := "return " + m.failed()
	switch m.q.Cmd {
	case ":execrows", ":execlastid":
		leave = "return 0, " + m.failed()
	case ":execresult":
		leave = "return nil, " + m.failed()
	}
	m.open(leave)
	if m.q.Cmd == ":exec" && !m.g.opts.WrapErrors && len(m.q.facts.results) == 0 {
		m.printf("_, err = stmt.Step()\nreturn err\n}\n\n")
		return
	}
	m.runOut(leave)
	switch m.q.Cmd {
	case ":exec":
		m.printf("return nil\n}\n\n")
	case ":execrows":
		m.printf("return stmt.Changes(), nil\n}\n\n")
	case ":execlastid":
		m.printf("return stmt.LastInsertID(), nil\n}\n\n")
	case ":execresult":
		m.printf("return execResult{lastInsertID: stmt.LastInsertID(), changes: stmt.Changes()}, nil\n}\n\n")
	}
}

// runOut steps to the end of a statement whose rows nobody wants.
func (m *method) runOut(onError string) {
	if len(m.q.facts.results) > 0 {
		m.printf("row, err := stmt.Step()\nfor row && err == nil {\nrow, err = stmt.Step()\n}\nif err != nil {\n%s\n}\n", onError)
	} else {
		m.printf("if _, err := stmt.Step(); err != nil {\n%s\n}\n", onError)
	}
}

// plainTypes are the types with a method of Stmt or a function of the waist.
var plainTypes = map[string]struct{ bind, column string }{
	"int64":           {"stmt.BindInt64(%s, %s)", "stmt.ColumnInt64(%d)"},
	"int":             {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[int](stmt, %d)"},
	"int8":            {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[int8](stmt, %d)"},
	"int16":           {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[int16](stmt, %d)"},
	"int32":           {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[int32](stmt, %d)"},
	"rune":            {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[rune](stmt, %d)"},
	"uint":            {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[uint](stmt, %d)"},
	"uint8":           {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[uint8](stmt, %d)"},
	"byte":            {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[byte](stmt, %d)"},
	"uint16":          {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[uint16](stmt, %d)"},
	"uint32":          {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[uint32](stmt, %d)"},
	"uint64":          {"lido.BindInt(stmt, %s, %s)", "lido.ColumnInt[uint64](stmt, %d)"},
	"float32":         {"stmt.BindFloat64(%s, float64(%s))", "lido.ColumnFloat32(stmt, %d)"},
	"float64":         {"stmt.BindFloat64(%s, %s)", "stmt.ColumnFloat64(%d)"},
	"string":          {"stmt.BindText(%s, %s)", "stmt.ColumnText(%d)"},
	"[]byte":          {"stmt.BindBlob(%s, %s)", "stmt.ColumnBlob(%d, nil)"},
	"bool":            {"lido.BindBool(stmt, %s, %s)", "lido.ColumnBool(stmt, %d)"},
	"time.Time":       {"lido.BindTime(stmt, %s, %s)", "lido.ColumnTime(stmt, %d)"},
	"json.RawMessage": {"lido.BindJSON(stmt, %s, %s)", "stmt.ColumnBlob(%d, nil)"},
	anyType:           {"lido.BindAny(stmt, %s, %s)", "lido.ColumnAny(stmt, %d)"},
}

// nullTypes are database/sql's nullable types, their field and its type.
var nullTypes = map[string]struct{ field, typ string }{
	"sql.NullInt64":   {"Int64", "int64"},
	"sql.NullInt32":   {"Int32", "int32"},
	"sql.NullInt16":   {"Int16", "int16"},
	"sql.NullByte":    {"Byte", "byte"},
	"sql.NullFloat64": {"Float64", "float64"},
	"sql.NullString":  {"String", "string"},
	"sql.NullBool":    {"Bool", "bool"},
	"sql.NullTime":    {"Time", "time.Time"},
}

// bindCall is the call that sets a parameter of a plain type.
func (m *method) bindCall(p *param, typ string) (call string, ok bool) {
	plain, ok := plainTypes[typ]
	if typ == "time.Time" {
		return timeCall(plain.bind, m.g.paramFormat(m.q, p)), ok
	}
	if typ == anyType {
		return anyCall(plain.bind, m.g.anyFormat(m.q, p)), ok
	}
	return plain.bind, ok
}

// columnCall is the call that reads a column of a plain type.
func (m *method) columnCall(typ string, at int) (call string, ok bool) {
	plain, ok := plainTypes[typ]
	if typ == "time.Time" {
		return timeCall(plain.column, m.g.resultFormat(m.q, at)), ok
	}
	return plain.column, ok
}

// bind writes the call that sets a parameter.
func (m *method) bind(b bound) {
	at := m.offset + strconv.Itoa(b.number)
	p := &m.q.stmt.params[b.number-1]
	if p.slice {
		if format := m.g.paramFormat(m.q, p); format != "" && b.typ == "[]time.Time" {
			m.printf("lido.BindTimesAs(stmt, %s, %s, %s)\n", at, b.expr, format)
			return
		}
		m.printf("lido.BindSlice(stmt, %s, %s)\n", at, b.expr)
		return
	}
	if call, ok := m.bindCall(p, b.typ); ok {
		m.printf(call+"\n", at, b.expr)
		return
	}
	if null, ok := nullTypes[b.typ]; ok {
		call, _ := m.bindCall(p, null.typ)
		m.printf("if %s.Valid {\n"+call+"\n} else {\nstmt.BindNull(%s)\n}\n", b.expr, at, b.expr+"."+null.field, at)
		return
	}
	if call, ok := m.bindCall(p, strings.TrimPrefix(b.typ, "*")); ok {
		m.printf("if %s != nil {\n"+call+"\n} else {\nstmt.BindNull(%s)\n}\n", b.expr, at, "*"+b.expr, at)
		return
	}
	m.printf("lido.BindAny(stmt, %s, %s)\n", at, b.expr)
}

// row declares i and fills it from the current row.
func (m *method) row() {
	if call, ok := m.columnCall(m.q.ret.typ, 0); ok && m.q.ret.def == nil {
		m.printf("i := "+m.typed(m.q.ret.typ, call)+"\n", 0)
		return
	}
	m.printf("var i %s\n", m.typ(m.q.ret.typeName()))
	m.columns()
}

// columns fills i from the current row.
func (m *method) columns() {
	if m.q.ret.def == nil {
		m.column(m.q.ret.typ, "i", 0)
		return
	}
	at := 0
	for _, f := range m.q.ret.def.fields {
		switch {
		case f.model == nil:
			m.column(f.typ, "i."+f.name, at)
			at++
		case f.nullable:
			m.printf("if %s {\ni.%s = new(%s)\n", m.present(f.model, at), f.name, f.model.name)
			at = m.embed(f.model, "i."+f.name, at)
			m.printf("}\n")
		case f.optional && m.needsRow(f.model, at) != "":
			m.use("errors")
			m.printf("if %s {\nstmt.Fail(errors.New(%q))\n}\n", m.needsRow(f.model, at),
				"the row for "+f.name+" is absent, as an outer join allows; the option strict_types makes it a nil pointer")
			at = m.embed(f.model, "i."+f.name, at)
		default:
			at = m.embed(f.model, "i."+f.name, at)
		}
	}
}

// needsRow is the condition that an embedded row is absent and that its struct
// could not say so, or empty where every field can be NULL.
func (m *method) needsRow(model *structDef, at int) string {
	for i, f := range model.fields {
		if m.g.engine.notNull[strings.ToLower(model.table.Name)][strings.ToLower(f.dbName)] {
			if _, plain := plainTypes[f.typ]; plain && f.typ != "[]byte" && f.typ != anyType { // those are nil
				return "stmt.ColumnType(" + strconv.Itoa(at+i) + ") == lido.Null"
			}
		}
	}
	return ""
}

func (m *method) embed(model *structDef, dst string, at int) int {
	for _, f := range model.fields {
		m.column(f.typ, dst+"."+f.name, at)
		at++
	}
	return at
}

// present is the condition that an embedded row is there: a column that cannot
// be NULL is not, or any column if all may be.
func (m *method) present(model *structDef, at int) string {
	var any []string
	for i, f := range model.fields {
		cond := "stmt.ColumnType(" + strconv.Itoa(at+i) + ") != lido.Null"
		if m.g.engine.notNull[strings.ToLower(model.table.Name)][strings.ToLower(f.dbName)] {
			return cond
		}
		any = append(any, cond)
	}
	return strings.Join(any, " || ")
}

// typed is a call as a value of that type. The engine gives documents as plain
// bytes.
func (m *method) typed(typ, call string) string {
	if typ == "json.RawMessage" {
		return m.typ(typ) + "(" + call + ")"
	}
	return call
}

// column writes the statement that reads one column into dst.
func (m *method) column(typ, dst string, at int) {
	if call, ok := m.columnCall(typ, at); ok {
		m.printf("%s = "+call+"\n", dst, at)
		return
	}
	if null, ok := nullTypes[typ]; ok {
		m.use("database/sql")
		call, _ := m.columnCall(null.typ, at)
		m.printf("if stmt.ColumnType(%d) != lido.Null {\n%s = %s{%s: "+call+", Valid: true}\n}\n", at, dst, typ, null.field, at)
		return
	}
	if base := strings.TrimPrefix(typ, "*"); base != typ {
		if call, ok := m.columnCall(base, at); ok {
			m.printf("if stmt.ColumnType(%d) != lido.Null {\n%s = new("+m.typed(base, call)+")\n}\n", at, dst, at)
			return
		}
	}
	if strings.HasPrefix(typ, "*") || strings.HasPrefix(typ, "[]") { // NULL is nil
		m.printf("if stmt.ColumnType(%d) != lido.Null {\n%s = scanColumn[%s](stmt, %d)\n}\n", at, dst, m.typ(typ), at)
		return
	}
	m.printf("%s = scanColumn[%s](stmt, %d)\n", dst, m.typ(typ), at)
}
