//go:build sqlc

// Command sqlcserver runs "sqlc generate" on many projects in one process.
//
// With "database: {uri: ...}" sqlc compiles its SQLite, a WebAssembly module,
// before it reads a line: a second of CPU time, many times what a project of a
// test takes. This process pays for it once.
//
// A request is a line of JSON on the standard input, its answer one on the
// standard output. The process ends with its input, and when sqlc refuses a
// project. The build tag keeps sqlc out of a plain build, as in cmd/lido.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sqlc-dev/sqlc/pkg/cli"

	"github.com/lidodb/lido/internal/codegen/gentest/sqlccall"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "sqlcserver: %v\n", err)
		os.Exit(2)
	}
}

func serve(in io.Reader, out io.Writer) error {
	os.Stdout = os.Stderr // what sqlc prints is no answer
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var req sqlccall.Request
		if err := requests.Decode(&req); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answer, err := run(req)
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
}

func run(req sqlccall.Request) (answer sqlccall.Answer, err error) {
	for _, e := range req.Env {
		name, value, _ := strings.Cut(e, "=")
		if err := os.Setenv(name, value); err != nil {
			return answer, err
		}
	}
	stderr, err := os.Create(req.Stderr)
	if err != nil {
		return answer, err
	}
	home, err := os.Getwd()
	if err != nil {
		return answer, err
	}
	if err := os.Chdir(req.Dir); err != nil {
		return answer, err
	}
	own := os.Stderr
	os.Stderr = stderr
	answer.Code = cli.Run([]string{"generate"})
	os.Stderr = own
	return answer, errors.Join(stderr.Close(), os.Chdir(home)) // the test removes its folder
}
