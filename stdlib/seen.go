package stdlib

import (
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"
)

// seen remembers that texts have come before: a few hundred of them, by a hash,
// which is all there is to know about one that may never come again. It may
// forget, and take one text for another, seldom; neither costs more than time.
// It is safe for concurrent use.
type seen struct {
	buckets [128][4]atomic.Uint64
}

var seenSeed = maphash.MakeSeed()

// before reports whether text has come before, and notes that it has come.
func (s *seen) before(text string) bool {
	hash := maphash.String(seenSeed, text)
	bucket := &s.buckets[hash%uint64(len(s.buckets))]
	for i := range bucket {
		if bucket[i].Load() == hash {
			return true
		}
	}
	// Any of them, as one that goes by turns could keep a few texts that come
	// in turn from ever being seen again.
	bucket[rand.Uint32()%uint32(len(bucket))].Store(hash)
	return false
}
