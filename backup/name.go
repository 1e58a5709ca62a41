package backup

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A backup is up to three objects of a store that share its ID.
const (
	idPrefix       = "lido-"
	idTimeLayout   = "20060102T150405Z"
	idLength       = len(idPrefix) + 10 + 1 + len(idTimeLayout) + 1 + 16
	artifactSuffix = ".db.zst"
	pagesSuffix    = ".pages"
	manifestSuffix = ".json"
	maxSequence    = 9_999_999_999
)

// newID names the backup with number seq that starts at t. The random part
// keeps two backups apart whatever the clocks and the numbers do.
func newID(seq int64, t time.Time) string {
	return fmt.Sprintf("%s%010d-%s-%s", idPrefix, seq, t.UTC().Format(idTimeLayout), randomHex(8))
}

// parseID reads the sequence number out of an ID. It accepts exactly what
// newID writes, so an ID is always safe as a file name and as an object key.
func parseID(id string) (seq int64, ok bool) {
	if len(id) != idLength || !strings.HasPrefix(id, idPrefix) {
		return 0, false
	}
	parts := strings.Split(id[len(idPrefix):], "-")
	if len(parts) != 3 || len(parts[0]) != 10 || !isHex(parts[2], 8) {
		return 0, false
	}
	for _, c := range []byte(parts[0]) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	seq, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || seq < 1 {
		return 0, false
	}
	t, err := time.Parse(idTimeLayout, parts[1])
	if err != nil || t.Format(idTimeLayout) != parts[1] {
		return 0, false
	}
	return seq, true
}

// splitName takes the name of an object apart. What another program put into
// the store is not ours: ok is false and nobody touches it.
func splitName(name string) (id, suffix string, ok bool) {
	for _, suffix := range []string{artifactSuffix, pagesSuffix, manifestSuffix} {
		if id, found := strings.CutSuffix(name, suffix); found {
			_, ok := parseID(id)
			return id, suffix, ok
		}
	}
	return "", "", false
}

// randomHex returns n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b)
}

// isHex reports whether s is n bytes in lower-case hexadecimal.
func isHex(s string, n int) bool {
	if len(s) != 2*n {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
