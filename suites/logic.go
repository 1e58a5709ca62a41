package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // for the baseline

	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/stdlib"
	"github.com/lidodb/lido/suites/slt"
)

// logicTests runs every script below a folder, each on a database of its own.
func logicTests(ctx context.Context, opt options, from origin) ([]result, error) {
	var scripts []string
	err := filepath.WalkDir(from.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".test" && strings.Contains(path, opt.run) {
			scripts = append(scripts, path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	results := make([][]result, len(scripts))
	errs := make([]error, len(scripts))
	var workers sync.WaitGroup
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, script := range scripts {
		places <- struct{}{}
		workers.Go(func() {
			defer func() { <-places }()
			results[i], errs[i] = logicTest(ctx, opt, from.dir, script)
		})
	}
	workers.Wait()
	return slices.Concat(results...), errors.Join(errs...)
}

func logicTest(ctx context.Context, opt options, root, script string) (_ []result, err error) {
	dir, err := os.MkdirTemp("", "lido-suites-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, end, err := openLogic(ctx, opt, filepath.Join(dir, "test.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	text, err := os.Open(script)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	name, err := filepath.Rel(root, script)
	if err != nil {
		return nil, err
	}
	counts, err := slt.Run(ctx, conn, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	out := []result{{name: name, state: passed, count: counts.Passed}}
	if counts.Skipped > 0 {
		out = append(out, result{name: name, state: skipped, count: counts.Skipped, output: "records for other engines"})
	}
	for _, f := range counts.Failures {
		line, _, _ := strings.Cut(f, ": ")
		out = append(out, result{name: name + " " + line, state: failed, count: 1, output: f})
	}
	return out, nil
}

// openLogic opens one database, as its users would.
func openLogic(ctx context.Context, opt options, path string) (*sql.DB, func() error, error) {
	if opt.baseline {
		db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
		if err != nil {
			return nil, nil, err
		}
		return db, db.Close, nil
	}
	p, err := pool.Open(ctx, path, pool.Config{})
	if err != nil {
		return nil, nil, err
	}
	db := stdlib.OpenDB(p)
	return db, func() error {
		return errors.Join(db.Close(), p.Close(context.WithoutCancel(ctx)))
	}, nil
}
