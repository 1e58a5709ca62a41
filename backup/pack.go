package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/zstd"
)

const (
	// packWindow is zstd's window when writing; readWindow is the largest that
	// reading accepts, for memory is spent before anything is proved.
	packWindow = 4 << 20
	readWindow = 8 << 20
	// progressBytes is how much is moved between two reports.
	progressBytes = 1 << 20
	// maxReportedPages bounds DamageError.Pages.
	maxReportedPages = 16
)

// pageSum is the checksum of one page.
func pageSum(page []byte) (sum [pageSumBytes]byte) {
	full := sha256.Sum256(page)
	copy(sum[:], full[:])
	return sum
}

// meter counts and hashes what passes through it.
type meter struct {
	n int64
	h hash.Hash
}

func newMeter() *meter { return &meter{h: sha256.New()} }

func (m *meter) Write(p []byte) (int, error) {
	m.n += int64(len(p))
	return m.h.Write(p)
}

func (m *meter) sum() string { return hex.EncodeToString(m.h.Sum(nil)) }

// pack compresses the plain copy at path into the store, with the checksums
// of its pages beside it, and fills in what m says about the three of them.
func pack(ctx context.Context, store Store, path string, m *Manifest, run *scratchRun, progress ProgressFunc) (err error) {
	plain, err := os.Open(path)
	if err != nil {
		return err
	}
	defer plain.Close() // read only: nothing to lose
	sums, err := os.OpenFile(run.path("pages"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sums.Close()) }()

	// The store pulls, the compressor pushes: one goroutine, joined below.
	pr, pw := io.Pipe()
	packed, pages := newMeter(), newMeter()
	done := make(chan error, 1)
	go func() {
		sumw := bufio.NewWriter(io.MultiWriter(sums, pages))
		err := compress(ctx, io.MultiWriter(pw, packed), sumw, plain, m, progress)
		err = errors.Join(err, sumw.Flush())
		pw.CloseWithError(err) // nil is io.EOF to the reader
		done <- err
	}()
	putErr := store.Put(ctx, m.Artifact.Name, pr)
	pr.CloseWithError(errors.Join(putErr, io.ErrClosedPipe)) // a store that stopped early must not leave the other waiting
	if err := <-done; err != nil && putErr == nil {
		return err
	}
	if putErr != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("put %s: %w", m.Artifact.Name, putErr)
	}
	m.Artifact.Bytes, m.Artifact.SHA256 = packed.n, packed.sum()
	m.Checksums.Bytes, m.Checksums.SHA256 = pages.n, pages.sum()

	if _, err := sums.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := store.Put(ctx, m.Checksums.Name, sums); err != nil {
		return fmt.Errorf("put %s: %w", m.Checksums.Name, err)
	}
	return nil
}

// compress reads plain page by page.
func compress(ctx context.Context, dst, sums io.Writer, plain io.Reader, m *Manifest, progress ProgressFunc) error {
	enc, err := zstd.NewWriter(dst,
		zstd.WithEncoderConcurrency(1), // the application's own work goes first
		zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithWindowSize(packWindow))
	if err != nil {
		return err
	}
	h := sha256.New()
	page := make([]byte, m.Database.PageSize)
	in := bufio.NewReaderSize(ctxReader{ctx, plain}, progressBytes)
	for n := range m.Database.PageCount {
		if _, err := io.ReadFull(in, page); err != nil {
			return errors.Join(fmt.Errorf("read page %d of the copy: %w", n+1, err), enc.Close())
		}
		h.Write(page)
		sum := pageSum(page)
		if _, err := sums.Write(sum[:]); err != nil {
			return errors.Join(err, enc.Close())
		}
		if _, err := enc.Write(page); err != nil {
			return errors.Join(err, enc.Close())
		}
		m.Plain.Bytes += int64(len(page))
		if m.Plain.Bytes%progressBytes < int64(len(page)) {
			progress.report(PhasePack, m.Plain.Bytes, m.Database.PageSize*m.Database.PageCount)
		}
	}
	m.Plain.SHA256 = hex.EncodeToString(h.Sum(nil))
	return enc.Close()
}

