package main

// suites are run in this order.
var suites = []suite{
	{
		name:     "goose",
		module:   "github.com/pressly/goose/v3",
		version:  "v3.29.0",
		sum:      "h1:dtEnBCT7CqkHIUCdgrXsrmeisaN8gFkRU4Y5OEwif4o=",
		packages: []string{".", "./database/...", "./tests/..."},
		slow:     "^TestFullBinary$", // links the drivers of all databases
	},
	{
		// The last version whose module has the suite of drivers in it: later
		// ones keep it in a module that is in the repository alone.
		name:     "river",
		module:   "github.com/riverqueue/river",
		version:  "v0.23.1",
		sum:      "h1:/iwpDJ4ypgoVNMDDtQ7PYUKQd+lk6z414fGmp3nei84=",
		pins:     []string{"github.com/jackc/pgx/v5@v5.7.4"},
		dir:      "riverdriver/riverdrivertest",
		packages: []string{"."},
		run:      "SQLite|Example_sqlite",
	},
	{
		name:  "sqllogictest",
		tests: logicTests,
	},
	{
		name:   "bun",
		dir:    "internal/dbtest",
		run:    "Test/^sqlite$",
		others: "^Test(Postgres|Mssql|Listener|ConnResolver)",
	},
	{
		name:     "xorm",
		module:   "xorm.io/xorm",
		version:  "v1.4.3",
		sum:      "h1:MwWFWzVr+/6D07qGCDhBAfABcuT0gvqY3XmTy1215BM=",
		packages: []string{"./tests"},
		args:     []string{"-db=sqlite", "-conn_str=./test.db?cache=shared&mode=rwc", "-quote=always", "-cache=false"},
	},
	{
		name:    "sqlx",
		module:  "github.com/jmoiron/sqlx",
		version: "v1.4.0",
		sum:     "h1:1PLqN7S1UYp5t4SrVVnt4nUVNemrDAtxlulVe+Qgm3o=",
		env:     []string{"SQLX_SQLITE_DSN=:memory:", "SQLX_POSTGRES_DSN=skip", "SQLX_MYSQL_DSN=skip"},
	},
	{
		name:     "goqu",
		module:   "github.com/doug-martin/goqu/v9",
		version:  "v9.19.0",
		sum:      "h1:PD7t1X3tRcUiSdc5TEyOFKujZA5gs3VSA7wxSvBx7qo=",
		packages: []string{"./dialect/sqlite3"},
	},
	{
		name:     "pocketbase",
		module:   "github.com/pocketbase/pocketbase",
		version:  "v0.36.8",
		sum:      "h1:gCNqoesZ44saYOD3J7edhi5nDwUWKyQG7boM/kVwz2c=",
		packages: []string{"./core/...", "./apis/...", "./forms/..."},
		leftOut:  true,
	},
}
