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

	// What the pool is asked for, of a text with one statement.
	read, change lido.Query

	// writes says that the engine has called the only statement, which looks
	// like a query, a write.
	writes atomic.Bool
}

// unnamed stands for the tables that a change writes, which only the engine
// knows. The pool asks whether there are any.
const unnamed = "?"

func newPlan(text string) *plan {
	p := &plan{text: text, list: split(text)}
	if len(p.list) == 1 {
		s := p.list[0]
		p.read = lido.Query{SQL: s.text, ReadOnly: s.class == classRead}
		p.change = lido.Query{SQL: s.text, Writes: []string{unnamed}}
	}
	return p
}

// reads reports that the text is one statement which is a query, as far as is
// known.
func (p *plan) reads() bool { return len(p.list) == 1 && p.read.ReadOnly && !p.writes.Load() }

// changes reports that the text is one statement which inserts, updates or
// deletes, and so leaves nothing on its connection.
func (p *plan) changes() bool {
	return len(p.list) == 1 && (p.list[0].class == classChange ||
		p.read.ReadOnly && p.writes.Load() && strings.EqualFold(firstWord(p.read.SQL), "WITH"))
}

// numInput is what driver.Stmt.NumInput answers: -1 for several statements,
// which share the arguments.
func (p *plan) numInput() int {
	switch len(p.list) {
	case 0:
		return 0
	case 1:
		return len(p.list[0].params)
	}
	return -1
}

// What a connector keeps of the texts it has seen: so many of them, and none
// that is longer.
const (
	keptPlans     = 1000
	keptPlanBytes = 16 << 10
)

// plans keeps the plans of texts. It is safe for concurrent use.
type plans struct {
	mu     sync.RWMutex
	byText map[string]*plan // guarded by mu
}

func (k *plans) get(text string) *plan {
	if len(text) > keptPlanBytes {
		return newPlan(text)
	}
	k.mu.RLock()
	p := k.byText[text]
	k.mu.RUnlock()
	if p != nil {
		return p
	}
	p = newPlan(text)
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