// unpack restores the artifact of m from the store into dst and proves every
// byte of it: sizes, hashes of both forms, the checksum of each page. It
// writes no more than m says, whatever the artifact claims.
func unpack(ctx context.Context, store Store, m *Manifest, dst io.Writer, withSums bool, progress ProgressFunc) (err error) {
	artifact, err := openPart(ctx, store, m.ID, m.Artifact.Name)
	if err != nil {
		return err
	}
	defer artifact.Close() // read only: nothing to lose
	sums := &sumReader{}
	if withSums {
		r, err := openPart(ctx, store, m.ID, m.Checksums.Name)
		if err != nil {
			return err
		}
		defer r.Close()
		sums.open(ctx, r, m.Checksums.Bytes)
	}

	packed := newMeter()
	in := io.TeeReader(io.LimitReader(ctxReader{ctx, artifact}, m.Artifact.Bytes+1), packed)
	plain := newMeter()
	decodeErr := decompress(in, io.MultiWriter(dst, plain), sums, m, progress)
	// What the decoder did not want is counted too: it tells a file that ends
	// early from one that is wrong.
	_, drainErr := io.Copy(io.Discard, in)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if drainErr != nil {
		return fmt.Errorf("backup %s: read %s: %w", m.ID, m.Artifact.Name, drainErr)
	}
	var wErr *writeError
	damaged := func(check, format string, args ...any) error {
		return &DamageError{ID: m.ID, Check: check, Detail: fmt.Sprintf(format, args...), Pages: sums.bad}
	}
	switch {
	case errors.As(decodeErr, &wErr):
		return wErr.err
	case packed.n < m.Artifact.Bytes:
		return fmt.Errorf("backup %s: %s ends after %d of %d bytes: %w",
			m.ID, m.Artifact.Name, packed.n, m.Artifact.Bytes, ErrTruncated)
	case packed.n > m.Artifact.Bytes:
		return damaged("size of artifact", "more than %d bytes", m.Artifact.Bytes)
	case packed.sum() != m.Artifact.SHA256:
		return damaged("artifact sha256", "%s instead of %s", packed.sum(), m.Artifact.SHA256)
	case decodeErr != nil:
		return damaged("decompression", "%v", decodeErr)
	case plain.sum() != m.Plain.SHA256:
		return damaged("plain sha256", "%s instead of %s", plain.sum(), m.Plain.SHA256)
	}
	if !withSums {
		return nil
	}
	return sums.finish(m)
}

// openPart opens an object that the manifest promises.
func openPart(ctx context.Context, store Store, id, name string) (io.ReadCloser, error) {
	r, err := store.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("backup %s: %s is missing: %w", id, name, ErrTruncated)
	}
	if err != nil {
		return nil, fmt.Errorf("backup %s: open %s: %w", id, name, err)
	}
	return r, nil
}

// writeError is a fault of the disk we write to, not of what we read.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// decompress writes exactly as many pages as m says.
func decompress(in io.Reader, dst io.Writer, sums *sumReader, m *Manifest, progress ProgressFunc) error {
	dec, err := zstd.NewReader(in,
		zstd.WithDecoderConcurrency(1), // synchronous: no goroutine to join
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(readWindow))
	if err != nil {
		return err
	}
	defer dec.Close()
	page := make([]byte, m.Database.PageSize)
	var done int64
	for n := range m.Database.PageCount {
		if _, err := io.ReadFull(dec, page); err != nil {
			return fmt.Errorf("page %d: %w", n+1, err)
		}
		sums.check(n+1, page)
		if _, err := dst.Write(page); err != nil {
			return &writeError{err}
		}
		done += int64(len(page))
		if done%progressBytes < int64(len(page)) {
			progress.report(PhaseRead, done, m.Plain.Bytes)
		}
	}
	switch _, err := io.ReadFull(dec, page[:1]); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("more data than the manifest says")
	default:
		return err
	}
}

// sumReader compares pages to the object of page checksums.
type sumReader struct {
	in    *bufio.Reader // nil: do not compare
	meter *meter
	err   error
	bad   []int64
}

func (s *sumReader) open(ctx context.Context, r io.Reader, size int64) {
	s.meter = newMeter()
	s.in = bufio.NewReader(io.TeeReader(io.LimitReader(ctxReader{ctx, r}, size+1), s.meter))
}

func (s *sumReader) check(n int64, page []byte) {
	if s.in == nil || s.err != nil {
		return
	}
	var want [pageSumBytes]byte
	if _, s.err = io.ReadFull(s.in, want[:]); s.err != nil {
		return
	}
	if pageSum(page) != want && len(s.bad) < maxReportedPages {
		s.bad = append(s.bad, n)
	}
}

// finish judges the checksums once the pages are known to be right, so what
// is wrong now is wrong with the checksums.
func (s *sumReader) finish(m *Manifest) error {
	if s.err == nil {
		_, s.err = io.Copy(io.Discard, s.in)
	}
	damaged := func(format string, args ...any) error {
		return &DamageError{ID: m.ID, Check: "page checksums",
			Detail: fmt.Sprintf(format, args...) + "; the database itself is intact, " +
				"so RestoreOptions.WithoutPageChecksums can still restore it"}
	}
	switch {
	case s.meter.n < m.Checksums.Bytes && (s.err == nil || s.err == io.EOF || s.err == io.ErrUnexpectedEOF):
		return fmt.Errorf("backup %s: %s ends after %d of %d bytes: %w",
			m.ID, m.Checksums.Name, s.meter.n, m.Checksums.Bytes, ErrTruncated)
	case s.err != nil:
		return fmt.Errorf("backup %s: read %s: %w", m.ID, m.Checksums.Name, s.err)
	case s.meter.n > m.Checksums.Bytes:
		return damaged("more than %d bytes", m.Checksums.Bytes)
	case s.meter.sum() != m.Checksums.SHA256:
		return damaged("%s instead of %s", s.meter.sum(), m.Checksums.SHA256)
	case len(s.bad) > 0:
		return damaged("they disagree with pages %v", s.bad)
	}
	return nil
}
