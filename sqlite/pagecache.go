package sqlite

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The page cache of the engine as it is compiled here is one for the process:
// each page that any connection looks up or gives back takes the same mutex,
// which two readers on two processors wait for more than they read, and a page
// of 4 KiB takes 8 KiB, for the allocator knows powers of two only. This one
// takes its place. Each connection has its own, which needs no mutex, for the
// engine uses a cache under that of its database; pages lie close together, 60
// to a slab.
//
// A page is pinned while the engine uses it. The others are kept in the order in
// which they were given back, and the oldest is used again once the cache is
// full. What the engine expects of a cache:
// https://www.sqlite.org/c3ref/pcache_methods2.html

// pageCache is the cache of one database. It lies in the engine's memory, as all
// does that it points to.
type pageCache struct {
	pageBytes int32 // of a page
	slotBytes int32 // of a page and all that belongs to it
	purgeable bool  // pages may be forgotten: there is a file that has them

	max      uint32 // how many pages there may be
	pages    uint32 // how many there are
	unpinned uint32 // how many of them are in the order below
	maxKey   uint32 // no page has a key above it

	newest, oldest uintptr // *cachedPage, of those that are not pinned

	table   uintptr // of lists of *cachedPage, by the last bits of their keys
	buckets uint32  // a power of two
	free    uintptr // *cachedPage, through next
	slabs   uintptr // *cacheSlab
	slots   uint32  // how many there are in all slabs
}

// cachedPage follows the page itself, and is followed by what the engine keeps
// with it. It begins with what the engine knows.
type cachedPage struct {
	lib.Tsqlite3_pcache_page
	key          uint32
	pinned       bool
	next         uintptr // in its list
	newer, older uintptr // while it is not pinned
}

// cacheSlab begins a piece of memory for some pages.
type cacheSlab struct {
	next uintptr
	_    uintptr // pages begin at a multiple of 16
}

// Slabs. The first pages are allocated one by one: the tables that the engine
// makes for a moment have no more.
const (
	singleSlots = 4
	smallSlab   = 15 // 64 KiB
	fullSlab    = 60 // 256 KiB
	minBuckets  = 256
)

// The engine's words for what to do about a page that is not there.
const (
	lookUp = iota
	createIfEasy
	createAlways
)

var cacheMethods = lib.Tsqlite3_pcache_methods2{
	FiVersion:   1,
	FxInit:      function(cacheInit),
	FxShutdown:  function(cacheShutdown),
	FxCreate:    function(cacheCreate),
	FxCachesize: function(cacheSetMax),
	FxPagecount: function(cachePages),
	FxFetch:     function(cacheFetch),
	FxUnpin:     function(cacheUnpin),
	FxRekey:     function(cacheRekey),
	FxTruncate:  function(cacheTruncate),
	FxDestroy:   function(cacheDestroy),
	FxShrink:    function(cacheShrink),
}

// pageCacheUsed reports that the engine uses it, for all connections of the
// process, those that other packages open included. It can only be told before
// it is initialized, and so when this package is. If another package was faster,
// it keeps the cache that it has, which is slower and nothing else.
var pageCacheUsed = func() bool {
	tls := libc.NewTLS()
	defer tls.Close()
	// sqlite3_malloc would initialize the engine, which copies the table.
	bytes := int(unsafe.Sizeof(cacheMethods))
	methods := tls.Alloc(bytes)
	defer tls.Free(bytes)
	list := tls.Alloc(8)
	defer tls.Free(8)
	table := (*lib.Tsqlite3_pcache_methods2)(pointer(methods))
	if lib.Xsqlite3_config(tls, lib.SQLITE_CONFIG_GETPCACHE2, libc.VaList(list, methods)) != lib.SQLITE_OK {
		return false
	}
	cacheReplaced, *table = *table, cacheMethods
	return lib.Xsqlite3_config(tls, lib.SQLITE_CONFIG_PCACHE2, libc.VaList(list, methods)) == lib.SQLITE_OK
}()

// cacheReplaced are the methods of the engine's own cache.
var cacheReplaced lib.Tsqlite3_pcache_methods2

// cacheInit and cacheShutdown call the engine's own cache: it counts the pages
// that the engine allocates beside a cache, under a mutex that it makes here.
func cacheInit(tls *libc.TLS, p uintptr) int32 {
	return functionAt[func(*libc.TLS, uintptr) int32](cacheReplaced.FxInit)(tls, cacheReplaced.FpArg)
}

