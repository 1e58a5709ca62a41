package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
)

// What the external tests need of the inside.

type Source = source

// TakeFrom makes a backup of a source that the test can look into.
func TakeFrom(ctx context.Context, src Source, cfg Config) (Result, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Result{}, err
	}
	r := &runner{cfg: cfg, src: src, walBytes: func() int64 { return 0 }}
	return r.backup(ctx, nil)
}

// Reseal gives the body of a manifest a checksum that fits, as somebody who
// wants to be believed would.
func Reseal(data []byte) []byte {
	if i := bytes.LastIndex(data, []byte(sumField)); i >= 0 {
		data = data[:i]
	}
	sum := sha256.Sum256(data)
	out := append(bytes.Clone(data), sumField...)
	out = hex.AppendEncode(out, sum[:])
	return append(out, sumEnd...)
}

var (
	NewID    = newID
	ParseID  = parseID
	PageSum  = pageSum
	NewRun   = newScratchRun
	SweepRun = sweepScratch
	Rewrite  = rewrite
)

const (
	ArtifactSuffix = artifactSuffix
	PagesSuffix    = pagesSuffix
	ManifestSuffix = manifestSuffix
	ScratchSuffix  = scratchSuffix
	MaxManifest    = maxManifestBytes
)

// Dir and Abandon stand for a process that was killed: the lock goes, the
// files stay.
func (r *scratchRun) Dir() string  { return r.dir }
func (r *scratchRun) Close() error { return r.close() }
func (r *scratchRun) Abandon()     { r.lock.Close() }
