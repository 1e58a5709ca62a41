// Package hledger reads the CSV that "hledger print -O csv" writes.
//
// One row is one posting; rows with the same txnidx make a transaction. A
// posting in brackets, "[a:b]", balances with its like and is taken as any
// other; one in parentheses, "(a:b)", balances with nothing and is refused,
// for double entry has no place for it, unless all virtual postings are left out.
// Tags in a transaction's comment, such
// as "invoice:2025-014", become tags.
//
// https://hledger.org/hledger.html#print
package hledger
