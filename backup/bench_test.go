package backup_test

import (
	"testing"

	"github.com/lidodb/lido/backup"
)

// BenchmarkBackup makes proved backups of a database of some 20 MB, without
// rests between the steps of the copy.
func BenchmarkBackup(b *testing.B) {
	db := openDB(b, newDBPath(b))
	execSQL(b, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
		INSERT INTO posting(account_id, amount, note) SELECT i % 50 + 1, 0, hex(randomblob(120)) FROM n`)
	cfg := fast(backup.NewDirStore(b.TempDir()))
	cfg.Keep = backup.Keep{Count: 1}
	var m *backup.Manifest
	for b.Loop() {
		m = take(b, db, cfg)
	}
	b.SetBytes(m.Plain.Bytes)
	b.ReportMetric(float64(m.Plain.Bytes)/float64(m.Artifact.Bytes), "ratio")
}
