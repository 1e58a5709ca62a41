package backup_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/lidodb/lido/backup"
)

// put stores an object under the lock, as the interface asks.
func put(t testing.TB, s backup.Store, name, content string) {
	t.Helper()
	if err := s.Put(t.Context(), name, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, s backup.Store, name string) string {
	t.Helper()
	r, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func names(t testing.TB, s backup.Store) []string {
	t.Helper()
	objects, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, o := range objects {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return names
}

// testStore is what every Store must pass. newStore returns handles on one and
// the same store, which is empty at first.
func testStore(t *testing.T, newStore func() backup.Store) {
	s := newStore()
	if got := names(t, s); len(got) != 0 {
		t.Fatalf("a new store holds %v", got)
	}
	if _, err := s.Open(t.Context(), "a.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open what is not there: %v", err)
	}
	if err := s.Remove(t.Context(), "a.json"); err != nil {
		t.Errorf("remove what is not there: %v", err)
	}

	put(t, s, "a.json", "one")
	put(t, s, "b-2.db.zst", "")
	if got := names(t, newStore()); !slices.Equal(got, []string{"a.json", "b-2.db.zst"}) {
		t.Errorf("listed %v", got)
	}
	if got := read(t, newStore(), "a.json"); got != "one" {
		t.Errorf("read %q", got)
	}
	if err := s.Put(t.Context(), "a.json", strings.NewReader("two")); !errors.Is(err, backup.ErrExists) {
		t.Errorf("put over an object: %v", err)
	}
	if got := read(t, s, "a.json"); got != "one" {
		t.Errorf("a refused Put changed the object: %q", got)
	}

	broken := errors.New("broken")
	if err := s.Put(t.Context(), "c.json", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("put of a broken stream: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "c.json", strings.NewReader("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("put after the end: %v", err)
	}
	if got := names(t, s); !slices.Equal(got, []string{"a.json", "b-2.db.zst"}) {
		t.Errorf("half an object shows: %v", got)
	}
	if err := s.Remove(t.Context(), "a.json"); err != nil {
		t.Error(err)
	}
	if got := names(t, s); !slices.Equal(got, []string{"b-2.db.zst"}) {
		t.Errorf("after Remove: %v", got)
	}
	for _, bad := range []string{"", ".", "..", "../x", "a/b", `a\b`, ".hidden", "a b", "a\x00"} {
		if err := s.Put(t.Context(), bad, strings.NewReader("x")); !errors.Is(err, backup.ErrForeign) {
			t.Errorf("put %q: %v", bad, err)
		}
		if _, err := s.Open(t.Context(), bad); err == nil {
			t.Errorf("open %q succeeded", bad)
		}
	}
	testStoreLock(t, newStore)
}

// testStoreLock:
//
//	one                  two
//	Lock
//	                     Lock waits until its context ends
//	                     Lock waits
//	unlock (held ends)
//	                     has it
func testStoreLock(t *testing.T, newStore func() backup.Store) {
	held, unlock, err := newStore().Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := newStore().Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second Lock: %v", err)
	}
	got := make(chan error)
	go func() {
		_, unlock, err := newStore().Lock(t.Context())
		if err == nil {
			err = unlock()
		}
		got <- err
	}()
	if held.Err() != nil {
		t.Error("the lock was lost without a reason")
	}
	if err := errors.Join(unlock(), unlock()); err != nil {
		t.Errorf("unlock, twice: %v", err)
	}
	if held.Err() == nil {
		t.Error("work may go on without the lock")
	}
	if err := <-got; err != nil {
		t.Errorf("Lock after the other unlocked: %v", err)
	}
}

func TestDirStoreIsAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "store")
	testStore(t, func() backup.Store { return backup.NewDirStore(dir) })
}

func TestDirStoreKeepsOthersOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := backup.NewDirStore(dir)
	put(t, s, "a.json", "x")
	for path, want := range map[string]fs.FileMode{dir: 0o700 | fs.ModeDir, filepath.Join(dir, "a.json"): 0o600} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

func TestDirStoreFollowsNoLinks(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "a.json")); err != nil {
		t.Fatal(err)
	}
	s := backup.NewDirStore(dir)
	if _, err := s.Open(t.Context(), "a.json"); !errors.Is(err, backup.ErrForeign) {
		t.Errorf("opened a link: %v", err)
	}
	if got := names(t, s); len(got) != 0 {
		t.Errorf("listed a link: %v", got)
	}
}

func TestDirStoreLockSweepsWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, ".tmp-0123456789abcdef")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, unlock, err := backup.NewDirStore(dir).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the leftover stays: %v", err)
	}
}

func TestReadingCreatesNoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	s := backup.NewDirStore(dir)
	if _, err := backup.List(t.Context(), s); err != nil {
		t.Error(err)
	}
	if _, err := backup.Verify(t.Context(), s, "", backup.VerifyOptions{}); !errors.Is(err, backup.ErrNoBackup) {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

// TestALockEndsWithItsProcess:
//
//	this process               another process
//	                           Lock
//	Prune waits, gives up
//	kill -9
//	Prune works
func TestALockEndsWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	p := startHelper(t, "lock", dir)
	p.expect(t, "locked")
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := backup.Prune(short, backup.NewDirStore(dir), backup.Keep{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Prune beside another process: %v", err)
	}
	p.kill(t)
	if _, err := backup.Prune(t.Context(), backup.NewDirStore(dir), backup.Keep{}); err != nil {
		t.Errorf("Prune after the other was killed: %v", err)
	}
}
