#include "textflag.h"

// A frame pointer points at the caller's frame pointer, with the return address
// beside it. Frames lie one above the other; a pointer that goes down, or up by
// more than 1 MiB, is none of Go's, and ends the walk.

// func Note(p *PCs)
TEXT ·Note(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ p+0(FP), DI
	MOVQ BP, SI
	MOVQ $16, CX
next:
	XORQ AX, AX
	TESTQ SI, SI
	JZ put
	MOVQ 8(SI), AX
	MOVQ (SI), DX
	MOVQ DX, BX
	SUBQ SI, BX
	CMPQ BX, $0x100000
	JLS up
	XORQ DX, DX
up:
	MOVQ DX, SI
put:
	MOVQ AX, (DI)
	ADDQ $8, DI
	DECQ CX
	JNZ next
	RET

// func Goroutine() uintptr
TEXT ·Goroutine(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ AX, ret+0(FP)
	RET
