// Package examples holds the three examples that sqlc documents, written anew
// for SQLite and Lido (authors, booktest, ondeck), and one program before and
// after it moved from sqlc's own output to Lido (fromsqlc). Their tests run
// them end to end with data.
package examples
