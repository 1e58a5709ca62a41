// The generate command writes the sample books. It draws from a fixed seed, so
// the same program writes the same books on every machine.
package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", ".", "folder to write household.csv.gz and studio.csv.gz into")
	flag.Parse()
	for name, book := range books() {
		if err := writeGzip(filepath.Join(*dir, name+".gz"), book.csv()); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d transactions\n", name, len(book.entries))
	}
}

// books returns the books by the name of their file.
func books() map[string]*book {
	return map[string]*book{"household.csv": household(), "studio.csv": studio()}
}

func writeGzip(path string, text []byte) error {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, buf.Bytes(), 0o644)
}
