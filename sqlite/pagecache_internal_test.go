package sqlite

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"modernc.org/libc"
)

func TestTheEngineUsesThePageCache(t *testing.T) {
	if !pageCacheUsed {
		t.Error("the engine was initialized before it")
	}
}

// cacheModel drives a cache as the engine does, and knows what must be in it.
type cacheModel struct {
	t      *testing.T
	tls    *libc.TLS
	cache  uintptr
	random *rand.Rand
	max    int
	pinned map[uint32]uintptr // by key
	order  []uint32           // keys of those that are not pinned, the oldest first
	clock  uint64
	stamps map[uint32]uint64 // what was written to each page
}

const (
	cachePageBytes  = 1024
	cacheExtraBytes = 200
)

// parts are all of the page and what follows it: two that overlap are noticed.
func parts(q uintptr) [2][]uint64 {
	page := cachedPageAt(q)
	return [2][]uint64{
		unsafe.Slice((*uint64)(pointer(page.FpBuf)), cachePageBytes/8),
		unsafe.Slice((*uint64)(pointer(page.FpExtra)), cacheExtraBytes/8),
	}
}

func (m *cacheModel) write(key uint32, q uintptr) {
	m.clock++
	m.stamps[key] = m.clock
	for _, part := range parts(q) {
		for i := range part {
			part[i] = m.clock
		}
	}
}

func (m *cacheModel) check(key uint32, q uintptr) {
	m.t.Helper()
	for _, part := range parts(q) {
		for _, word := range part {
			if word != m.stamps[key] {
				m.t.Fatalf("page %d holds %d, not %d", key, word, m.stamps[key])
			}
		}
	}
}

func (m *cacheModel) forget(key uint32) {
	delete(m.pinned, key)
	delete(m.stamps, key)
	m.order = slices.DeleteFunc(m.order, func(k uint32) bool { return k == key })
}

// shrink is what the cache does by itself.
func (m *cacheModel) shrink(max int) {
	for len(m.order) > 0 && len(m.stamps) > max {
		m.forget(m.order[0])
	}
}

func (m *cacheModel) fetch(key uint32, mode int32) {
	m.t.Helper()
	_, known := m.stamps[key]
	q := cacheFetch(m.tls, m.cache, key, mode)
	switch {
	case known && q == 0:
		m.t.Fatalf("page %d is lost", key)
	case known:
		m.check(key, q)
		if old, ok := m.pinned[key]; ok && old != q {
			m.t.Fatalf("page %d moved while it was pinned", key)
		}
		m.order = slices.DeleteFunc(m.order, func(k uint32) bool { return k == key })
		m.pinned[key] = q
		m.write(key, q)
	case mode == lookUp && q != 0:
		m.t.Fatalf("page %d was made", key)
	case mode == createIfEasy && len(m.pinned) >= m.max-m.max/10 && q != 0:
		m.t.Fatalf("page %d was made although %d of %d are pinned", key, len(m.pinned), m.max)
	case mode == createIfEasy && len(m.pinned) < m.max-m.max/10 && q == 0:
		m.t.Fatalf("page %d was not made although only %d of %d are pinned", key, len(m.pinned), m.max)
	case mode == createAlways && q == 0:
		m.t.Fatalf("page %d was not made", key)
	case q != 0:
		if *(*uintptr)(pointer(cachedPageAt(q).FpExtra)) != 0 {
			m.t.Fatalf("page %d is not new", key)
		}
		m.shrink(m.max - 1) // before it
		m.pinned[key] = q
		m.write(key, q)
	}
}

// anyPinned returns a key that is pinned, or false.
func (m *cacheModel) anyPinned() (uint32, bool) {
	for range 20 {
		key := m.random.Uint32N(200)
		if _, ok := m.pinned[key]; ok {
			return key, true
		}
	}
	return 0, false
}

