package backup

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lidodb/lido/internal/constraint"
	"github.com/lidodb/lido/internal/foreignkey"
	"github.com/lidodb/lido/sqlite"
)

// Broken is what the data of a database breaks of its own schema. SQLite lets
// that happen: foreign keys are off unless a program asks for them, and a
// constraint that is added later is not always checked against old rows. It is
// data that an application had, so a backup carries it and says so.
type Broken struct {
	References  []BrokenReference  `json:"references,omitempty"`
	Constraints []BrokenConstraint `json:"constraints,omitempty"`
	// Omitted counts references and constraints beyond the first hundred of each.
	Omitted int `json:"omitted,omitempty"`
	// Unverified says why CHECK constraints could not be evaluated: they use
	// functions that Config.OnConnect does not create. It is "" otherwise.
	Unverified string `json:"unverified,omitempty"`
}

// BrokenReference is a foreign key that does not hold.
type BrokenReference struct {
	Table         string   `json:"table"`
	Columns       []string `json:"columns"`
	Parent        string   `json:"parent"`
	ParentColumns []string `json:"parent_columns,omitempty"`
	// Reason is "no such row", "no such table" for a parent that does not
	// exist, or "no unique index" for columns that cannot be referred to.
	Reason string `json:"reason"`
	// Rows counts the rows that refer to nothing.
	Rows int64 `json:"rows"`
	// Explanation says the same in a sentence.
	Explanation string `json:"explanation"`
}

// BrokenConstraint is a CHECK, a NOT NULL or a type of a STRICT table that rows
// do not keep, in the words of integrity_check.
type BrokenConstraint struct {
	Finding string `json:"finding"`
	Rows    int64  `json:"rows"`
}

// Lines explains b, one line for each reference and constraint.
func (b *Broken) Lines() (lines []string) {
	if b == nil {
		return nil
	}
	for _, r := range b.References {
		lines = append(lines, r.Explanation)
	}
	for _, c := range b.Constraints {
		rows := "rows"
		if c.Rows == 1 {
			rows = "row"
		}
		lines = append(lines, fmt.Sprintf("%s, %d %s", c.Finding, c.Rows, rows))
	}
	if b.Omitted > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", b.Omitted))
	}
	if b.Unverified != "" {
		lines = append(lines, "CHECK constraints could not be evaluated: "+b.Unverified)
	}
	return lines
}

// Bounds of a manifest, however long the names of tables are.
const (
	maxBroken       = 100 // of references, and of constraints
	maxBrokenText   = 200 // bytes of a name or an explanation
	maxBrokenColumn = 16  // columns of a key
)

// clip shortens text to what a manifest has room for.
func clip(text string) string {
	if len(text) <= maxBrokenText {
		return text
	}
	text = text[:maxBrokenText]
	for !utf8.ValidString(text) && len(text) > maxBrokenText-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	return text + "..."
}

func clipAll(names []string) []string {
	var out []string
	for _, name := range names[:min(len(names), maxBrokenColumn)] {
		out = append(out, clip(name))
	}
	return out
}

// checkRows reads every page and every row of the database. It returns damage
// of the file, what the rows break, and how many rows refer to nothing.
func checkRows(ctx context.Context, c *sqlite.Conn) (damage []string, broken *Broken, orphans int64, err error) {
	report, err := constraint.Check(ctx, c, "integrity_check", "", 10)
	if err != nil || len(report.Damage) > 0 {
		return report.Damage, nil, 0, err
	}
	references, err := foreignkey.Find(ctx, c, 0)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("foreign keys: %w", err)
	}
	b := Broken{Unverified: clip(report.Unverified)}
	for _, r := range references {
		orphans += r.Rows
		if len(b.References) == maxBroken {
			b.Omitted++
			continue
		}
		b.References = append(b.References, BrokenReference{
			Table: clip(r.Table), Columns: clipAll(r.Columns), Parent: clip(r.Parent), ParentColumns: clipAll(r.ParentColumns),
			Reason: string(r.Reason), Rows: r.Rows, Explanation: clip(r.String()),
		})
	}
	for _, r := range report.Broken {
		if len(b.Constraints) == maxBroken {
			b.Omitted++
			continue
		}
		b.Constraints = append(b.Constraints, BrokenConstraint{Finding: clip(strings.ReplaceAll(r.Finding, "\n", " ")), Rows: r.Count})
	}
	if len(b.Lines()) == 0 {
		return nil, nil, orphans, nil
	}
	return nil, &b, orphans, nil
}