func cacheShutdown(tls *libc.TLS, p uintptr) {
	functionAt[func(*libc.TLS, uintptr)](cacheReplaced.FxShutdown)(tls, cacheReplaced.FpArg)
}

func cacheCreate(tls *libc.TLS, pageBytes, extraBytes, purgeable int32) uintptr {
	p := malloc(tls, int(unsafe.Sizeof(pageCache{})))
	if p == 0 {
		return 0
	}
	c := cacheAt(p)
	*c = pageCache{
		pageBytes: pageBytes,
		slotBytes: (pageBytes + int32(unsafe.Sizeof(cachedPage{})) + extraBytes + 15) &^ 15,
		purgeable: purgeable != 0,
	}
	if c.grow(tls); c.table == 0 {
		free(tls, p)
		return 0
	}
	return p
}

func cacheSetMax(tls *libc.TLS, p uintptr, n int32) {
	c := cacheAt(p)
	c.max = uint32(max(0, n))
	for c.purgeable && c.pages > c.max && c.oldest != 0 {
		c.discard(c.oldest)
	}
}

func cachePages(tls *libc.TLS, p uintptr) int32 { return int32(cacheAt(p).pages) }

// cacheFetch finds the page of a key and pins it. If it is not there, mode says
// whether to make one: if that is easy means that the engine will otherwise
// write a page to its file to make room, and ask again.
func cacheFetch(tls *libc.TLS, p uintptr, key uint32, mode int32) uintptr {
	c := cacheAt(p)
	if q := c.find(key); q != 0 {
		c.pin(cachedPageAt(q))
		return q
	}
	if mode == lookUp || mode == createIfEasy && c.pages-c.unpinned >= c.max-c.max/10 {
		return 0
	}
	return c.create(tls, key)
}

func cacheUnpin(tls *libc.TLS, p, q uintptr, discard int32) {
	c, page := cacheAt(p), cachedPageAt(q)
	if discard != 0 || c.pages > c.max {
		c.discard(q)
		return
	}
	page.pinned = false
	page.newer, page.older = 0, c.newest
	if c.newest != 0 {
		cachedPageAt(c.newest).newer = q
	} else {
		c.oldest = q
	}
	c.newest = q
	c.unpinned++
}

// cacheRekey gives a page that is pinned another number. The engine has seen to
// it that no page has it.
func cacheRekey(tls *libc.TLS, p, q uintptr, from, to uint32) {
	c := cacheAt(p)
	c.unlist(q)
	cachedPageAt(q).key = to
	c.enlist(q)
}

// cacheTruncate forgets the pages from a number on, those that are pinned
// included. With each commit of the connection it is called for those behind the
// end of the file, of which there are hardly ever any; where a transaction made
// the file shorter or is rolled back, for a few of them; with each commit of
// somebody else for all, when none is pinned.
func cacheTruncate(tls *libc.TLS, p uintptr, from uint32) {
	c := cacheAt(p)
	if from > c.maxKey {
		return
	}
	keys := c.maxKey - from + 1
	c.maxKey = max(from, 1) - 1
	if keys < c.pages {
		for i := range keys {
			if q := c.find(from + i); q != 0 {
				c.discard(q)
			}
		}
		return
	}
	for q := c.oldest; q != 0; {
		page := cachedPageAt(q)
		newer := page.newer
		if page.key >= from {
			c.discard(q)
		}
		q = newer
	}
	if c.pages == c.unpinned {
		return
	}
	for i := range c.buckets {
		for q := *c.list(i); q != 0; {
			page := cachedPageAt(q)
			next := page.next
			if page.key >= from {
				c.discard(q)
			}
			q = next
		}
	}
}

func cacheDestroy(tls *libc.TLS, p uintptr) {
	c := cacheAt(p)
	c.release(tls)
	free(tls, c.table)
	free(tls, p)
}

// cacheShrink gives memory back, if all of it can be spared.
func cacheShrink(tls *libc.TLS, p uintptr) {
	c := cacheAt(p)
	for c.purgeable && c.oldest != 0 {
		c.discard(c.oldest)
	}
	if c.pages == 0 {
		c.release(tls)
	}
}

func cacheAt(p uintptr) *pageCache       { return (*pageCache)(pointer(p)) }
func cachedPageAt(p uintptr) *cachedPage { return (*cachedPage)(pointer(p)) }

