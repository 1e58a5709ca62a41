// Package sample holds the books that "ledger serve" loads into an empty
// database: a household and a small design studio over the years 2024 and
// 2025, in euros and US dollars. They are invented, and written by the program
// in the folder generate, the same every time.
package sample

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
)

//go:generate go run ./generate -dir .

//go:embed household.csv.gz
var household []byte

//go:embed studio.csv.gz
var studio []byte

// Book is one set of books, as the CSV that "hledger print -O csv" writes.
type Book struct {
	Name string
	gz   []byte
}

// Books returns the household's books and the studio's.
func Books() []Book {
	return []Book{{"household.csv", household}, {"studio.csv", studio}}
}

// CSV returns the text of the book.
func (b Book) CSV() ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b.gz))
	if err != nil {
		return nil, fmt.Errorf("sample book %s: %w", b.Name, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("sample book %s: %w", b.Name, err)
	}
	return text, r.Close()
}
