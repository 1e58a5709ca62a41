package main

import (
	"bytes"
	"testing"

	"github.com/lidodb/lido/cmd/ledger/internal/sample"
)

func TestCheckedInBooksAreWhatTheGeneratorWrites(t *testing.T) {
	want := books()
	entries := 0
	for _, b := range sample.Books() {
		text, err := b.CSV()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, want[b.Name].csv()) {
			t.Errorf("%s.gz differs from what the generator writes; run: go generate ./cmd/ledger/...", b.Name)
		}
		entries += len(want[b.Name].entries)
	}
	if entries < 2000 {
		t.Errorf("the sample books hold %d transactions; they are meant to hold 2000 or more", entries)
	}
}