// list is where the list begins that a key belongs to.
func (c *pageCache) list(key uint32) *uintptr {
	return (*uintptr)(pointer(c.table + uintptr(key&(c.buckets-1))*unsafe.Sizeof(uintptr(0))))
}

// find returns the page of a key, or 0.
func (c *pageCache) find(key uint32) uintptr {
	q := *c.list(key)
	for q != 0 && cachedPageAt(q).key != key {
		q = cachedPageAt(q).next
	}
	return q
}

func (c *pageCache) enlist(q uintptr) {
	page := cachedPageAt(q)
	first := c.list(page.key)
	page.next, *first = *first, q
	c.maxKey = max(c.maxKey, page.key)
}

func (c *pageCache) unlist(q uintptr) {
	page := cachedPageAt(q)
	at := c.list(page.key)
	for *at != q {
		at = &cachedPageAt(*at).next
	}
	*at = page.next
}

// pin takes the page out of the order, if it is in it.
func (c *pageCache) pin(page *cachedPage) {
	if page.pinned {
		return
	}
	page.pinned = true
	if page.newer != 0 {
		cachedPageAt(page.newer).older = page.older
	} else {
		c.newest = page.older
	}
	if page.older != 0 {
		cachedPageAt(page.older).newer = page.newer
	} else {
		c.oldest = page.newer
	}
	c.unpinned--
}

// discard forgets the page and keeps its slot.
func (c *pageCache) discard(q uintptr) {
	page := cachedPageAt(q)
	c.pin(page)
	c.unlist(q)
	c.pages--
	page.next, c.free = c.free, q
}

// create returns a page for the key that has no content yet, pinned, or 0 if
// there is no memory.
func (c *pageCache) create(tls *libc.TLS, key uint32) uintptr {
	if c.pages >= c.buckets {
		c.grow(tls)
	}
	if c.purgeable && c.oldest != 0 && c.pages >= c.max {
		c.discard(c.oldest)
	}
	if c.free == 0 {
		c.addSlab(tls)
	}
	if c.free == 0 && c.purgeable && c.oldest != 0 {
		c.discard(c.oldest)
	}
	q := c.free
	if q == 0 {
		return 0
	}
	page := cachedPageAt(q)
	c.free = page.next
	page.key, page.pinned = key, true
	*(*uintptr)(pointer(page.FpExtra)) = 0 // how the engine sees that it is new
	c.enlist(q)
	c.pages++
	return q
}

// addSlab makes free slots, if there is memory.
func (c *pageCache) addSlab(tls *libc.TLS) {
	n := uint32(fullSlab)
	switch {
	case c.slots < singleSlots:
		n = 1
	case c.slots < fullSlab:
		n = smallSlab
	}
	p := lib.Xsqlite3_malloc64(tls, uint64(unsafe.Sizeof(cacheSlab{}))+uint64(n)*uint64(c.slotBytes))
	if p == 0 {
		return
	}
	(*cacheSlab)(pointer(p)).next, c.slabs = c.slabs, p
	c.slots += n
	for i := range uintptr(n) {
		buffer := p + unsafe.Sizeof(cacheSlab{}) + i*uintptr(c.slotBytes)
		q := buffer + uintptr(c.pageBytes)
		*cachedPageAt(q) = cachedPage{
			Tsqlite3_pcache_page: lib.Tsqlite3_pcache_page{FpBuf: buffer, FpExtra: q + unsafe.Sizeof(cachedPage{})},
			next:                 c.free,
		}
		c.free = q
	}
}

// release gives the memory of all slots back. There are no pages any more, or
// nobody will ask for them.
func (c *pageCache) release(tls *libc.TLS) {
	for p := c.slabs; p != 0; {
		next := (*cacheSlab)(pointer(p)).next
		free(tls, p)
		p = next
	}
	c.slabs, c.free, c.slots = 0, 0, 0
}

// grow doubles the number of lists, if there is memory: it is only slower
// without.
func (c *pageCache) grow(tls *libc.TLS) {
	old, n := *c, max(minBuckets, 2*c.buckets)
	bytes := uint64(n) * uint64(unsafe.Sizeof(uintptr(0)))
	p := lib.Xsqlite3_malloc64(tls, bytes)
	if p == 0 {
		return
	}
	clear(bytesAt(p, int(bytes)))
	c.table, c.buckets = p, n
	for i := range old.buckets {
		for q := *old.list(i); q != 0; {
			next := cachedPageAt(q).next
			c.enlist(q)
			q = next
		}
	}
	free(tls, old.table)
}
