package lido_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lidodb/lido"
)

type (
	writer  struct{ lido.Database }
	batcher struct{ writer }
)

var errWrote, errBatched = errors.New("Write was called"), errors.New("Batch was called")

func (writer) Write(context.Context, func(context.Context, lido.Tx) error) error  { return errWrote }
func (batcher) Batch(context.Context, func(context.Context, lido.Tx) error) error { return errBatched }

func TestBatchIsTheDatabasesOwnOrElseItsWrite(t *testing.T) {
	for db, want := range map[lido.Database]error{writer{}: errWrote, batcher{}: errBatched} {
		if err := lido.Batch(t.Context(), db, nil); err != want {
			t.Errorf("%T: %v", db, err)
		}
	}
}
