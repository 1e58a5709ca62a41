// Package codegen turns sqlc's view of a schema and its queries into Go code
// that runs on the waist of Lido.
//
// sqlc parses, names and types; this package reads the query files once more,
// because sqlc's request has lost what is needed to run them right (folder and
// line of a query, the place of slices and named parameters, comments that
// hold characters of several bytes), expands parameters and sqlc.* from that
// text, and prepares every statement on a real engine with the real schema.
// Whether a query is read-only and which tables it touches is what the engine
// says, and a query that the engine refuses fails generation with file, line
// and column.
//
// # What a query file can say
//
// Beside sqlc's own annotations and functions, comment lines above, below or
// inside a statement:
//
//	-- @scan       approves that it reads a table from end to end, or sorts one
//	-- @unchecked  leaves the statement unproved; the generated comment says so
//	-- @transaction  approves that it asks last_insert_rowid() and its like
//
// and a block comment with the statement that the engine gets, for one that
// sqlc's grammar refuses. sqlc then sees the statement outside of it, which has
// the same parameters and results:
//
//	/* @engine
//	UPDATE books SET price = a.born FROM authors AS a WHERE a.id = books.author_id AND a.name = @name;
//	*/
//	UPDATE books SET price = 0 WHERE title = @name;
//
// In a schema file "-- @sqlc-only" leaves a statement out of the engine's
// database, and the option sqlc_only whole files.
// Comments that stand with the annotation document the method.
//
// # Commands
//
// Those of sqlc for SQLite, and those that sqlc has for pgx only. Every :many has
// an iterator beside it, <Name>Seq.
//
// :copyfrom inserts a list, or with <Name>Seq a sequence, in one transaction: all
// of it or nothing. It runs one statement for 32 rows at a time, and returns how
// many were inserted.
//
// :batchexec, :batchmany and :batchone run a statement for each item of a list, in
// one transaction, before the method returns. An item that fails leaves nothing
// behind and the others as they are; a transaction that fails leaves nothing of
// the batch. Items have a savepoint of their own only where a statement that
// failed could leave something behind; see itemCanLinger.
//
// Inside a transaction both run in a savepoint.
//
// # Options
//
// All options of sqlc's generator are taken; those that mean nothing here are
// explained in the report. testdata/option shows the effect of each, and of
// Lido's own, which option.go documents.
//
// # What is checked
//
// The schema is applied to a database in memory, as sqlc reads it, and every
// statement is prepared there. All problems come in one run, each with file,
// line, column and the query's name; lines and columns count from 1, columns in
// characters. The option verify turns refusals into notes (warn) or asks no
// engine at all (off). The option plan says what a scan without approval comes
// to; plans writes the plan of every query into a file for reviewers. Notes are
// in lido_report.txt in the output folder, because sqlc hides what a plugin
// prints when it succeeds.
//
// A statement of a query file without a name, which sqlc drops, is an error, and
// so is a name without a statement; see stray.go.
//
// The package that is about to be written is type-checked, without a Go
// toolchain. Code that does not compile is a fault of the generator: the error
// names the query, and nothing is written.
//
// # Types and names
//
// They are those of sqlc's own Go generator, letter by letter, which the tests
// prove on sqlc's end-to-end cases. The option strict_types goes further where
// sqlc knows too little; see strict.go. Without it the report lists what it
// would change.
//
// # Versions
//
// Every generated file names the generator's version. A plugin refuses to
// overwrite what a newer one wrote, and to run where go.mod requires another
// version of Lido than it was built from. Generated code mentions lido.GenV1,
// so it compiles only with a waist that it was written for.
//
// [Generate] is the whole of it and works in-process; [RunPlugin] is the same
// behind sqlc's plugin protocol.
package codegen
