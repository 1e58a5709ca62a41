package sqlite_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lidodb/lido/sqlite"
)

// mapper is a connection that reads a file through mapped memory, beside one
// that writes it.
type mapper struct {
	t    *testing.T
	path string
	w, r *sqlite.Conn
}

// pageBytes is the size of a page of the engine and of the system.
const pageBytes = 4096

func newMapper(t *testing.T) *mapper {
	m := &mapper{t: t, path: filepath.Join(t.TempDir(), "test.db")}
	m.w = openAt(t, m.path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{
		{Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"},
	}})
	exec(t, m.w, fill)
	m.checkpoint()
	m.r = openAt(t, m.path, sqlite.Options{ReadOnly: true, Pragmas: []sqlite.Pragma{
		{Name: "mmap_size", Value: "268435456"}, {Name: "cell_size_check", Value: "1"},
	}})
	m.readAll()
	return m
}

func (m *mapper) checkpoint() {
	m.t.Helper()
	if res, err := m.w.Checkpoint(m.t.Context(), sqlite.Truncate); err != nil || res.Busy {
		m.t.Fatalf("%+v, %v", res, err)
	}
}

func (m *mapper) query(c *sqlite.Conn, sql string) int64 {
	m.t.Helper()
	n, err := c.QueryInt64(m.t.Context(), sql)
	if err != nil {
		m.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// readAll has all of the file in memory.
func (m *mapper) readAll() { m.t.Helper(); m.query(m.r, "SELECT total(length(x)) FROM t") }

// mapped returns how many bytes of the file are mapped, and how many of these
// the process has looked at since.
func (m *mapper) mapped() (length, seen int64) {
	m.t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	ours := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		var from, to, kilobytes int64
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			if ours = strings.HasSuffix(line, m.path); ours {
				length += to - from
			}
		} else if n, _ := fmt.Sscanf(line, "Rss: %d kB", &kilobytes); n == 1 && ours {
			seen += kilobytes << 10
		}
	}
	return length, seen
}

// fileBytes returns the length of the file, in the system's pages.
func (m *mapper) fileBytes() int64 {
	m.t.Helper()
	info, err := os.Stat(m.path)
	if err != nil {
		m.t.Fatal(err)
	}
	return (info.Size() + pageBytes - 1) / pageBytes * pageBytes
}

func TestAMappingStaysWhenSomebodyElseCommits(t *testing.T) {
	m := newMapper(t)
	length, before := m.mapped()
	if length != m.fileBytes() || before < length/2 {
		t.Fatalf("%d bytes of %d are mapped, %d were looked at", length, m.fileBytes(), before)
	}
	exec(t, m.w, "UPDATE t SET x = zeroblob(1000) WHERE id = 1")
	if n := m.query(m.r, "SELECT count(*) FROM t WHERE x = zeroblob(1000) AND id = 1"); n != 1 {
		t.Error("the commit is not seen")
	}
	if now, seen := m.mapped(); now != length || seen < before {
		t.Errorf("%d bytes are mapped and %d were looked at; before it were %d and %d", now, seen, length, before)
	}
}

func TestAMappingIsAsLongAsTheFile(t *testing.T) {
	m := newMapper(t)
	for _, change := range []string{
		"INSERT INTO t(x) SELECT randomblob(1000) FROM t",
		"DELETE FROM t WHERE id > 100; VACUUM",
		"INSERT INTO t(x) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3000) SELECT randomblob(1000) FROM n",
		"DELETE FROM t; VACUUM",
	} {
		before := m.fileBytes()
		exec(t, m.w, change)
		m.checkpoint()
		m.readAll()
		if length, _ := m.mapped(); length != m.fileBytes() || length == before {
			t.Errorf("%s: %d bytes are mapped of a file of %d, which had %d", change, length, m.fileBytes(), before)
		}
	}
}

