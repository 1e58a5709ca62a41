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
// Beside sqlc's own annotations and functions, a comment line "-- @scan" above,
// below or inside a statement approves that it reads a table from end to end.
// Without it such a query is noted in lido_report.txt in the output folder.
// Comments that stand with the annotation document the method.
//
// # Types and names
//
// They are those of sqlc's own Go generator, letter by letter, which the tests
// prove on sqlc's end-to-end cases. The option strict_types goes further where
// sqlc knows too little; see strict.go.
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
