package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/sqlite"
)

// mounted refuses to replace a file that is a mount point.
func mounted(target string) error {
	return fmt.Errorf("%s is a mount point, and no file can take its place; mount the folder in which it lies, "+
		"or let the database be copied into it (RestoreOptions.InPlace, --in-place): %w", target, ErrMountPoint)
}

// asMounted explains what the system says where isMountPoint cannot look.
func asMounted(target string, err error) error {
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		return fmt.Errorf("%w (%w)", mounted(target), err)
	}
	return err
}

// overwrite copies the staged database into the file at target.
//
// The engine's backup API does so in one transaction: readers are kept out, and
// the next open after a crash rolls back to the old database, as long as the
// journal beside the file is there. A file that is no database has no state to
// roll back to; see rewrite.
func overwrite(ctx context.Context, staged, target string) error {
	if err := settle(ctx, target); err != nil {
		return err
	}
	err := copyInto(ctx, staged, target)
	if noDatabase(err) {
		return rewrite(ctx, staged, target)
	}
	if errors.Is(err, lido.ErrBusy) {
		return inUse(target)
	}
	return err
}

// copyInto runs the engine's backup API from the staged file into target.
func copyInto(ctx context.Context, staged, target string) (err error) {
	src, err := sqlite.Open(ctx, staged, sqlite.Options{ReadOnly: true, Immutable: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := sqlite.Open(ctx, target, sqlite.Options{BusyTimeout: time.Second, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "delete"},
		{Name: "synchronous", Value: "3"}, // EXTRA: the removal of the journal is synced too
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	return src.Backup(ctx, dst, sqlite.BackupOptions{})
}

// unfinishedMark stands at the head of a file while rewrite is at work. It is
// not the head of a database, so that no program opens half of one.
const unfinishedMark = "Lido restores a database into this file. If no restore is running, it was interrupted: run it again.\n"

// headBytes are written last; the smallest page has as many.
const headBytes = 512

// rewrite copies the staged database over a file that is none, the head last.
func rewrite(ctx context.Context, staged, target string) (err error) {
	if err := removeSidecars(target); err != nil {
		return err
	}
	src, err := os.Open(staged)
	if err != nil {
		return err
	}
	defer src.Close() // read only: nothing to lose
	dst, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()

	head := make([]byte, headBytes)
	if _, err := io.ReadFull(src, head); err != nil {
		return err
	}
	mark := make([]byte, headBytes)
	copy(mark, unfinishedMark)
	if _, err := dst.WriteAt(mark, 0); err != nil {
		return err
	}
	if err := dst.Sync(); err != nil {
		return err
	}
	if _, err := dst.Seek(headBytes, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(dst, ctxReader{ctx, src})
	if err != nil {
		return err
	}
	if err := dst.Truncate(headBytes + n); err != nil {
		return err
	}
	if err := dst.Sync(); err != nil {
		return err
	}
	if _, err := dst.WriteAt(head, 0); err != nil {
		return err
	}
	return dst.Sync()
}
