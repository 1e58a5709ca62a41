package sqlite

import (
	"unsafe"

	lib "modernc.org/sqlite/lib"
)

// KeepsOnFailure reports that the statement may fail and yet keep what it has
// done up to there, as ON CONFLICT FAIL and RAISE(FAIL) ask for: in its own
// text, in a table or in a trigger. Outside a transaction the engine then
// commits the part, and returns the error.
//
// https://www.sqlite.org/lang_conflict.html
func (s *Stmt) KeepsOnFailure() bool { return s.keepsOnFailure }

// fails looks for instructions that stop with that effect. Triggers are
// programs within the program; seen keeps one that calls itself from going on
// for ever.
func fails(ops uintptr, count int32, seen map[uintptr]bool) bool {
	for i := range count {
		op := (*lib.TVdbeOp)(pointer(ops + uintptr(i)*unsafe.Sizeof(lib.TVdbeOp{})))
		switch op.Fopcode {
		case lib.OP_Halt, lib.OP_HaltIfNull:
			if op.Fp1 != lib.SQLITE_OK && op.Fp2 == lib.OE_Fail {
				return true
			}
		case lib.OP_VUpdate:
			if op.Fp5 == lib.OE_Fail {
				return true
			}
		case lib.OP_Program:
			at := *(*uintptr)(unsafe.Pointer(&op.Fp4))
			if seen[at] {
				continue
			}
			if seen == nil {
				seen = make(map[uintptr]bool)
			}
			seen[at] = true
			if sub := (*lib.TSubProgram)(pointer(at)); fails(sub.FaOp, sub.FnOp, seen) {
				return true
			}
		}
	}
	return false
}
