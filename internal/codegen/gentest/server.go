package gentest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/lidodb/lido/internal/codegen/gentest/sqlccall"
)

// server is a sqlcserver, which runs from the first request to the next
// refusal. It ends with this program, which holds the other end of its input.
type server struct {
	mu      sync.Mutex // guards the rest; sqlc works in the folder of its process, so for one request at a time
	cmd     *exec.Cmd  // nil while none runs
	input   *os.File
	output  *os.File
	answers *json.Decoder
}

// shared is the server of Run.
var shared server

// sqlcBinary builds sqlcserver. The first build compiles sqlc, without cgo,
// and takes some minutes; "make sqlc" is the same build, announced.
var sqlcBinary = sync.OnceValues(func() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "sqlcserver")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if _, err := output(root, "go", "build", "-tags", "sqlc", "-o", path, "./internal/codegen/gentest/sqlcserver"); err != nil {
		return "", fmt.Errorf("build sqlc: %w", err)
	}
	return path, nil
})

// generate runs "sqlc generate" in dir; the error is a *Refusal where sqlc
// refuses the project.
func (s *server) generate(ctx context.Context, dir string, env []string) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.cmd == nil {
		if err := s.start(); err != nil {
			return err
		}
	}
	stderr, err := os.CreateTemp("", "sqlc-*.txt")
	if err != nil {
		return err
	}
	defer os.Remove(stderr.Name())
	if err := stderr.Close(); err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	code, err := s.ask(sqlccall.Request{Dir: dir, Stderr: stderr.Name(), Env: env})
	if err != nil || code == 0 {
		return err
	}
	text, err := os.ReadFile(stderr.Name())
	if err != nil {
		return err
	}
	return &Refusal{string(text)}
}

// ask returns sqlc's exit status.
func (s *server) ask(req sqlccall.Request) (code int, err error) {
	if err := json.NewEncoder(s.input).Encode(req); err != nil {
		return 0, err
	}
	var answer sqlccall.Answer
	if err := s.answers.Decode(&answer); err == nil {
		return answer.Code, nil
	} else if !errors.Is(err, io.EOF) {
		return 0, err
	}
	cmd := s.cmd
	err = s.stop()
	if code := cmd.ProcessState.ExitCode(); code == 1 {
		return code, nil
	}
	return 0, fmt.Errorf("sqlcserver: %w", err)
}

// stop ends the process, if one runs, and returns how it ended.
func (s *server) stop() error {
	if s.cmd == nil {
		return nil
	}
	err := errors.Join(s.input.Close(), s.cmd.Wait(), s.output.Close())
	s.cmd = nil
	return err
}

func (s *server) start() error {
	path, err := sqlcBinary()
	if err != nil {
		return err
	}
	requests, input, err := os.Pipe()
	if err != nil {
		return err
	}
	output, answers, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = requests, answers, os.Stderr
	err = cmd.Start()
	if err := errors.Join(err, requests.Close(), answers.Close()); err != nil {
		return err
	}
	s.cmd, s.input, s.output, s.answers = cmd, input, output, json.NewDecoder(output)
	return nil
}
