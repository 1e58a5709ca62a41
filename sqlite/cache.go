package sqlite

// stmtCache keeps prepared statements by their text. The least recently used
// one goes when it is full. A statement stays in the cache while it is handed
// out; a second request for the same text then gets one outside the cache.
type stmtCache struct {
	max    int
	byText map[string]*Stmt
	newest *Stmt // a list through newer and older
	oldest *Stmt
}

func newStmtCache(max int) stmtCache {
	if max <= 0 {
		max = 256
	}
	return stmtCache{max: max, byText: make(map[string]*Stmt)}
}

func (k *stmtCache) get(sql string) *Stmt {
	// The same statement again, as in a loop: equal strings that are the same
	// string compare at once.
	if s := k.newest; s != nil && s.sql == sql {
		return s
	}
	s := k.byText[sql]
	if s != nil {
		k.unlink(s)
		k.pushNewest(s)
	}
	return s
}

// add keeps s, and finalizes the oldest statements that nobody holds if there
// are too many.
func (k *stmtCache) add(s *Stmt) {
	k.byText[s.sql] = s
	k.pushNewest(s)
	s.cached = true
	for old := k.oldest; old != nil && len(k.byText) > k.max; {
		next := old.newer
		if old.phase == closed && old != s {
			k.remove(old)
			old.finalize()
		}
		old = next
	}
}

func (k *stmtCache) remove(s *Stmt) {
	delete(k.byText, s.sql)
	k.unlink(s)
	s.cached = false
}

func (k *stmtCache) each(fn func(*Stmt)) {
	for s := k.newest; s != nil; s = s.older {
		fn(s)
	}
}

func (k *stmtCache) pushNewest(s *Stmt) {
	s.older, s.newer = k.newest, nil
	if k.newest != nil {
		k.newest.newer = s
	}
	k.newest = s
	if k.oldest == nil {
		k.oldest = s
	}
}

func (k *stmtCache) unlink(s *Stmt) {
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		k.newest = s.older
	}
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		k.oldest = s.newer
	}
	s.newer, s.older = nil, nil
}
