package sqlite

import (
	"fmt"
	"strconv"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/callers"
)

// libraries are the packages whose places say nothing about a mistake.
var libraries = []string{
	"github.com/lidodb/lido", "github.com/lidodb/lido/sqlite", "github.com/lidodb/lido/pool",
	"github.com/lidodb/lido/stdlib", "database/sql",
}

// take begins a call into the engine, which ends with give, unless another one
// is under way.
func (c *Conn) take() bool { return c.quiet || c.use.Enter() }

func (c *Conn) give() {
	if !c.quiet {
		c.use.Leave()
	}
}

// leave is give for a call that may have been made by one that has entered.
func (c *Conn) leave(entered bool) {
	if !entered {
		c.use.Leave()
	}
}

// LenderGuards is for the lender of the connection. While it is on, the lender
// sees to it itself that there is one call at a time, as in a transaction whose
// own state needs that too.
func (c *Conn) LenderGuards(on bool) { c.quiet = on }

// usedTwice is the answer to a call that met another goroutine's in the engine.
// It says where the call came from, and what the other one ran last: all that can be
// known of it for nothing.
func (c *Conn) usedTwice(call string) error {
	var by callers.PCs
	callers.Note(&by)
	last := "nothing"
	if s := c.stepped.Get(); s != nil {
		last = shorten(s.sql)
	}
	return fmt.Errorf("sqlite: %s at %s: the connection is in a call already, of another goroutine or the one that called a function from SQL; the last statement that was stepped is %s: %w",
		call, by.Place(libraries...), last, lido.ErrConcurrentUse)
}

// misuse keeps the mistake of a Bind or Column beside a call in the engine. It
// touches nothing else of s, which may belong to that call.
func (s *Stmt) misuse(call string) {
	err := s.conn.usedTwice(call)
	s.misused.CompareAndSwap(nil, &err)
}

// shorten quotes SQL so that it fits into a message.
func shorten(sql string) string {
	const most = 80
	if len(sql) > most {
		return strconv.Quote(sql[:most]) + "..."
	}
	return strconv.Quote(sql)
}

// Reclaim is for the lender of the connection. It waits for a call that a
// borrower has under way although it has given the connection back, which it
// interrupts, and reports whether there was one.
func (c *Conn) Reclaim() (found bool) {
	c.use.Await(func() {
		found = true
		c.InterruptFor(lido.ErrConcurrentUse)
	})
	c.use.Leave()
	return found
}
