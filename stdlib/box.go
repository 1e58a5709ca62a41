package stdlib

import (
	"database/sql/driver"
	"unsafe"
)

// An interface holds the address of a string or a number, and Go copies the
// value into memory of its own to have one. For a single row these copies are
// most of what a query allocates, so there is room for a few beside the rows.
//
// What is in a box stays as it is, for whoever keeps the interface. It keeps the
// rows from being collected, and so the other boxes, which is why long texts do
// not go into one: their bytes would stay with them.

// boxes is room for the first values of rows. A nil one has none.
type boxes struct {
	texts   [few]string
	numbers [few]int64 // the bits of a float64, too

	usedTexts, usedNumbers uint8
}

const boxedBytes = 64

func (b *boxes) text(v string) driver.Value {
	if b == nil || b.usedTexts == few || len(v) > boxedBytes {
		return v
	}
	p := &b.texts[b.usedTexts]
	b.usedTexts++
	*p = v
	return boxed(p)
}

func (b *boxes) int64(v int64) driver.Value {
	if b == nil || b.usedNumbers == few || uint64(v) < 256 { // Go has those ready
		return v
	}
	p := &b.numbers[b.usedNumbers]
	b.usedNumbers++
	*p = v
	return boxed(p)
}

func (b *boxes) float64(v float64) driver.Value {
	if b == nil || b.usedNumbers == few {
		return v
	}
	p := (*float64)(unsafe.Pointer(&b.numbers[b.usedNumbers]))
	b.usedNumbers++
	*p = v
	return boxed(p)
}

// boxed returns *p as an interface that holds p itself. *p must not change any
// more.
func boxed[T string | int64 | float64](p *T) driver.Value {
	var zero T
	v := driver.Value(zero) // for the type; a zero costs nothing
	// An interface is two words: what describes the type, and the address.
	(*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] = unsafe.Pointer(p)
	return v
}
