// Package foreignkey finds the foreign keys of a database that do not hold:
// rows that refer to a row which does not exist, references to a table which
// does not exist, and references to columns without a unique index.
//
// PRAGMA foreign_key_check finds the first two. At the third it stops with
// "foreign key mismatch", whatever else there is to report. Here each foreign
// key is looked at by itself, so that one which cannot be checked hides no
// other, and what was broken before can be told from what was broken since.
//
// https://www.sqlite.org/foreignkeys.html
package foreignkey
