package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The format of a manifest, as its first two fields say.
const (
	ManifestFormat  = "lido-backup"
	ManifestVersion = 1
)

// maxManifestBytes bounds what is read before anything is known to be true.
const maxManifestBytes = 1 << 20

// Manifest describes one backup. It is published last: an artifact without
// a manifest does not count.
//
// The file is JSON. Its last field, "manifest_sha256", is the hash of every
// byte before the comma that precedes it. Readers ignore fields that they do
// not know; a change that they must not ignore raises Version.
type Manifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// ID is the common part of the names of the backup's objects.
	ID string `json:"id"`
	// Sequence counts the backups of a store, from 1.
	Sequence int64 `json:"sequence"`

	Database  DatabaseInfo `json:"database"`
	Artifact  ArtifactInfo `json:"artifact"`
	Plain     PlainInfo    `json:"plain"`
	Checksums PagesInfo    `json:"page_checksums"`
	Times     Times        `json:"times"`
	Tools     Tools        `json:"tools"`
}

// DatabaseInfo is what the snapshot said about itself, read in the same
// transaction that the pages were copied in.
type DatabaseInfo struct {
	// ID is random. The first backup of a Name and an Origin in a store draws
	// it and later ones inherit it. Nothing is written into the database.
	// Retention goes by it alone.
	ID string `json:"id"`
	// Name is Config.Name, by default the base name of Source.
	Name string `json:"name"`
	// Source is the base name of the database file.
	Source string `json:"source"`
	// Origin is nil in manifests of a Lido that did not record it.
	Origin *Origin `json:"origin,omitempty"`

	PageSize  int64 `json:"page_size"`
	PageCount int64 `json:"page_count"`
	// ApplicationID and UserVersion are the PRAGMAs of these names.
	ApplicationID int64 `json:"application_id"`
	UserVersion   int64 `json:"user_version"`
	// SchemaSHA256 is the hash that SchemaHash computes.
	SchemaSHA256 string `json:"schema_sha256"`
	// Migration is nil where the database has no table of migrations.
	Migration *Migration `json:"migration,omitempty"`
	// ForeignKeyViolations counts the rows that refer to a row or a table that
	// does not exist.
	ForeignKeyViolations int64 `json:"foreign_key_violations"`
	// Broken is nil where every row keeps the schema, and in manifests of
	// versions that did not look.
	Broken *Broken `json:"broken,omitempty"`
}

// Migration is the newest migration that the snapshot has seen.
type Migration struct {
	Table   string `json:"table"`
	Version int64  `json:"version"`
}

// ArtifactInfo describes the compressed copy in the store.
type ArtifactInfo struct {
	Name        string `json:"name"`
	Compression string `json:"compression"` // "zstd"
	Encryption  string `json:"encryption"`  // "" for none
	Bytes       int64  `json:"bytes"`
	SHA256      string `json:"sha256"`
}

// PlainInfo describes the database file inside the artifact.
type PlainInfo struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// PagesInfo describes the object of page checksums: for each page, in order,
// the first 8 bytes of its SHA-256, and nothing else. It stands beside the
// manifest because it grows with the database, and a manifest should stay
// cheap to list.
type PagesInfo struct {
	Name      string `json:"name"`
	Algorithm string `json:"algorithm"` // "sha256-64"
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
}

// Times of a backup, in UTC.
type Times struct {
	Started time.Time `json:"started"`
	// Snapshot is when the read transaction began: every commit acknowledged
	// before it is in the backup.
	Snapshot time.Time `json:"snapshot"`
	// Copied is when the last page had been copied and the snapshot released.
	Copied time.Time `json:"copied"`
	// Verified is when the published form had been restored and checked.
	Verified time.Time `json:"verified"`
}

// Tools are the versions of what made the backup.
type Tools struct {
	Lido         string `json:"lido"`
	SQLite       string `json:"sqlite"`
	SQLiteSource string `json:"sqlite_source"`
	Go           string `json:"go"`
	Platform     string `json:"platform"`
}

// Values of a manifest that this version writes.
const (
	compressionZstd  = "zstd"
	algorithmSHA256h = "sha256-64"
	pageSumBytes     = 8
)

