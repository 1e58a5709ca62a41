//go:build tools || generate

package lido

// The tools of the project run from go.mod; nothing is installed globally.
// "go generate ./..." builds the plugin and sqlc into bin/ and runs them on
// sqlc.yaml. The first build of sqlc takes some minutes, and says so.

//go:generate go run ./internal/generate

import (
	_ "github.com/pressly/goose/v3"
	_ "github.com/sqlc-dev/sqlc/pkg/cli"
)
