package sqlite

import lib "modernc.org/sqlite/lib"

// parseChecks lets the engine parse CHECK constraints on a connection that
// cannot write. It leaves them out where the b-tree of the main database is
// marked as read-only, since no statement there needs them; only
// integrity_check and quick_check would, and they then report nothing.
//
// The mark is taken away before the schema is read. It was the second lock on
// writing: the first, query_only, is set by Open and from then on kept.
//
// https://www.sqlite.org/pragma.html#pragma_integrity_check
func (c *Conn) parseChecks() {
	main := (*lib.TDb)(pointer(db(c).FaDb))
	shared := (*lib.TBtShared)(pointer((*lib.TBtree)(pointer(main.FpBt)).FpBt))
	shared.FbtsFlags &^= lib.BTS_READ_ONLY
}
