// Package seal closes interfaces of this module to implementations from
// outside: a method that takes one of its types can only be written here.
package seal

// Stmt marks an implementation of lido.Stmt.
type Stmt struct{}
