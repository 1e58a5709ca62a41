package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/cmd/ledger/internal/web"
	"github.com/lidodb/lido/gen"
	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/schema"
)

type serveOptions struct {
	*options
	addr           string
	sample         bool
	drain          time.Duration
	backupInterval time.Duration
}

func newServe(opt *options) *cobra.Command {
	o := serveOptions{options: opt}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the books as JSON over HTTP",
		Long: "Serve opens the books in the data folder, or begins them with sample books, and\n" +
			"serves them until it gets SIGINT or SIGTERM.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on; port 0 takes a free one")
	cmd.Flags().BoolVar(&o.sample, "sample", true, "load the sample books when there are none")
	cmd.Flags().DurationVar(&o.drain, "drain", time.Second, "how long /readyz says 503 before requests are refused")
	cmd.Flags().DurationVar(&o.backupInterval, "backup-interval", 12*time.Hour, "longest time between two backups; negative for none")
	return cmd
}

// run serves until ctx ends. It listens before it opens the books, so that
// probes can see that it is starting.
func (o *serveOptions) run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(o.stderr, nil))
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return err
	}
	backups, monitor, err := o.services(log)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return fmt.Errorf("%w; choose another address with --addr", err)
	}
	var api atomic.Pointer[http.Handler]
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		web.Error(w, http.StatusForbidden, "cross_origin", "a page of another origin may not change the books")
	}))
	server := &http.Server{
		Handler:           sameOrigin.Handler(o.routes(monitor, &api)),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("listening", "url", "http://"+listener.Addr().String())

	err = o.serveBooks(ctx, listener.Addr().String(), log, backups, monitor, &api, server, served)
	// Requests have been waited for; what is left now is a server that never
	// got as far.
	return errors.Join(err, server.Close())
}

// services returns what watches over the books.
func (o *serveOptions) services(log *slog.Logger) (*backup.Service, *health.Monitor, error) {
	dir := filepath.Join(o.data, "backups")
	// Moved: the folder lies in that of the books and moves with it.
	backups, err := backup.New(backup.Config{Store: backup.NewDirStore(dir), Moved: true, Interval: o.backupInterval, Logger: log})
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	cfg := health.Config{Logger: log, BackupDir: dir, Migrations: migrations}
	if o.backupInterval > 0 {
		cfg.Backups = backups
	}
	monitor, err := health.New(cfg)
	return backups, monitor, err
}

// routes puts the probes beside the API, which answers once there is one.
func (o *serveOptions) routes(monitor *health.Monitor, api *atomic.Pointer[http.Handler]) http.Handler {
	mux := http.NewServeMux()
	probes := monitor.Handler()
	mux.Handle("/livez", probes)
	mux.Handle("/readyz", probes)
	mux.Handle("/healthz", monitor.DetailHandler(nil))
	mux.Handle("GET /{$}", web.Index("/livez", "/readyz", "/healthz"))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		handler := api.Load()
		if handler == nil {
			w.Header().Set("Retry-After", "1")
			web.Error(w, http.StatusServiceUnavailable, "unavailable", "the server is starting; try again")
			return
		}
		(*handler).ServeHTTP(w, r)
	})
	return mux
}

// serveBooks opens the books, serves them until ctx ends, and closes them.
func (o *serveOptions) serveBooks(ctx context.Context, addr string, log *slog.Logger, backups *backup.Service,
	monitor *health.Monitor, api *atomic.Pointer[http.Handler], server *http.Server, served <-chan error) (err error) {
	serving := monitor.Hold(health.Starting) // for longer than the pool: until the API answers
	db, err := pool.Open(ctx, o.path(), pool.Config{
		Synchronous: pool.SynchronousFull,
		Prepare: func(ctx context.Context, db *pool.DB) error {
			release := monitor.Hold(health.Migrating)
			defer release()
			return schema.Migrate(ctx, db)
		},
		Services: []pool.Service{backups, monitor},
		Logger:   log,
	})
	if err != nil {
		return o.unlessStopped(ctx, err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, db.Close(closing))
	}()
	books := book.New(gen.NewStore(db))
	if o.sample {
		if err := o.loadSample(ctx, books); err != nil {
			return o.unlessStopped(ctx, err)
		}
	}
	handler := web.Handler(books, log)
	api.Store(&handler)
	serving()
	if err := welcome(o.stdout, addr, o.path()); err != nil {
		return err
	}

	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	monitor.Drain()
	fmt.Fprintln(o.stderr, "stopping: /readyz says 503, open requests are finished")
	select {
	case <-time.After(o.drain):
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return server.Shutdown(closing)
}

// unlessStopped returns the error of a step of the start, but for one that only
// says that ctx has ended.
func (o *serveOptions) unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		return err
	}
	fmt.Fprintln(o.stderr, "stopped while starting")
	return nil
}

func (o *serveOptions) loadSample(ctx context.Context, books *book.Book) error {
	empty, err := books.Empty(ctx)
	if err != nil || !empty {
		return err
	}
	if err := importSample(ctx, books, o.stderr); err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.stdout, "The books were empty: loaded the sample books, a household and a studio in 2024 and 2025.")
	return err
}

// welcome says where to look. The commands are meant to be pasted as they are.
func welcome(w io.Writer, addr, path string) error {
	_, err := fmt.Fprintf(w, `Serving %[2]s on http://%[1]s (health: /livez /readyz /healthz). Try:

  curl 'http://%[1]s/v1/accounts/assets:bank:checking/register?from=2025-12-01'
  curl 'http://%[1]s/v1/search?q=caf%%C3%%A9'
  curl http://%[1]s/v1/transactions -H 'Content-Type: application/json' -H 'Idempotency-Key: first' -d '{"date": "2025-12-31", "description": "Coffee", "postings": [{"account": "expenses:food:bakery", "amount": "3.20", "currency": "EUR"}, {"account": "assets:cash", "amount": "-3.20", "currency": "EUR"}]}'

Stop with Ctrl-C.
`, addr, path)
	return err
}
