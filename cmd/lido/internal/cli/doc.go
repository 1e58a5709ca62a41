// Package cli is the command lido without its process: [Run] takes arguments
// and streams and returns an exit status.
//
// What a command finds goes to stdout, as a table for people or, with --json,
// as one JSON value whose field names are stable. Everything else goes to
// stderr. The exit statuses are constants of this package and are listed by
// "lido help".
package cli
