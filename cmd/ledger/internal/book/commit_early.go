//go:build earlyack

package book

import (
	"context"
	"time"

	"github.com/lidodb/lido/gen"
)

// commit is wrong on purpose: it returns before the commit. A crash in between
// loses what was acknowledged, and the crash test has to notice.
func (b *Book) commit(ctx context.Context, write func(context.Context, *gen.Queries) error) error {
	answer := make(chan error, 2)
	go func() {
		answer <- b.store.Write(context.WithoutCancel(ctx), func(ctx context.Context, q *gen.Queries) error {
			if err := write(ctx, q); err != nil {
				return err
			}
			answer <- nil
			time.Sleep(10 * time.Millisecond)
			return nil
		})
	}()
	return <-answer
}
