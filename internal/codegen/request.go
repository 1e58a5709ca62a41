package codegen

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of sqlc's plugin protocol, as far as Lido reads them. They are
// decoded here and not through sqlc's plugin SDK, because the SDK and sqlc
// itself register the same protobuf file: a program that links both, as
// "lido generate" does, panics before main.
//
// https://github.com/sqlc-dev/sqlc/blob/v1.31.1/protos/plugin/codegen.proto

// Request is what sqlc asks of a plugin.
type Request struct {
	Settings      Settings
	Catalog       Catalog
	Queries       []*Query
	SqlcVersion   string
	PluginOptions []byte // JSON
	GlobalOptions []byte // JSON
}

// Settings are those of one entry under "sql" in sqlc.yaml.
type Settings struct {
	Engine          string
	Schema, Queries []string
	Out             string
}

// Catalog is the schema as sqlc understood it.
type Catalog struct {
	DefaultSchema string
	Schemas       []*Schema
}

// Schema is one attached database.
type Schema struct {
	Name   string
	Tables []*Table
}

// Table is a table or view.
type Table struct {
	Rel     Identifier
	Columns []*Column
	Comment string
}

// Identifier is a qualified name.
type Identifier struct {
	Catalog, Schema, Name string
}

// Column is a column of a table or a result, or describes a parameter.
type Column struct {
	Name, OriginalName, Comment string
	NotNull, Unsigned           bool
	IsArray                     bool
	ArrayDims                   int
	IsNamedParam, IsSqlcSlice   bool
	Table, EmbedTable           *Identifier
	Type                        Identifier
}

// Query is one annotated statement as sqlc analysed it.
type Query struct {
	Name, Cmd, Filename string
	Text                string // the statement as sqlc rewrote it
	Columns             []*Column
	Params              []*Parameter
}

// Parameter is one parameter of a query.
type Parameter struct {
	Number int
	Column Column
}

// Response are the files to write.
type Response struct {
	Files []*File
}

// File is one of them; its name is relative to the output folder.
type File struct {
	Name     string
	Contents []byte
}

