package slogtrace_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/pool/slogtrace"
	"github.com/lidodb/lido/sqlite"
)

var steady = slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Value.Kind() == slog.KindDuration {
		return slog.Attr{}
	}
	return a
}}

func ExampleTracer() {
	dir, err := os.MkdirTemp("", "lido-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &steady)) // without the times, which differ
	db, err := pool.Open(ctx, filepath.Join(dir, "app.db"), pool.Config{Tracer: &slogtrace.Tracer{Logger: logger, SlowQuery: 100 * time.Millisecond}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close(ctx)

	err = db.Write(ctx, func(ctx context.Context, tx lido.Tx) error {
		s, err := tx.PrepareWrite(ctx, &lido.Query{Name: "CreatePeople", SQL: "CREATE TABLE people(name)"})
		if err != nil {
			return err
		}
		_, err = s.Step()
		return errors.Join(err, s.Close())
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// level=DEBUG msg=acquire pool=writer
	// level=DEBUG msg=release pool=writer destroyed=false
	// level=DEBUG msg=acquire pool=writer
	// level=DEBUG msg=query query=CreatePeople rows=0 changes=0
	// level=DEBUG msg=release pool=writer destroyed=false
	// level=DEBUG msg=transaction outcome=committed read_only=false
}

func TestLevelsSayWhatWentWrong(t *testing.T) {
	var out bytes.Buffer
	ctx, boom := t.Context(), errors.New("boom")
	tracer := func(slow time.Duration) *slogtrace.Tracer {
		return &slogtrace.Tracer{Logger: slog.New(slog.NewTextHandler(&out, &steady)), SlowQuery: slow, SlowTransaction: slow, SlowAcquire: slow}
	}
	query := &lido.Query{Name: "Get"}
	for _, test := range []struct {
		do   func(*slogtrace.Tracer)
		slow time.Duration
		want string
	}{
		{func(s *slogtrace.Tracer) {
			s.TraceQueryEnd(ctx, pool.TraceQueryEndData{Query: query, Rows: 2, Duration: 1})
		}, 2, "level=DEBUG msg=query query=Get rows=2 changes=0"},
		{func(s *slogtrace.Tracer) { s.TraceQueryEnd(ctx, pool.TraceQueryEndData{Query: query, Duration: 2}) }, 2, "level=WARN msg=query query=Get"},
		{func(s *slogtrace.Tracer) { s.TraceQueryEnd(ctx, pool.TraceQueryEndData{Query: query, Duration: 2}) }, 0, "level=DEBUG msg=query"},
		{func(s *slogtrace.Tracer) { s.TraceQueryEnd(ctx, pool.TraceQueryEndData{Query: query, Err: boom}) }, 0, "level=WARN msg=query query=Get rows=0 changes=0 error=boom"},
		{func(s *slogtrace.Tracer) {
			s.TraceQueryEnd(ctx, pool.TraceQueryEndData{Query: &lido.Query{SQL: "SELECT 1"}})
		}, 0, `query="SELECT 1"`},
		{func(s *slogtrace.Tracer) {
			s.TraceTransactionEnd(ctx, pool.TraceTransactionEndData{Outcome: sqlite.Committed, Group: true, Members: 3, Duration: 5})
		}, 5, "level=WARN msg=transaction outcome=committed read_only=false members=3"},
		{func(s *slogtrace.Tracer) {
			s.TraceTransactionEnd(ctx, pool.TraceTransactionEndData{Outcome: sqlite.CommitUnknown, Err: boom})
		}, 0, `level=ERROR msg=transaction outcome="commit unknown" read_only=false error=boom`},
		{func(s *slogtrace.Tracer) {
			s.TraceAcquireEnd(ctx, pool.TraceAcquireEndData{Pool: "writer", Duration: 5})
		}, 5, "level=WARN msg=acquire pool=writer"},
		{func(s *slogtrace.Tracer) { s.TraceRelease(pool.TraceReleaseData{Pool: "writer", Held: 5}) }, 5, "level=DEBUG msg=release"},
		{func(s *slogtrace.Tracer) {
			s.TraceCheckpointEnd(ctx, pool.TraceCheckpointEndData{Result: sqlite.CheckpointResult{WALFrames: 4, MovedFrames: 3, Busy: true}})
		}, 0, "level=DEBUG msg=checkpoint wal_frames=4 moved_frames=3 busy=true"},
	} {
		out.Reset()
		test.do(tracer(test.slow))
		if got := out.String(); !strings.Contains(got, test.want) {
			t.Errorf("%q, want %q in it", got, test.want)
		}
	}
}
