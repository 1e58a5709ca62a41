// Package stock registers the stock driver under the name of the one with cgo
// as well, so that suites written for that one can be compared with it.
package stock

import (
	"database/sql"

	"modernc.org/sqlite"
)

func init() { sql.Register("sqlite3", &sqlite.Driver{}) }
