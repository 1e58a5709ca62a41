package stdlib

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lidodb/lido"
)

// plan is a text cut into its statements, with what has been learnt of it. It
// is shared by all conns of a connector, and nothing in it depends on the
// schema for more than speed.
type plan struct {
	text string
	list []statement
	one  [1]statement // where list is, of a text with one statement
	once bool         // the text has not come before, as far as is known

	named   bool // a parameter takes the argument of its name
	mixed   bool // several statements, with plain question marks and with numbers
	args    int  // the highest argument that a parameter takes by its place
	written int  // the highest that one takes by a number in the text

	// What the pool is asked for, of a text with one statement; change is nil if
	// that can be no change.
	query  lido.Query
	change *lido.Query

	// writes says that the engine has called the only statement, which looks
	// like a query, a write.
	writes atomic.Bool
}

// unnamed stands for the tables that a change writes, which only the engine
// knows. The pool asks whether there are any.
var unnamed = []string{"?"}

func newPlan(text string, once bool) *plan {
	p := &plan{text: text, once: once}
	p.list = appendSplit(p.one[:0], text)
	for i := range p.list {
		p.list[i].once = once
	}
	p.numberParams()
	if len(p.list) == 1 {
		s := &p.list[0]
		p.query = lido.Query{SQL: s.text, ReadOnly: s.class == classRead}
		switch {
		case s.class == classChange:
			p.query.Writes = unnamed
			p.change = &p.query
		case s.class == classRead && strings.EqualFold(firstWord(s.text), "WITH"):
			p.change = &lido.Query{SQL: s.text, Writes: unnamed}
		}
	}
	return p
}

// reads reports that the text is one statement which is a query, as far as is
// known.
func (p *plan) reads() bool { return p.query.ReadOnly && !p.writes.Load() }

// changes reports that the text is one statement which inserts, updates or
// deletes, and so leaves nothing on its connection.
func (p *plan) changes() bool {
	return p.change != nil && (p.list[0].class == classChange || p.writes.Load())
}

// What a connector keeps of the texts it has seen: so many of them, and none
// that is longer.
const (
	keptPlans     = 1000
	keptPlanBytes = 16 << 10
)

// plans keeps the plans of texts that have come more than once. It is safe for
// concurrent use.
type plans struct {
	mu     sync.RWMutex
	byText map[string]*plan // guarded by mu
	seen   seen
}

// get returns the plan of a text. again says that the text is going to come
// again, as far as the caller knows.
func (k *plans) get(text string, again bool) *plan {
	if len(text) <= keptPlanBytes {
		k.mu.RLock()
		p := k.byText[text]
		k.mu.RUnlock()
		if p != nil {
			return p
		}
	}
	if !k.seen.before(text) && !again {
		return newPlan(text, true)
	}
	p := newPlan(text, false)
	if len(text) > keptPlanBytes {
		return p
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byText == nil {
		k.byText = make(map[string]*plan)
	}
	for old := range k.byText {
		if len(k.byText) < keptPlans {
			break
		}
		delete(k.byText, old) // any: what is in use comes back
	}
	k.byText[text] = p
	return p
}
