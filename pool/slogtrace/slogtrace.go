// Package slogtrace writes what a pool does to a slog.Logger. It is small, so
// that it can be copied and changed: a tracer for anything else has the same
// methods.
package slogtrace

import (
	"context"
	"log/slog"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// Tracer is a pool.Tracer. Failures are warnings, as is whatever took longer
// than it may; a commit whose outcome is unknown is an error. All the rest is
// for slog.LevelDebug.
type Tracer struct {
	// Logger is where to; slog.Default if nil.
	Logger *slog.Logger
	// SlowQuery is from how long on a query is a warning, SlowTransaction a
	// transaction, and SlowAcquire the wait for a connection. Zero: never.
	SlowQuery, SlowTransaction, SlowAcquire time.Duration
}

// A slip in the name of a method would go unnoticed without these.
var (
	_ pool.Tracer            = (*Tracer)(nil)
	_ pool.TransactionTracer = (*Tracer)(nil)
	_ pool.AcquireTracer     = (*Tracer)(nil)
	_ pool.CheckpointTracer  = (*Tracer)(nil)
)

// log writes one event, if its level is wanted. The attributes are made only
// then.
func (t *Tracer) log(ctx context.Context, level slog.Level, took time.Duration, err error, event string, attrs func() []slog.Attr) {
	logger := t.Logger
	if logger == nil {
		logger = slog.Default()
	}
	if !logger.Enabled(ctx, level) {
		return
	}
	list := append(attrs(), slog.Duration("duration", took))
	if err != nil {
		list = append(list, slog.Any("error", err))
	}
	logger.LogAttrs(ctx, level, event, list...)
}

func level(took, slow time.Duration, err error) slog.Level {
	if err != nil || slow > 0 && took >= slow {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// name is how a query is called in the log. One without a name is its text.
func name(q *lido.Query) string {
	if q.Name != "" {
		return q.Name
	}
	return q.SQL
}

// TraceQueryStart returns ctx; a tracer that makes spans would begin one here.
func (t *Tracer) TraceQueryStart(ctx context.Context, _ pool.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd writes a query.
func (t *Tracer) TraceQueryEnd(ctx context.Context, d pool.TraceQueryEndData) {
	t.log(ctx, level(d.Duration, t.SlowQuery, d.Err), d.Duration, d.Err, "query", func() []slog.Attr {
		return []slog.Attr{slog.String("query", name(d.Query)), slog.Int64("rows", d.Rows), slog.Int64("changes", d.Changes)}
	})
}

// TraceTransactionStart returns ctx.
func (t *Tracer) TraceTransactionStart(ctx context.Context, _ pool.TraceTransactionStartData) context.Context {
	return ctx
}

// TraceTransactionEnd writes a transaction.
func (t *Tracer) TraceTransactionEnd(ctx context.Context, d pool.TraceTransactionEndData) {
	how := level(d.Duration, t.SlowTransaction, d.Err)
	if d.Outcome == sqlite.CommitUnknown {
		how = slog.LevelError
	}
	t.log(ctx, how, d.Duration, d.Err, "transaction", func() []slog.Attr {
		list := []slog.Attr{slog.String("outcome", d.Outcome.String()), slog.Bool("read_only", d.ReadOnly), slog.Duration("wait", d.Wait)}
		if d.Group {
			list = append(list, slog.Int("members", d.Members))
		}
		return list
	})
}

// TraceAcquireStart returns ctx.
func (t *Tracer) TraceAcquireStart(ctx context.Context, _ pool.TraceAcquireStartData) context.Context {
	return ctx
}

// TraceAcquireEnd writes how long a caller waited for a connection.
func (t *Tracer) TraceAcquireEnd(ctx context.Context, d pool.TraceAcquireEndData) {
	t.log(ctx, level(d.Duration, t.SlowAcquire, d.Err), d.Duration, d.Err, "acquire", func() []slog.Attr { return []slog.Attr{slog.String("pool", d.Pool)} })
}

// TraceRelease writes how long a connection was held.
func (t *Tracer) TraceRelease(d pool.TraceReleaseData) {
	t.log(context.Background(), slog.LevelDebug, d.Held, nil, "release", func() []slog.Attr {
		return []slog.Attr{slog.String("pool", d.Pool), slog.Bool("destroyed", d.Destroyed)}
	})
}

// TraceCheckpointStart returns ctx.
func (t *Tracer) TraceCheckpointStart(ctx context.Context, _ pool.TraceCheckpointStartData) context.Context {
	return ctx
}

// TraceCheckpointEnd writes a checkpoint.
func (t *Tracer) TraceCheckpointEnd(ctx context.Context, d pool.TraceCheckpointEndData) {
	t.log(ctx, level(d.Duration, 0, d.Err), d.Duration, d.Err, "checkpoint", func() []slog.Attr {
		return []slog.Attr{slog.Int("wal_frames", d.Result.WALFrames), slog.Int("moved_frames", d.Result.MovedFrames), slog.Bool("busy", d.Result.Busy)}
	})
}