// overwrite puts zeros in place of what the first page of a kind holds. The kind
// is what the pages of a b-tree begin with.
func (m *mapper) overwrite(kind byte) {
	m.t.Helper()
	f, err := os.OpenFile(m.path, os.O_RDWR, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, pageBytes)
	for offset := int64(pageBytes); ; offset += pageBytes {
		if _, err := f.ReadAt(page, offset); err != nil {
			m.t.Fatalf("no page of kind %d: %v", kind, err)
		}
		if page[0] == kind {
			clear(page[1:])
			if _, err := f.WriteAt(page, offset); err != nil {
				m.t.Fatal(err)
			}
			return
		}
	}
}

func TestPagesInsideOfABTreeAreKeptInTheCacheAndLeavesAreNot(t *testing.T) {
	const interiorTable, leafTable = 5, 13
	m := newMapper(t)
	m.overwrite(interiorTable)
	m.readAll() // what was overwritten is not asked for again
	m.overwrite(leafTable)
	if _, err := m.r.QueryInt64(t.Context(), "SELECT total(length(x)) FROM t"); err == nil {
		t.Error("a leaf that is mapped was not read anew")
	}
}

// A transaction that makes the file longer has pages that are nowhere but in the
// cache, and the engine asks for the mapping of some of them all the same.
func TestAWriterSurvivesAFileThatBecameShorterThanItsMapping(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	m := &mapper{t: t, path: path, w: openAt(t, path, sqlite.Options{Create: true, Pragmas: []sqlite.Pragma{
		{Name: "auto_vacuum", Value: "1"}, {Name: "journal_mode", Value: "wal"}, {Name: "wal_autocheckpoint", Value: "0"},
	}})}
	const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200) "
	exec(t, m.w, "CREATE TABLE t(k PRIMARY KEY) WITHOUT ROWID; CREATE TABLE u(x);"+numbers+"INSERT INTO u SELECT zeroblob(20000) FROM n")
	m.checkpoint()
	other := openAt(t, path, sqlite.Options{Pragmas: []sqlite.Pragma{
		{Name: "mmap_size", Value: "268435456"}, {Name: "wal_autocheckpoint", Value: "0"},
	}})
	m.query(other, "SELECT total(length(x)) FROM u")
	exec(t, m.w, "DELETE FROM u")
	if err := other.Begin(t.Context(), sqlite.Immediate); err != nil {
		t.Fatal(err)
	}
	if _, err := m.w.Checkpoint(t.Context(), sqlite.Passive); err != nil {
		t.Fatal(err)
	}
	// To compare such keys takes what does not fit into their own page.
	exec(t, other, numbers+"INSERT INTO t SELECT CAST(zeroblob(10000) || i AS BLOB) FROM n")
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := other.QueryText(t.Context(), "PRAGMA integrity_check"); got != "ok" || err != nil {
		t.Error(got, err)
	}
}

func TestReadersThroughMappedMemorySeeWhatOthersSeeWhateverHappensToTheFile(t *testing.T) {
	m := newMapper(t)
	plain := openAt(t, m.path, sqlite.Options{ReadOnly: true, Pragmas: []sqlite.Pragma{{Name: "mmap_size", Value: "0"}}})
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	changes := []func(){
		func() {
			exec(t, m.w, fmt.Sprintf("UPDATE t SET x = randomblob(%d) WHERE id %% 7 = 1", random.IntN(3000)))
		},
		func() { exec(t, m.w, fmt.Sprintf("DELETE FROM t WHERE id %% %d = 0", 2+random.IntN(20))) },
		func() { exec(t, m.w, "INSERT INTO t(x) SELECT randomblob(1000) FROM t LIMIT 500") },
		func() { exec(t, m.w, "INSERT INTO t(x) VALUES(randomblob(200000))") },
		func() { exec(t, m.w, "VACUUM") },
		m.checkpoint,
		func() {
			if _, err := m.w.Checkpoint(t.Context(), sqlite.Passive); err != nil {
				t.Fatal(err)
			}
		},
	}
	const all = "SELECT coalesce(sum(id * length(x) + unicode(hex(x))), 0) FROM t"
	for i := range 60 {
		changes[random.IntN(len(changes))]()
		if i%3 == 0 {
			continue // several changes at once
		}
		if got, want := m.query(m.r, all), m.query(plain, all); got != want {
			t.Fatalf("seed %d, step %d: %d through mapped memory, %d without", seed, i, got, want)
		}
	}
}
