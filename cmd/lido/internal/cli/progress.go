package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/lidodb/lido/backup"
)

// progressOn returns what tells a person at a terminal how far a backup has
// come, and what clears that line at the end. Elsewhere it says nothing.
func progressOn(w io.Writer) (tell backup.ProgressFunc, done func()) {
	file, ok := w.(*os.File)
	if !ok {
		return nil, func() {}
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil, func() {}
	}
	const clear = "\r\x1b[K" // https://www.ecma-international.org/publications-and-standards/standards/ecma-48/
	tell = func(p backup.Progress) {
		if p.Total > 0 {
			fmt.Fprintf(w, "%s%s %d%%", clear, p.Phase, p.Done*100/p.Total)
		} else {
			fmt.Fprintf(w, "%s%s", clear, p.Phase)
		}
	}
	return tell, func() { fmt.Fprint(w, clear) }
}
