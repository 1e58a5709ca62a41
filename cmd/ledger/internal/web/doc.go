// Package web serves the books as JSON over HTTP.
//
//	GET  /v1/accounts                         the tree, with balances and totals
//	POST /v1/accounts                         {"name": "assets:bank", "type": "asset"}
//	GET  /v1/accounts/{name}/register         ?from=2025-01-01&to=2025-12-31
//	GET  /v1/currencies
//	PUT  /v1/currencies/{code}                {"digits": 2}
//	GET  /v1/transactions                     ?limit=50&after=CURSOR, the latest first
//	POST /v1/transactions                     with or without an Idempotency-Key
//	GET  /v1/transactions/{id}
//	GET  /v1/transactions/{id}/attachments
//	PUT  /v1/transactions/{id}/attachments/{name}
//	GET  /v1/transactions/{id}/attachments/{name}
//	GET  /v1/search                           ?q=words&limit=20
//
// Amounts are strings holding decimal numbers, exact to the last digit. An
// error is {"error": {"code", "message"}}, and then nothing has changed. The one
// exception is the code "outcome_unknown": the disk failed while the change was
// being committed, and it may be there or not. The same request with the same
// Idempotency-Key finds out. So it does when a connection ends without an
// answer, which is also what a client gets that closes its side too early.
//
// A GET refuses parameters that it does not know.
package web
