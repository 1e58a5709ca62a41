//go:build !earlyack

package book

import (
	"context"

	"github.com/lidodb/lido/gen"
)

// commit runs write in one transaction and returns after its commit, which it
// shares with whoever posts at the same time. So write may run more than once.
// It stands alone because the build tag earlyack has another one, which answers
// too early: the crash test must find that out.
func (b *Book) commit(ctx context.Context, write func(context.Context, *gen.Queries) error) error {
	return b.store.Batch(ctx, write)
}
