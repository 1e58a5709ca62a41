package cli

import (
	"fmt"
	"io"
)

// writeBroken says what a backup carries that breaks the schema of its
// database. It is no reason to refuse the backup: the database has it too.
func writeBroken(w io.Writer, id string, lines []string) {
	for _, line := range lines {
		fmt.Fprintf(w, "%s carries rows or references that break the schema: %s\n", id, line)
	}
}