func (m *cacheModel) step() {
	m.t.Helper()
	switch n := m.random.IntN(1000); {
	case n < 500:
		m.fetch(m.random.Uint32N(200), m.random.Int32N(3))
	case n < 900:
		if key, ok := m.anyPinned(); ok {
			q := m.pinned[key]
			discard := int32(0)
			if m.random.IntN(10) == 0 {
				discard = 1
			}
			cacheUnpin(m.tls, m.cache, q, discard)
			if discard != 0 || len(m.stamps) > m.max {
				m.forget(key)
			} else {
				delete(m.pinned, key)
				m.order = append(m.order, key)
			}
		}
	case n < 960:
		if from, ok := m.anyPinned(); ok {
			to := m.random.Uint32N(200)
			if _, taken := m.stamps[to]; !taken {
				q, stamp := m.pinned[from], m.stamps[from]
				cacheRekey(m.tls, m.cache, q, from, to)
				m.forget(from)
				m.pinned[to], m.stamps[to] = q, stamp
			}
		}
	case n < 980:
		from := m.random.Uint32N(250)
		if m.random.IntN(3) == 0 {
			from = 0
		}
		cacheTruncate(m.tls, m.cache, from)
		for key := range m.stamps {
			if key >= from {
				m.forget(key)
			}
		}
	case n < 990:
		m.max = m.random.IntN(150)
		cacheSetMax(m.tls, m.cache, int32(m.max))
		m.shrink(m.max)
	default:
		cacheShrink(m.tls, m.cache)
		m.shrink(0)
	}
	if n := int(cachePages(m.tls, m.cache)); n != len(m.stamps) {
		m.t.Fatalf("the cache says %d pages, there are %d", n, len(m.stamps))
	}
}

func TestThePageCacheHasWhatItShould(t *testing.T) {
	tls := libc.NewTLS()
	defer tls.Close()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := &cacheModel{
		t: t, tls: tls, random: rand.New(rand.NewPCG(seed, 0)), max: 50,
		cache:  cacheCreate(tls, cachePageBytes, cacheExtraBytes, 1),
		pinned: map[uint32]uintptr{}, stamps: map[uint32]uint64{},
	}
	defer func() { cacheDestroy(tls, m.cache) }()
	cacheSetMax(tls, m.cache, int32(m.max))
	for range 200_000 {
		m.step()
	}
}

func TestAFullPageCacheTakesLittleMoreThanItsPages(t *testing.T) {
	tls := libc.NewTLS()
	defer tls.Close()
	p := cacheCreate(tls, 4096, 224, 1)
	defer cacheDestroy(tls, p)
	const pages = 5000
	cacheSetMax(tls, p, pages)
	for key := range uint32(3 * pages) {
		q := cacheFetch(tls, p, key, createAlways)
		cacheUnpin(tls, p, q, 0)
	}
	c := cacheAt(p)
	if got, want := uint64(c.slots)*uint64(c.slotBytes), uint64(pages*(4096+224)); got > want*103/100 {
		t.Errorf("%d pages take %d bytes, at most 3%% more than %d are expected", c.pages, got, want)
	}
	if c.pages != pages {
		t.Errorf("%d pages, want %d", c.pages, pages)
	}
	cacheShrink(tls, p)
	if c.slabs != 0 || c.pages != 0 {
		t.Error("memory is kept although there are no pages")
	}
}

// It happens with each transaction that made the file longer and is rolled back.
func TestThePageCacheForgetsItsLastPagesWithoutALookAtTheOthers(t *testing.T) {
	tls := libc.NewTLS()
	defer tls.Close()
	p := cacheCreate(tls, cachePageBytes, cacheExtraBytes, 1)
	defer cacheDestroy(tls, p)
	const pages, last = 1000, 900
	cacheSetMax(tls, p, pages)
	for key := range uint32(pages) {
		cacheUnpin(tls, p, cacheFetch(tls, p, key, createAlways), 0)
	}
	pinned := cacheFetch(tls, p, last+50, lookUp)
	oldest := cachedPageAt(cacheAt(p).oldest)
	newer := oldest.newer
	oldest.newer = 1 // where nothing can be read
	cacheTruncate(tls, p, last)
	oldest.newer = newer
	for key := range uint32(pages) {
		if q := cacheFetch(tls, p, key, lookUp); (q != 0) != (key < last) || q == pinned {
			t.Errorf("page %d: %#x", key, q)
		}
	}
	if n := cachePages(tls, p); n != last {
		t.Errorf("%d pages, want %d", n, last)
	}
}
