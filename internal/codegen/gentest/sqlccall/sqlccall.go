// Package sqlccall is the protocol between a test and sqlcserver. It is a
// package of its own so that a change of the generator does not link sqlc
// again.
package sqlccall

// Request asks for "sqlc generate" in a folder.
type Request struct {
	Dir    string
	Stderr string   // a file for what sqlc prints
	Env    []string // NAME=value; they stay for later requests
}

// Answer comes when sqlc returns. When it refuses a project it does not: it
// ends the process, with status 1.
type Answer struct{ Code int }