// eachField calls fn for every field of a message: n holds a number, data the
// bytes of anything longer.
func eachField(msg []byte, fn func(field protowire.Number, n uint64, data []byte) error) error {
	for len(msg) > 0 {
		field, typ, size := protowire.ConsumeTag(msg)
		if size < 0 {
			return protowire.ParseError(size)
		}
		msg = msg[size:]
		var n uint64
		var data []byte
		switch typ {
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(msg)
		case protowire.BytesType:
			data, size = protowire.ConsumeBytes(msg)
		default:
			size = protowire.ConsumeFieldValue(field, typ, msg)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		msg = msg[size:]
		if err := fn(field, n, data); err != nil {
			return err
		}
	}
	return nil
}

// message is a type that decodes itself.
type message[T any] interface {
	*T
	decode([]byte) error
}

// add decodes one element of a repeated field.
func add[T any, P message[T]](list *[]*T, data []byte) error {
	v := new(T)
	*list = append(*list, v)
	return P(v).decode(data)
}

// ParseRequest decodes a request. It takes any version of the protocol that
// has the same numbers and passes over what it does not know.
func ParseRequest(msg []byte) (*Request, error) {
	r := &Request{}
	err := eachField(msg, func(field protowire.Number, _ uint64, data []byte) error {
		switch field {
		case 1:
			return r.Settings.decode(data)
		case 2:
			return r.Catalog.decode(data)
		case 3:
			return add(&r.Queries, data)
		case 4:
			r.SqlcVersion = string(data)
		case 5:
			r.PluginOptions = data
		case 6:
			r.GlobalOptions = data
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the request is not one of sqlc's (set no \"format\" for the plugin): %w", err)
	}
	if r.Settings.Engine == "" {
		return nil, errors.New("the request is not one of sqlc's: it names no engine")
	}
	return r, nil
}

func (s *Settings) decode(msg []byte) error {
	return eachField(msg, func(field protowire.Number, _ uint64, data []byte) error {
		switch field {
		case 2:
			s.Engine = string(data)
		case 3:
			s.Schema = append(s.Schema, string(data))
		case 4:
			s.Queries = append(s.Queries, string(data))
		case 12:
			return eachField(data, func(field protowire.Number, _ uint64, data []byte) error {
				if field == 1 {
					s.Out = string(data)
				}
				return nil
			})
		}
		return nil
	})
}

func (c *Catalog) decode(msg []byte) error {
	return eachField(msg, func(field protowire.Number, _ uint64, data []byte) error {
		switch field {
		case 2:
			c.DefaultSchema = string(data)
		case 4:
			return add(&c.Schemas, data)
		}
		return nil
	})
}

func (s *Schema) decode(msg []byte) error {
	return eachField(msg, func(field protowire.Number, _ uint64, data []byte) error {
		switch field {
		case 2:
			s.Name = string(data)
		case 3:
			return add(&s.Tables, data)
		}
		return nil
	})
}

func (t *Table) decode(msg []byte) error {
	return eachField(msg, func(field protowire.Number, _ uint64, data []byte) error {
		switch field {
		case 1:
			return t.Rel.decode(data)
		case 2:
			return add(&t.Columns, data)
		case 3:
			t.Comment = string(data)
		}
		return nil
	})
}

func (i *Identifier) decode(msg []byte) error {
	return eachField(msg, func(field protowire.Number, _ uint64, data []byte) error {
		switch field {
		case 1:
			i.Catalog = string(data)
		case 2:
			i.Schema = string(data)
		case 3:
			i.Name = string(data)
		}
		return nil
	})
}

func (c *Column) decode(msg []byte) error {
	return eachField(msg, func(field protowire.Number, n uint64, data []byte) error {
		switch field {
		case 1:
			c.Name = string(data)
		case 3:
			c.NotNull = n != 0
		case 4:
			c.IsArray = n != 0
		case 5:
			c.Comment = string(data)
		case 7:
			c.IsNamedParam = n != 0
		case 10:
			c.Table = &Identifier{}
			return c.Table.decode(data)
		case 12:
			return c.Type.decode(data)
		case 13:
			c.IsSqlcSlice = n != 0
		case 14:
			c.EmbedTable = &Identifier{}
			return c.EmbedTable.decode(data)
		case 15:
			c.OriginalName = string(data)
		case 16:
			c.Unsigned = n != 0
		case 17:
			c.ArrayDims = int(min(n, 16))
		}
		return nil
	})
}

func (q *Query) decode(msg []byte) error {
	return eachField(msg, func(field protowire.Number, _ uint64, data []byte) error {
		switch field {
		case 1:
			q.Text = string(data)
		case 2:
			q.Name = string(data)
		case 3:
			q.Cmd = string(data)
		case 4:
			return add(&q.Columns, data)
		case 5:
			return add(&q.Params, data)
		case 7:
			q.Filename = string(data)
		}
		return nil
	})
}

func (p *Parameter) decode(msg []byte) error {
	return eachField(msg, func(field protowire.Number, n uint64, data []byte) error {
		switch field {
		case 1:
			p.Number = int(int32(n))
		case 2:
			return p.Column.decode(data)
		}
		return nil
	})
}

// Marshal encodes the response.
func (r *Response) Marshal() []byte {
	var out []byte
	for _, f := range r.Files {
		var file []byte
		file = protowire.AppendTag(file, 1, protowire.BytesType)
		file = protowire.AppendString(file, f.Name)
		file = protowire.AppendTag(file, 2, protowire.BytesType)
		file = protowire.AppendBytes(file, f.Contents)
		out = protowire.AppendTag(out, 1, protowire.BytesType)
		out = protowire.AppendBytes(out, file)
	}
	return out
}
