package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// A check evaluates what the schema of a candidate says: expressions of
// indexes, of generated columns and of CHECK constraints. The engine looks at
// its progress handler between some of its instructions and never within one,
// and the candidate chooses what one costs. Two things bound it. Most
// instructions make or read a value, so from the end of the context on no value
// is allowed any length: the next of them fails. And a function whose work is
// the product of the lengths of its arguments is refused where it could take
// longer than the time that is left.

// perSecond is how far the product of two lengths is worked off in a second, at
// the least.
const perSecond = 1 << 29

// products are the functions of the engine that compare each part of their
// first argument with the second, by the numbers of arguments they take.
//
// https://www.sqlite.org/lang_corefunc.html
var products = []struct {
	name string
	args []int
}{
	{"glob", []int{2}}, {"instr", []int{2}}, {"like", []int{2, 3}}, {"ltrim", []int{2}},
	{"replace", []int{3}}, {"rtrim", []int{2}}, {"trim", []int{2}}, {"unhex", []int{2}},
}

// guard watches over one connection that checks a candidate.
type guard struct {
	ctx    context.Context
	helper *sqlite.Conn // evaluates a function once its work is known to be bounded
	err    error        // why one was refused
	stop   func()
}

// newGuard puts a guard on c. The caller closes it before c.
func newGuard(ctx context.Context, c *sqlite.Conn) (g *guard, err error) {
	helper, err := sqlite.Open(ctx, ":memory:", sqlite.Options{})
	if err != nil {
		return nil, err
	}
	g = &guard{ctx: ctx, helper: helper}
	for _, f := range products {
		for _, n := range f.args {
			sql := "SELECT " + f.name + "(?" + strings.Repeat(", ?", n-1) + ")"
			err := c.CreateFunction(f.name, n, true, func(args []sqlite.Value) (any, error) { return g.call(f.name, sql, args) })
			if err != nil {
				return nil, errors.Join(err, helper.Close())
			}
		}
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.RefuseValues()
		close(ended)
	})
	g.stop = func() {
		if !stop() {
			<-ended
		}
	}
	return g, nil
}

func (g *guard) close() error {
	g.stop()
	return g.helper.Close()
}

// call evaluates a function as the engine does.
func (g *guard) call(name, sql string, args []sqlite.Value) (result any, err error) {
	if err := context.Cause(g.ctx); err != nil {
		return nil, err
	}
	s, err := g.helper.Prepare(g.ctx, sql)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	product := int64(1)
	for i, v := range args {
		length := 1
		switch v.Type() {
		case lido.Null:
			s.BindNull(i + 1)
		case lido.Integer:
			s.BindInt64(i+1, v.Int64())
		case lido.Float:
			s.BindFloat64(i+1, v.Float64())
		case lido.Text:
			text := v.Text()
			length = len(text)
			s.BindText(i+1, text)
		case lido.Blob:
			blob := v.Blob()
			length = len(blob)
			s.BindBlob(i+1, blob)
		}
		if i < 2 {
			product *= int64(max(length, 1))
		}
	}
	if until, ok := g.ctx.Deadline(); ok && float64(product) > time.Until(until).Seconds()*perSecond {
		g.err = fmt.Errorf("its schema calls %s on values so long that the call may outlast the time of the check: %w", name, ErrLimit)
		return nil, g.err
	}
	if _, err := s.Step(); err != nil {
		return nil, err
	}
	switch s.ColumnType(0) {
	case lido.Integer:
		return s.ColumnInt64(0), nil
	case lido.Float:
		return s.ColumnFloat64(0), nil
	case lido.Text:
		return s.ColumnText(0), nil
	case lido.Blob:
		return s.ColumnBlob(0, nil), nil
	}
	return nil, nil
}
