#include "textflag.h"

// See note_amd64.s.

// func Note(p *PCs)
TEXT ·Note(SB), NOSPLIT|NOFRAME, $0-8
	MOVD p+0(FP), R0
	MOVD R29, R1
	MOVD $16, R2
	MOVD $0x100000, R5
next:
	MOVD ZR, R3
	CBZ R1, put
	MOVD 8(R1), R3
	MOVD (R1), R4
	SUB R1, R4, R6
	CMP R5, R6
	BLS up
	MOVD ZR, R4
up:
	MOVD R4, R1
put:
	MOVD.P R3, 8(R0)
	SUBS $1, R2
	BNE next
	RET

// func Goroutine() uintptr
TEXT ·Goroutine(SB), NOSPLIT, $0-8
	MOVD g, R0
	MOVD R0, ret+0(FP)
	RET
