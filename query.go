package lido

// GenV1 is the version of the waist that generated code refers to. Code that
// was generated for another version does not compile against this package;
// run "go generate ./..." (or "lido generate") to write it anew.
const GenV1 = 1

// Query is one SQL statement that was known when the code was generated.
//
// The generator fills it in from the real engine, not from the text. Build it
// with keyed literals, keep it in a package variable and pass its address: the
// fields are never written after that, so a Query is safe for concurrent use.
type Query struct {
	// Name is sqlc's name of the query, "GetAccount". Errors, statistics and
	// traces name it.
	Name string

	// SQL is the text the engine prepares. It holds exactly one statement.
	SQL string

	// Source says where the query was written: "queries/accounts.sql:12".
	Source string

	// ReadOnly reports that the statement cannot change the database. It
	// decides whether the query may run on a reader.
	ReadOnly bool

	// Reads and Writes are the base tables the statement touches, sorted.
	// Views are resolved; triggers and foreign-key actions are included.
	Reads, Writes []string
}

// String returns the query's name, or its text where it has none.
func (q *Query) String() string {
	if q.Name != "" {
		return q.Name
	}
	return q.SQL
}
