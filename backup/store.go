package backup

import (
	"bytes"
	"context"
	"io"
	"time"
)

// Store is where backups are kept: flat names, whole objects. It must be safe
// for concurrent use.
//
// Names consist of letters, digits, '.' and '-'. Objects are never changed
// once they are there.
type Store interface {
	// Put stores all that r gives under name, atomically: until Put returns
	// nil there is nothing under name, whatever happens, and afterwards it is
	// as durable as the store can make it. It refuses a name that is taken
	// with ErrExists. Callers hold the lock.
	Put(ctx context.Context, name string, r io.Reader) error

	// Open reads an object. It returns an error that matches fs.ErrNotExist
	// where there is none.
	Open(ctx context.Context, name string) (io.ReadCloser, error)

	// List returns every object, in any order. What is half written is not
	// one.
	List(ctx context.Context) ([]Object, error)

	// Remove deletes an object; that there is none is not an error. Callers
	// hold the lock.
	Remove(ctx context.Context, name string) error

	// Lock makes the caller the only writer among all processes that use the
	// store, and waits for its turn as long as ctx allows. Work under the lock
	// runs on the context held, which ends with ctx and also when the lock is
	// lost, as a lease over a network can be. Unlock may be called more than
	// once.
	Lock(ctx context.Context) (held context.Context, unlock func() error, err error)
}

// Object is one entry of a Store.
type Object struct {
	Name     string
	Bytes    int64
	Modified time.Time
}

// putBytes stores an object that is already in memory.
func putBytes(ctx context.Context, store Store, name string, data []byte) error {
	return store.Put(ctx, name, bytes.NewReader(data))
}
