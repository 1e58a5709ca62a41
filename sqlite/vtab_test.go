package sqlite_test

import (
	"testing"

	"github.com/lidodb/lido/sqlite"
)

// FTS5 prepares statements on the connection and finalizes them itself when
// the connection closes.
func TestCloseLeavesTheStatementsOfVirtualTablesToThem(t *testing.T) {
	for range 20 {
		c := open(t, sqlite.Options{Create: true})
		exec(t, c, "CREATE VIRTUAL TABLE search USING fts5(body); INSERT INTO search VALUES ('some words')")
		s := prepare(t, c, "SELECT count(*) FROM search WHERE search MATCH 'words'")
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil { // after its connection
			t.Error(err)
		}
	}
}
