// Package ended says why a context has ended.
package ended

import (
	"context"
	"fmt"
)

// Err returns ctx.Err, with the cause in its text if that says more.
//
// The cause is told and not wrapped: under an errgroup it is the error of
// another goroutine, and errors.Is must not find that goroutine's sql.ErrNoRows
// in the answer to this one's query.
func Err(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && cause != err {
		return fmt.Errorf("%w (%v)", err, cause)
	}
	return err
}
