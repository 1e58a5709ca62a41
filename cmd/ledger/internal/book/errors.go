package book

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound: there is no such account, transaction or attachment.
	ErrNotFound = errors.New("not found")
	// ErrKeyReused: the idempotency key belongs to another request.
	ErrKeyReused = errors.New("idempotency key was used for another request")
)

// Invalid is input that the books cannot take.
type Invalid struct {
	// Code is a short word for programs: "unbalanced", "unknown_account".
	Code string
	// Where names the thing: a line of a file, a posting, an account. It may
	// be empty.
	Where string
	// Problem says what is wrong, Remedy what to do about it.
	Problem, Remedy string
}

// Error says where, what and what to do.
func (e *Invalid) Error() string {
	text := e.Problem
	if e.Where != "" {
		text = e.Where + ": " + text
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

func invalid(code, remedy, format string, args ...any) *Invalid {
	return &Invalid{Code: code, Problem: fmt.Sprintf(format, args...), Remedy: remedy}
}

// at puts a place in front of an Invalid; other errors pass unchanged.
func at(place string, err error) error {
	var e *Invalid
	if place == "" || !errors.As(err, &e) {
		return err
	}
	moved := *e
	if moved.Where == "" {
		moved.Where = place
	} else {
		moved.Where = place + ": " + moved.Where
	}
	return &moved
}
