package stdlib_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
)

// counting stands for the libraries that wrap a connector.
type counting struct {
	driver.Connector
	connects int
}

func (c *counting) Connect(ctx context.Context) (driver.Conn, error) {
	c.connects++
	return c.Connector.Connect(ctx)
}

func TestAConnectorCanBeWrapped(t *testing.T) {
	db, plain := open(t, pool.Config{})
	exec(t, plain, "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
	wrapped := &counting{Connector: stdlib.NewConnector(db)}
	handle := sql.OpenDB(wrapped)
	t.Cleanup(func() {
		if err := handle.Close(); err != nil {
			t.Error(err)
		}
	})
	equal(t, "a", one[int64](t, handle, "SELECT a FROM t"), 1)
	if wrapped.connects == 0 {
		t.Error("the connector was not asked")
	}
}
