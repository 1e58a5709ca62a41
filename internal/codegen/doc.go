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
// [Generate] is the whole of it and works in-process; [RunPlugin] is the same
// behind sqlc's plugin protocol.
package codegen
