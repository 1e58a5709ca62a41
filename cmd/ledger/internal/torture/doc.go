// Package torture kills a ledger under load and looks whether it kept its
// word.
//
// Each round starts "ledger serve" as a process of its own, lets clients post
// transactions at the same time, and ends it with SIGKILL at a random moment.
// Then "ledger check" must pass, every transaction that was acknowledged must
// be there exactly once and under the id it was given, those that were not
// answered at most once, and nothing that nobody sent. What was not answered
// is sent again under its idempotency key, as a client would, and must then be
// there once as well.
//
// Some starts are killed too, in the middle of creating the schema or of
// recovering from the kill before.
package torture
