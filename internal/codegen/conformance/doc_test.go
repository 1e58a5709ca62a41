// Package conformance compares Lido's generator with sqlc's own on the cases
// of sqlc's end-to-end suite: what the generated packages show, and what their
// methods do on the same rows.
//
// The cases are not part of this module. LIDO_CONFORMANCE names the folder
// that has them under sqlc/; where there is none the tests are skipped.
package conformance_test
