package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lidodb/lido/sqlite"
)

const (
	modulePath = "github.com/lidodb/lido"
	unknown    = "(unknown)"
)

// versions is what "lido version --json" writes.
type versions struct {
	Lido           string `json:"lido"`
	SQLite         string `json:"sqlite"`
	SQLiteSourceID string `json:"sqlite_source_id"`
	Engine         string `json:"engine_module"`
	Libc           string `json:"libc_module"`
	SQLC           string `json:"sqlc"` // empty if it is not built in
	Go             string `json:"go"`
	Platform       string `json:"platform"`
}

func versionCommand(p Program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say what this program is made of",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := builtFrom(p)
			if asJSON {
				return writeJSON(p.Stdout, v)
			}
			sqlc := v.SQLC
			if sqlc == "" {
				sqlc = "not built in; \"lido generate\" builds it when it is needed"
			}
			return writeTable(p.Stdout, []string{"lido", v.Lido}, [][]string{
				{"sqlite", v.SQLite + " (" + v.SQLiteSourceID + ")"},
				{"engine", "modernc.org/sqlite " + v.Engine},
				{"libc", "modernc.org/libc " + v.Libc},
				{"sqlc", sqlc},
				{"go", v.Go + " " + v.Platform},
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func builtFrom(p Program) versions {
	v := versions{
		Lido:           unknown,
		Engine:         unknown,
		Libc:           unknown,
		SQLite:         sqlite.Version(),
		SQLiteSourceID: sqlite.SourceID(),
		Go:             runtime.Version(),
		Platform:       runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, m := range append(info.Deps, &info.Main) {
		version := m.Version
		if m.Replace != nil {
			version = fmt.Sprintf("%s (replaced by %s %s)", version, m.Replace.Path, m.Replace.Version)
		}
		switch m.Path {
		case modulePath:
			v.Lido = strings.TrimSpace(version)
		case "modernc.org/sqlite":
			v.Engine = version
		case "modernc.org/libc":
			v.Libc = version
		case "github.com/sqlc-dev/sqlc":
			if p.SQLC != nil {
				v.SQLC = version
			}
		}
	}
	return v
}
