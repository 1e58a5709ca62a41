// Package book is the ledger's bookkeeping: accounts, transactions that sum to
// zero, balances, and the proof that the balances are right.
//
// A [Book] works on a generated store and knows no other way to the database.
// What it refuses comes back as *[Invalid], which names the thing and says what
// to do; nothing has been changed then. It is safe for concurrent use.
package book