const (
	sumField  = ",\n  \"manifest_sha256\": \""
	sumEnd    = "\"\n}\n"
	sumLength = len(sumField) + 2*sha256.Size + len(sumEnd)
)

// Encode returns the file form of m, with its own checksum.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	body = bytes.TrimSuffix(body, []byte("\n}"))
	sum := sha256.Sum256(body)
	body = append(body, sumField...)
	body = hex.AppendEncode(body, sum[:])
	return append(body, sumEnd...), nil
}

// DecodeManifest reads what Encode wrote. It returns ErrForeign for a file
// that is no manifest of Lido's, ErrNewer for one of a later version, and
// ErrDamaged or ErrTruncated where the checksum or a value cannot be right.
func DecodeManifest(data []byte) (*Manifest, error) {
	if len(data) > maxManifestBytes {
		return nil, fmt.Errorf("manifest of more than %d bytes: %w", maxManifestBytes, ErrForeign)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("manifest is empty: %w", ErrTruncated)
	}
	// The checksum comes first: behind it the bytes are what some Encode
	// wrote, so a wrong value is a wrong writer and not a flipped bit.
	body, ok := splitSum(data)
	if !ok {
		return nil, explainUnsummed(data)
	}
	m := new(Manifest)
	if err := json.Unmarshal(append(bytes.Clone(body), "\n}"...), m); err != nil {
		return nil, fmt.Errorf("manifest is no JSON of the expected form (%v): %w", err, ErrDamaged)
	}
	if err := m.validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// splitSum returns the part of data that its checksum covers, if it holds.
func splitSum(data []byte) (body []byte, ok bool) {
	if len(data) <= sumLength {
		return nil, false
	}
	body, tail := data[:len(data)-sumLength], string(data[len(data)-sumLength:])
	sum := sha256.Sum256(body)
	return body, tail == sumField+hex.EncodeToString(sum[:])+sumEnd
}

// explainUnsummed tells a manifest that was changed from a file that never
// was one. The answer is a refusal either way.
func explainUnsummed(data []byte) error {
	head := data[:min(len(data), 64)]
	switch {
	case !bytes.Contains(head, []byte(ManifestFormat)):
		return fmt.Errorf("manifest does not begin as one of Lido's: %w", ErrForeign)
	case !bytes.HasSuffix(data, []byte(sumEnd)):
		return fmt.Errorf("manifest ends early: %w", ErrTruncated)
	}
	return fmt.Errorf("manifest does not match its own checksum: %w", ErrDamaged)
}

// validate checks all that can be known without the other objects. After it
// no name in m leads outside the store, and no size contradicts another.
func (m *Manifest) validate() error {
	if m.Format != ManifestFormat {
		return fmt.Errorf("manifest has the format %.40q and not %q: %w", m.Format, ManifestFormat, ErrForeign)
	}
	if m.Version > ManifestVersion {
		return fmt.Errorf("manifest has version %d, this Lido reads up to %d: %w", m.Version, ManifestVersion, ErrNewer)
	}
	if m.Artifact.Compression != compressionZstd || m.Artifact.Encryption != "" {
		return fmt.Errorf("artifact is packed as %.40q, encrypted as %.40q; this Lido reads %q without encryption: %w",
			m.Artifact.Compression, m.Artifact.Encryption, compressionZstd, ErrNewer)
	}
	if m.Checksums.Algorithm != algorithmSHA256h {
		return fmt.Errorf("page checksums are %.40q; this Lido reads %q: %w",
			m.Checksums.Algorithm, algorithmSHA256h, ErrNewer)
	}
	bad := func(field string, value any) error {
		return fmt.Errorf("manifest: %s cannot be %.80q: %w", field, fmt.Sprint(value), ErrDamaged)
	}
	d := &m.Database
	seq, ok := parseID(m.ID)
	switch {
	case m.Version < 1:
		return bad("version", m.Version)
	case !ok:
		return bad("id", m.ID)
	case seq != m.Sequence:
		return bad("sequence", m.Sequence)
	case m.Artifact.Name != m.ID+artifactSuffix:
		return bad("artifact.name", m.Artifact.Name)
	case m.Checksums.Name != m.ID+pagesSuffix:
		return bad("page_checksums.name", m.Checksums.Name)
	case !isHex(d.ID, 16):
		return bad("database.id", d.ID)
	case !validBaseName(d.Name):
		return bad("database.name", d.Name)
	case !validBaseName(d.Source):
		return bad("database.source", d.Source)
	case d.Origin != nil && !d.Origin.valid():
		return bad("database.origin", *d.Origin)
	case d.PageSize < 512 || d.PageSize > 65536 || d.PageSize&(d.PageSize-1) != 0:
		return bad("database.page_size", d.PageSize)
	case d.PageCount < 1 || d.PageCount > 1<<32-2: // https://www.sqlite.org/limits.html
		return bad("database.page_count", d.PageCount)
	case d.ForeignKeyViolations < 0:
		return bad("database.foreign_key_violations", d.ForeignKeyViolations)
	case !isHex(d.SchemaSHA256, sha256.Size):
		return bad("database.schema_sha256", d.SchemaSHA256)
	case d.Migration != nil && !validTable(d.Migration.Table):
		return bad("database.migration.table", d.Migration.Table)
	case m.Plain.Bytes != d.PageSize*d.PageCount:
		return bad("plain.bytes", m.Plain.Bytes)
	case !isHex(m.Plain.SHA256, sha256.Size):
		return bad("plain.sha256", m.Plain.SHA256)
	case m.Artifact.Bytes < 1:
		return bad("artifact.bytes", m.Artifact.Bytes)
	case !isHex(m.Artifact.SHA256, sha256.Size):
		return bad("artifact.sha256", m.Artifact.SHA256)
	case m.Checksums.Bytes != d.PageCount*pageSumBytes:
		return bad("page_checksums.bytes", m.Checksums.Bytes)
	case !isHex(m.Checksums.SHA256, sha256.Size):
		return bad("page_checksums.sha256", m.Checksums.SHA256)
	}
	for _, t := range []time.Time{m.Times.Started, m.Times.Snapshot, m.Times.Copied, m.Times.Verified} {
		if t.Year() < 2000 || t.Year() > 9999 {
			return bad("times", t)
		}
	}
	return nil
}

// validBaseName reports whether s could be the last element of a path. Such
// names are shown and compared, and never opened.
func validBaseName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 255 && printable(s) && !strings.ContainsAny(s, `/\`)
}

// printable reports whether s can be shown on a terminal and kept in JSON.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// validTable reports whether s may name the table of migrations. It is quoted
// where it is used; this keeps it short and printable.
func validTable(s string) bool {
	return len(s) <= 128 && validBaseName(s)
}

// readManifest loads the manifest of backup id and checks that it is the one
// of that name.
func readManifest(ctx context.Context, store Store, id string) (*Manifest, error) {
	if _, ok := parseID(id); !ok {
		return nil, fmt.Errorf("%.80q is not a name that Lido gives to a backup: %w", id, ErrForeign)
	}
	r, err := store.Open(ctx, id+manifestSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingManifest(ctx, store, id)
	}
	if err != nil {
		return nil, fmt.Errorf("backup %s: open manifest: %w", id, err)
	}
	defer r.Close() // read only: nothing to lose
	data, err := io.ReadAll(io.LimitReader(r, maxManifestBytes+1))
	if err != nil {
		return nil, fmt.Errorf("backup %s: read manifest: %w", id, err)
	}
	m, err := DecodeManifest(data)
	if err != nil {
		return nil, fmt.Errorf("backup %s: %w", id, err)
	}
	if m.ID != id {
		return nil, &DamageError{ID: id, Check: "manifest", Detail: "it belongs to backup " + m.ID}
	}
	return m, nil
}

// missingManifest tells an unfinished backup from none at all.
func missingManifest(ctx context.Context, store Store, id string) error {
	r, err := store.Open(ctx, id+artifactSuffix)
	if err != nil {
		return fmt.Errorf("backup %s: %w", id, ErrNoBackup)
	}
	r.Close()
	return fmt.Errorf("backup %s was never finished, or was copied without its .json: %w", id, ErrNoManifest)
}
