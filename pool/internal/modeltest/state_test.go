package modeltest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lidodb/lido"
)

const schema = `
CREATE TABLE item(k INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE CHECK(v <> ''));
CREATE TABLE part(id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES item(k) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE counter(n INTEGER NOT NULL);
INSERT INTO counter VALUES(0);
`

// state is the content of the database: what is committed, or what a
// transaction sees.
type state struct {
	items map[int64]string
	parts map[int64]int64 // the item of each
	n     int64
}

func newState() state { return state{items: map[int64]string{}, parts: map[int64]int64{}} }

func (s state) clone() state { return state{maps.Clone(s.items), maps.Clone(s.parts), s.n} }

func (s state) equal(o state) bool {
	return s.n == o.n && maps.Equal(s.items, o.items) && maps.Equal(s.parts, o.parts)
}

func (s state) String() string {
	var b strings.Builder
	b.WriteString("{")
	for _, k := range slices.Sorted(maps.Keys(s.items)) {
		fmt.Fprintf(&b, "%d:%s ", k, s.items[k])
	}
	for _, id := range slices.Sorted(maps.Keys(s.parts)) {
		fmt.Fprintf(&b, "part %d of %d ", id, s.parts[id])
	}
	fmt.Fprintf(&b, "n:%d}", s.n)
	return b.String()
}

// orphans reports a part without its item, which a transaction may have and a
// commit may not.
func (s state) orphans() bool {
	for _, k := range s.parts {
		if _, ok := s.items[k]; !ok {
			return true
		}
	}
	return false
}

// taken reports whether another item than k has the value v.
func (s state) taken(k int64, v string) bool {
	for other, value := range s.items {
		if other != k && value == v {
			return true
		}
	}
	return false
}

// operation is a kind of write.
type operation int

const (
	opPut operation = iota
	opAdd
	opAddReturning
	opAddTwo
	opAddTwoFail  // keeps the first row when the second fails
	opAddRollback // ends the transaction when it fails
	opRemove
	opPart
	opUnpart
	opBump // must not run twice
	opNull
	opEmpty
	opSlow    // waits in the middle, if it is told to
	opExplode // a panic goes through the engine
	operations
)

var opNames = [operations]string{"put", "add", "add returning", "add two", "add two or fail", "add or rollback",
	"remove", "part", "unpart", "bump", "add null", "add empty", "slow put", "explode"}

var opQueries = func() (qs [operations]*lido.Query) {
	item, part := []string{"item"}, []string{"part"}
	for op, sql := range map[operation]string{
		opPut:          "INSERT INTO item(k, v) VALUES(?1, ?2) ON CONFLICT(k) DO UPDATE SET v = excluded.v",
		opAdd:          "INSERT INTO item(k, v) VALUES(?1, ?2)",
		opAddReturning: "INSERT INTO item(k, v) VALUES(?1, ?2) RETURNING k, v",
		opAddTwo:       "INSERT INTO item(k, v) VALUES(?1, ?2), (?3, ?4)",
		opAddTwoFail:   "INSERT OR FAIL INTO item(k, v) VALUES(?1, ?2), (?3, ?4)",
		opAddRollback:  "INSERT OR ROLLBACK INTO item(k, v) VALUES(?1, ?2)",
		opRemove:       "DELETE FROM item WHERE k = ?1",
		opPart:         "INSERT INTO part(id, item) VALUES(?1, ?3) ON CONFLICT(id) DO UPDATE SET item = excluded.item",
		opUnpart:       "DELETE FROM part WHERE id = ?1",
		opBump:         "UPDATE counter SET n = n + 1 RETURNING n",
		opNull:         "INSERT INTO item(k, v) VALUES(?1, NULL)",
		opEmpty:        "INSERT INTO item(k, v) VALUES(?1, '')",
		opSlow: `WITH RECURSIVE i(i) AS (SELECT pause(?5) UNION ALL SELECT i + 1 FROM i WHERE i < 3000)
			INSERT INTO item(k, v) SELECT ?1, ?2 FROM i WHERE i = 3000`,
		opExplode: "INSERT INTO item(k, v) SELECT 100 + x, x FROM (SELECT '1' AS x UNION ALL SELECT '2') ORDER BY x COLLATE explode",
	} {
		writes := item
		switch op {
		case opPart, opUnpart:
			writes = part
		case opBump:
			writes = []string{"counter"}
		}
		name := strings.ReplaceAll(strings.ToUpper(opNames[op][:1])+opNames[op][1:], " ", "")
		qs[op] = &lido.Query{Name: name, SQL: sql, Writes: writes}
	}
	return qs
}()

