// Package modeltest holds package pool against a model: random interleavings
// of everything a caller can do, and after each step a comparison with what a
// few maps say should be there. It has tests only.
//
// # How it works
//
// A world is a database, its pool, a *sql.DB over it, a rival that stands for
// another process, an observer, and up to five calls on the way at the same
// time. Each call is a goroutine that does one thing to the pool: a Write or
// Read closure, a single statement, an iterator, a borrowed connection, a
// database/sql transaction, a checkpoint, Close. A closure does not run
// through: it waits for orders, one statement at a time, so that the test alone
// decides what happens between two statements of a transaction. An SQL function
// that waits does the same in the middle of a statement, inside the engine.
//
// All of it runs in a testing/synctest bubble. After each order the test waits
// until every goroutine is blocked; then each call has answered, or is in a
// queue, or in the engine. So an interleaving is a matter of the seed alone,
// although the calls are real goroutines, and an hour passes in no time. A
// goroutine that is left over fails the test.
//
// The model is the content that is committed, and beside it that of each
// transaction. Every answer must be one that the model allows: what is
// acknowledged is in the file, what failed is not, a snapshot does not move,
// and nobody sees what is not committed. Where several writes are answered in
// one step (a group, or a queue that has been let go) there must be an order in
// which all the answers, and the content afterwards, are right.
//
// # Reading a failure
//
// A failure prints the steps, the shortest that rapid could find, and the seed:
//
//	go test ./pool/internal/modeltest -run TestName -rapid.seed=N
//
// "make torture-model" runs many more of them (LIDO_MODEL_STEPS).
//
// Package seeded has the mistakes that this test must be able to find;
// "make seeded" builds them in, one after the other.
package modeltest
