package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/lidodb/lido/pool"
	lido "github.com/lidodb/lido/sqlite"
	"github.com/lidodb/lido/stdlib"
)

// Driver opens data source names; see the package documentation.
type Driver struct {
	declared bool // values as the declared types of their columns say
}

// The suites import a driver for this effect and name it in sql.Open.
func init() {
	sql.Register("sqlite", &Driver{})
	sql.Register("sqlite3", &Driver{declared: true})
}

// OpenConnector parses dsn; the database is opened when it is first needed.
func (d *Driver) OpenConnector(dsn string) (driver.Connector, error) {
	s, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	return &connector{driver: d, source: s}, nil
}

// Open is for those who use a driver without database/sql. The connection that
// it returns keeps the database open until it is closed.
func (d *Driver) Open(dsn string) (driver.Conn, error) {
	c, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	made, err := c.Connect(context.Background())
	if err != nil {
		return nil, errors.Join(err, c.(*connector).Close())
	}
	made.(*conn).last = c.(*connector)
	return made, nil
}

// connector belongs to one *sql.DB, which closes it.
type connector struct {
	driver *Driver
	source source

	mu    sync.Mutex // guards what follows
	base  *database
	inner driver.Connector
}

// options of package stdlib.
func (c *connector) options() []stdlib.Option {
	if c.driver.declared || c.source.intToTime {
		return []stdlib.Option{stdlib.WithDeclaredTypes()}
	}
	return nil
}

// Connect opens the database on the first call.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		base, err := take(ctx, c.source)
		if err != nil {
			return nil, stock(err)
		}
		c.base, c.inner = base, stdlib.NewConnector(base.pool, c.options()...)
	}
	made, err := c.inner.Connect(ctx)
	if err != nil {
		return nil, stock(err)
	}
	return &conn{lidoConn: made.(lidoConn)}, nil
}

// Driver returns the driver that was registered.
func (c *connector) Driver() driver.Driver { return c.driver }

// Close closes the database if nobody else has it open.
func (c *connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	base := c.base
	c.base, c.inner = nil, nil
	if base == nil {
		return nil
	}
	return base.give()
}

// database is a pool and how many have it.
type database struct {
	key    string
	pool   *pool.DB
	folder string // of a memory database, to be removed
	users  int
}

var (
	openMu  sync.Mutex // guards what follows and database.users
	open    = map[string]*database{}
	private int
)

// take opens what s names, or finds it open.
func take(ctx context.Context, s source) (_ *database, err error) {
	openMu.Lock()
	defer openMu.Unlock()
	key := s.name
	if key == "" {
		private++
		key = "private " + strconv.Itoa(private)
	}
	if base := open[key]; base != nil {
		base.users++
		return base, nil
	}
	base := &database{key: key, users: 1}
	path := s.name
	if s.memory {
		if base.folder, err = os.MkdirTemp("", "lido-suites-"); err != nil {
			return nil, err
		}
		path = filepath.Join(base.folder, "memory.db")
	}
	cfg := s.config
	cfg.OnConnect = func(ctx context.Context, c *lido.Conn) error {
		for _, p := range s.pragmas {
			if err := c.Exec(ctx, p); err != nil {
				return err
			}
		}
		return nil
	}
	// The pool outlives the call that has happened to need it first.
	if base.pool, err = pool.Open(context.WithoutCancel(ctx), path, cfg); err != nil {
		return nil, errors.Join(err, base.remove())
	}
	open[key] = base
	return base, nil
}

func (base *database) give() error {
	openMu.Lock()
	defer openMu.Unlock()
	if base.users--; base.users > 0 {
		return nil
	}
	delete(open, base.key)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(base.pool.Close(ctx), base.remove())
}

func (base *database) remove() error {
	if base.folder == "" {
		return nil
	}
	return os.RemoveAll(base.folder)
}