var (
	dumpQuery = &lido.Query{
		Name:     "Dump",
		SQL:      "SELECT 1, k, v FROM item UNION ALL SELECT 2, id, item FROM part UNION ALL SELECT 3, n, '' FROM counter",
		ReadOnly: true, Reads: []string{"counter", "item", "part"},
	}
	// slowDumpQuery waits when it has its snapshot.
	slowDumpQuery = &lido.Query{
		Name: "SlowDump",
		SQL: `WITH RECURSIVE i(i) AS (SELECT pause(?1) UNION ALL SELECT i + 1 FROM i WHERE i < 3000)
			SELECT 0, i, '' FROM i WHERE i = 3000 UNION ALL ` + dumpQuery.SQL,
		ReadOnly: true, Reads: dumpQuery.Reads,
	}
	explodeQuery = &lido.Query{
		Name:     "Explode",
		SQL:      "SELECT x FROM (SELECT '1' AS x UNION ALL SELECT '2') ORDER BY x COLLATE explode",
		ReadOnly: true,
	}
)

// statement is one write.
type statement struct {
	op     operation
	k, k2  int64
	v, v2  string
	pauses int64 // the token of its pause, or 0
}

func (s statement) String() string {
	switch s.op {
	case opRemove, opUnpart, opNull, opEmpty:
		return fmt.Sprintf("%s %d", opNames[s.op], s.k)
	case opBump, opExplode:
		return opNames[s.op]
	case opPart:
		return fmt.Sprintf("part %d of %d", s.k, s.k2)
	case opAddTwo, opAddTwoFail:
		return fmt.Sprintf("%s %d:%s %d:%s", opNames[s.op], s.k, s.v, s.k2, s.v2)
	case opSlow:
		if s.pauses != 0 {
			return fmt.Sprintf("slow put %d:%s, pausing", s.k, s.v)
		}
	}
	return fmt.Sprintf("%s %d:%s", opNames[s.op], s.k, s.v)
}

// bind sets the parameters that the statement uses.
func (s statement) bind(to binder) {
	switch s.op {
	case opBump, opExplode:
		return
	case opPart:
		to.BindInt64(1, s.k)
		to.BindInt64(3, s.k2)
		return
	}
	to.BindInt64(1, s.k)
	switch s.op {
	case opRemove, opUnpart, opNull, opEmpty:
		return
	}
	to.BindText(2, s.v)
	switch s.op {
	case opAddTwo, opAddTwoFail:
		to.BindInt64(3, s.k2)
		to.BindText(4, s.v2)
	case opSlow:
		to.BindInt64(5, s.pauses)
	}
}

// binder is the part of lido.Stmt that takes the parameters.
type binder interface {
	BindInt64(i int, v int64)
	BindText(i int, v string)
}

// args takes the parameters for database/sql.
type args []any

func (a *args) set(i int, v any) {
	for len(*a) < i {
		*a = append(*a, nil)
	}
	(*a)[i-1] = v
}

func (a *args) BindInt64(i int, v int64) { a.set(i, v) }
func (a *args) BindText(i int, v string) { a.set(i, v) }

// result is what a statement answers.
type result struct {
	err     error // a sentinel in the model's, the error itself in the pool's
	changes int64
	rows    string
	lost    bool // the whole transaction went with it
}

var errExploded = errors.New("exploded")

// apply runs the statement on st, as the engine would in a transaction.
func (s statement) apply(st *state) result {
	failed := result{err: lido.ErrUnique}
	add := func(k int64, v string) bool {
		if _, exists := st.items[k]; exists || st.taken(k, v) {
			return false
		}
		st.items[k] = v
		return true
	}
	switch s.op {
	case opPut:
		if st.taken(s.k, s.v) {
			return failed
		}
		st.items[s.k] = s.v
		return result{changes: 1}
	case opAdd, opAddReturning, opAddRollback, opSlow:
		if !add(s.k, s.v) {
			failed.lost = s.op == opAddRollback
			return failed
		}
		r := result{changes: 1}
		if s.op == opAddReturning {
			r.rows = fmt.Sprint(s.k)
		}
		return r
	case opAddTwo:
		before := st.clone()
		if !add(s.k, s.v) || !add(s.k2, s.v2) {
			*st = before
			return failed
		}
		return result{changes: 2}
	case opAddTwoFail:
		if !add(s.k, s.v) || !add(s.k2, s.v2) {
			return failed
		}
		return result{changes: 2}
	case opRemove:
		_, exists := st.items[s.k]
		delete(st.items, s.k)
		return result{changes: count(exists)}
	case opPart:
		st.parts[s.k] = s.k2
		return result{changes: 1}
	case opUnpart:
		_, exists := st.parts[s.k]
		delete(st.parts, s.k)
		return result{changes: count(exists)}
	case opBump:
		st.n++
		return result{changes: 1, rows: fmt.Sprint(st.n)}
	case opNull:
		return result{err: lido.ErrNotNull}
	case opEmpty:
		return result{err: lido.ErrCheck}
	}
	return result{err: errExploded}
}

// alone is apply for a statement that is a transaction of its own, all of which
// is undone if it fails.
func (s statement) alone(st *state) result {
	before := st.clone()
	r := s.apply(st)
	if r.err == nil && st.orphans() {
		r = result{err: lido.ErrForeignKey}
	}
	if r.err != nil {
		*st = before
	}
	return r
}

func count(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
