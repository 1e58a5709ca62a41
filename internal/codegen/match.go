package codegen

import "slices"

// matcher pairs the places where parameters stand with sqlc's list of them.
// Named ones go by name: where sqlc lists a name twice the first stands for
// all. The others go by number, or in the order of the text, which is the
// order of the list.
type matcher struct {
	params   []param
	byName   map[string]int
	byNumber map[int]int
	inOrder  []int // parameters without a name, still to be given away
	lost     bool  // some of those have a name in the source
}

// match fills in the parameters of s and returns for each use the index of
// its parameter.
func (e *expander) match(s *statement, params []*Parameter) []int {
	m := &matcher{byName: map[string]int{}, byNumber: map[int]int{}}
	m.list(e.uses, params)
	index := make([]int, len(e.uses))
	used := make([]bool, len(m.params))
	for n, u := range e.uses {
		i, ok := m.take(u)
		if !ok {
			e.fail(u.at, "sqlc did not see the parameter %s; it knows %s; with database: {uri: \":memory:\"} in sqlc.yaml it asks an engine and sees more", u, listParams(params))
			continue
		}
		index[n], used[i] = i, true
		p := &m.params[i]
		if p.at < 0 {
			p.at = u.at
		}
		p.slice = p.slice || u.slice
		p.nullable = p.nullable || u.nullable
		p.Column.IsSqlcSlice = p.slice // sqlc loses it along with the type
	}
	if len(e.problems) == 0 {
		used = m.dropRepeats(e.uses, used, index)
	}
	if slices.Contains(used, false) && len(e.problems) == 0 {
		used = slices.DeleteFunc(used, func(u bool) bool { return !u })
		e.fail(e.query.body[0].start, "sqlc sees %s (%s), the source has %d", plural(len(m.params), "parameter", "parameters"), listParams(params), len(used))
	}
	s.params = m.params
	return index
}

// dropRepeats takes out what sqlc lists too much: it writes a slice that is
// used again as one more question mark, which the engine it asks then counts.
// The rest move up.
func (m *matcher) dropRepeats(uses []use, used []bool, index []int) []bool {
	again, seen := 0, map[string]bool{}
	for _, u := range uses {
		if u.slice && seen[u.name] {
			again++
		}
		seen[u.name] = seen[u.name] || u.slice
	}
	for i := len(used) - 1; i >= 0 && again > 0; i-- {
		if used[i] || m.params[i].Column.Name != "" {
			continue
		}
		used = slices.Delete(used, i, i+1)
		m.params = slices.Delete(m.params, i, i+1)
		for n := range index {
			if index[n] > i {
				index[n]--
			}
		}
		again--
	}
	return used
}

// list takes over sqlc's parameters, each once.
func (m *matcher) list(uses []use, params []*Parameter) {
	names, questions := map[string]bool{}, 0
	for _, u := range uses {
		if u.name != "" {
			names[u.name] = true
		} else if u.number == 0 {
			questions++
		}
	}
	certain := map[string]bool{} // names that sqlc itself marks as such
	for _, p := range params {
		if p.Column.IsNamedParam {
			certain[p.Column.Name] = true
		}
	}
	for _, p := range params {
		name := p.Column.Name
		if names[name] && (p.Column.IsNamedParam || !certain[name]) {
			if i, seen := m.byName[name]; seen {
				m.params[i].Column.NotNull = m.params[i].Column.NotNull && p.Column.NotNull
				continue
			}
			m.byName[name] = len(m.params)
		} else {
			if _, seen := m.byNumber[p.Number]; seen {
				continue
			}
			m.byNumber[p.Number] = len(m.params)
			m.inOrder = append(m.inOrder, len(m.params))
		}
		m.params = append(m.params, param{Parameter: *p, at: -1})
	}
	missing := len(names) - len(m.byName)
	m.lost = missing > 0 && len(m.inOrder) == questions+missing
}

// take returns the parameter for one use.
func (m *matcher) take(u use) (int, bool) {
	i, ok := m.byName[u.name]
	switch {
	case u.name != "" && (ok || !m.lost):
		return i, ok
	case u.number > 0:
		i, ok = m.byNumber[u.number]
		return i, ok
	case len(m.inOrder) == 0:
		return 0, false
	}
	i, m.inOrder = m.inOrder[0], m.inOrder[1:]
	if u.name != "" {
		m.byName[u.name] = i
		m.params[i].lost = u.name
	}
	return i, true
}
