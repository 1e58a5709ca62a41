// Package kind names the kinds of books.
package kind

// Kind is what sort of book it is. Being a string, it needs no methods to be
// stored and read.
type Kind string

// The kinds that the schema allows.
const (
	Fiction    Kind = "fiction"
	Nonfiction Kind = "nonfiction"
)
