package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/internal/timeform"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

const (
	// timeRows and timeBudget bound how long doctor looks at one column.
	timeRows   = 1_000_000
	timeBudget = 10 * time.Second
)

// timeColumn is a column that, by its type or its name, holds times.
type timeColumn struct {
	table, name string
	standard    string // its DEFAULT, if that is the time of day
}

func (c timeColumn) String() string { return c.table + "." + c.name }

var (
	timeType  = regexp.MustCompile(`(?i)DATE|TIME`)
	timeOfDay = regexp.MustCompile(`(?i)\bCURRENT_(TIMESTAMP|DATE|TIME)\b|'now'|\b(unixepoch|datetime|julianday)\(\)`)
	timeName  = regexp.MustCompile(`(?i)(^|_)(at|date|time|datetime|timestamp)$`)
)

// checkTimes counts the forms in each column of times. SQLite compares text as
// text: two forms in one column break ORDER BY and WHERE without an error.
func checkTimes(ctx context.Context, db *pool.DB) []finding {
	var found []finding
	err := db.WithReader(ctx, func(ctx context.Context, c *sqlite.Conn) error {
		columns, err := timeColumns(ctx, c)
		if err != nil {
			return err
		}
		for _, col := range columns {
			forms, all, err := countForms(ctx, c, col)
			if err != nil {
				return fmt.Errorf("%s: %w", col, err)
			}
			f, ok := judgeForms(col, forms, all)
			if form, known := standardForm(ctx, c, col); ok && known {
				f.addStandard(col, form, forms)
			}
			if ok {
				found = append(found, f)
			}
		}
		return nil
	})
	if err != nil {
		return append(found, finding{"times", statusFail, err.Error(), ""})
	}
	return found
}

func timeColumns(ctx context.Context, c *sqlite.Conn) (columns []timeColumn, err error) {
	stmt, err := c.Prepare(ctx, `SELECT t.name, i.name, i.type, coalesce(i.dflt_value, '') FROM pragma_table_list AS t, pragma_table_info(t.name) AS i
		WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND t.name <> 'goose_db_version'
		ORDER BY t.name, i.cid`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for {
		row, err := stmt.Step()
		if err != nil || !row {
			return columns, err
		}
		col := timeColumn{table: stmt.ColumnText(0), name: stmt.ColumnText(1)}
		if text := stmt.ColumnText(3); timeOfDay.MatchString(text) {
			col.standard = text
		}
		if timeType.MatchString(stmt.ColumnText(2)) || timeName.MatchString(col.name) {
			columns = append(columns, col)
		}
	}
}

// countForms returns how many values there are of each form, and whether all
// rows were looked at.
func countForms(ctx context.Context, c *sqlite.Conn, col timeColumn) (forms map[string]int, all bool, err error) {
	forms = map[string]int{}
	q := func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
	stmt, err := c.Prepare(ctx, "SELECT "+q(col.name)+" FROM "+q(col.table)+" WHERE "+q(col.name)+" IS NOT NULL")
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	deadline := time.Now().Add(timeBudget)
	for n := 0; ; n++ {
		if n >= timeRows || n%1000 == 0 && time.Now().After(deadline) {
			return forms, false, nil
		}
		row, err := stmt.Step()
		if err != nil || !row {
			return forms, true, err
		}
		forms[formOf(stmt)]++
	}
}

// The forms that are numbers. They sort as numbers, whatever their kinds: 0
// stands for "never", and a column that ends in _time may hold a duration.
const (
	formZero      = "zero"
	formUnix      = "unix"
	formUnixMilli = "unixmilli"
	formNumber    = "number"
	formReal      = "real"

	// From unixFirst (2001) to unixEnd (2100) an integer is taken for seconds
	// since 1970, and a thousand times as much for milliseconds.
	unixFirst, unixEnd = 1_000_000_000, 4_102_444_800
)

// mixed reports whether values do not sort by time: texts of several forms,
// texts beside numbers, or seconds beside milliseconds in a column that has
// nothing but these.
func mixed(forms map[string]int) bool {
	texts := len(forms)
	for _, name := range []string{formZero, formUnix, formUnixMilli, formNumber, formReal} {
		if forms[name] > 0 {
			texts--
		}
	}
	twoUnits := forms[formUnix] > 0 && forms[formUnixMilli] > 0 && forms[formNumber] == 0 && forms[formReal] == 0
	return texts > 1 || texts == 1 && len(forms) > 1 || twoUnits
}

// formOf names the form of the value in the first column.
func formOf(stmt *sqlite.Stmt) string {
	switch stmt.ColumnType(0) {
	case lido.Integer:
		switch n := stmt.ColumnInt64(0); {
		case n == 0:
			return formZero
		case n >= unixFirst && n < unixEnd:
			return formUnix
		case n >= 1000*unixFirst && n < 1000*unixEnd:
			return formUnixMilli
		}
		return formNumber
	case lido.Float:
		return formReal
	case lido.Text:
		return timeform.OfText(stmt.ColumnText(0))
	}
	return "other"
}

func judgeForms(col timeColumn, forms map[string]int, all bool) (finding, bool) {
	if len(forms) == 0 {
		return finding{}, false
	}
	f := finding{Check: "times", Status: statusOK}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(forms)) {
		parts = append(parts, fmt.Sprintf("%d %s", forms[name], name))
	}
	f.Found = col.String() + ": " + strings.Join(parts, ", ")
	if !all {
		f.Found += ", and more rows that were not looked at"
	}
	switch {
	case mixed(forms):
		f.Status = statusWarn
		f.Remedy = "bring " + col.String() + " to one form in a migration: different forms do not sort by time; Lido writes " + lido.TimeLayout
		if forms[timeform.DateTime] > 0 {
			f.Remedy += ", or with time_format " + timeform.DateTime + " what CURRENT_TIMESTAMP does, and this cuts the text to it: " + timeform.ToDateTime(col.table, col.name)
		}
	case forms["other"] > 0:
		f.Status = statusWarn
		f.Remedy = "Lido does not read what " + col.String() + " holds as a time; give it another Go type, or bring it to the form " + lido.TimeLayout
	}
	return f, true
}

// standardForm is the form that a column's DEFAULT writes now.
func standardForm(ctx context.Context, c *sqlite.Conn, col timeColumn) (form string, known bool) {
	if col.standard == "" {
		return "", false
	}
	stmt, err := c.Prepare(ctx, "SELECT "+col.standard)
	if err != nil {
		return "", false // it may call a function that only the program has
	}
	if row, err := stmt.Step(); row && err == nil {
		form, known = formOf(stmt), true
	}
	return form, stmt.Close() == nil && known
}

// addStandard warns where the DEFAULT is to write another form than the column
// holds: the next INSERT without a value would mix the two.
func (f *finding) addStandard(col timeColumn, form string, forms map[string]int) {
	both := maps.Clone(forms)
	both[form]++
	if mixed(forms) || forms["other"] > 0 || !mixed(both) {
		return
	}
	f.Status = statusWarn
	f.Found += "; DEFAULT " + col.standard + " writes " + form
	f.Remedy = "let one form be written to " + col.String() + ": with the generator's time_format " + timeform.DateTime +
		" parameters have that of CURRENT_TIMESTAMP, and this brings text to it: " + timeform.ToDateTime(col.table, col.name)
}
