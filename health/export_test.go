package health

import (
	"context"
	"time"

	"github.com/lidodb/lido/pool"
)

// StartWithoutDatabase runs checks that look at none.
func (m *Monitor) StartWithoutDatabase(ctx context.Context) error { return m.start(ctx, nil) }

// BuiltinNames are the names of all built-in checks.
func BuiltinNames() []string { return append([]string(nil), builtinNames...) }

// JudgeSaturation is what pool_saturation decides by.
func JudgeSaturation(before, now pool.PoolStat, limit time.Duration) string {
	return judgeSaturation(before, now, limit)
}

// RemedyFound is what quick_check and integrity_check recommend.
func RemedyFound(found []string) string { return remedyFound(found) }
