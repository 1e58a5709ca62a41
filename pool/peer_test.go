package pool_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lidodb/lido/internal/emulator"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/sqlite"
)

// Tests run this test binary again as another process, which opens the same
// file in the role that the environment names.
const (
	peerRole = "LIDO_TEST_PEER_ROLE"
	peerPath = "LIDO_TEST_PEER_PATH"
)

const peerWait = 30 * time.Millisecond

// peer is the other process. It says what it does, a line each.
func peer(role, path string) int {
	ctx := context.Background()
	switch role {
	case "try": // to open the file in every way
		for name, cfg := range map[string]pool.Config{
			"default":   {BusyTimeout: peerWait},
			"read-only": {BusyTimeout: peerWait, ReadOnly: true},
			"exclusive": {BusyTimeout: peerWait, Exclusive: true},
		} {
			db, err := pool.Open(ctx, path, cfg)
			if err == nil {
				err = db.Close(ctx)
			}
			fmt.Println(name, err)
		}
		c, err := sqlite.Open(ctx, path, sqlite.Options{BusyTimeout: peerWait})
		if err == nil {
			err = c.Close()
		}
		fmt.Println("connection", err)
	case "hold": // the file open until the input ends
		db, err := pool.Open(ctx, path, pool.Config{})
		fmt.Println("open", err)
		_, _ = io.Copy(io.Discard, os.Stdin)
		if err == nil {
			err = db.Close(ctx)
		}
		fmt.Println("closed", err)
	case "temporary": // database, open until the input ends
		db, err := pool.Open(ctx, "", pool.Config{})
		if err == nil {
			fmt.Println(db.Path())
			err = db.WithWriter(ctx, func(ctx context.Context, c *sqlite.Conn) error { return c.Exec(ctx, "CREATE TABLE t(x)") })
		}
		fmt.Println("open", err)
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "cut": // the WAL, after a write, and keep the file open until the input ends
		c, err := sqlite.Open(ctx, path, sqlite.Options{BusyTimeout: peerWait})
		if err == nil {
			err = c.Exec(ctx, fmt.Sprintf("INSERT INTO item(name) VALUES('peer %d')", os.Getpid()))
		}
		fmt.Println("wrote", err)
		for n := 1; err == nil; n++ {
			var res sqlite.CheckpointResult
			if res, err = c.Checkpoint(ctx, sqlite.Truncate); err != nil || !res.Busy {
				fmt.Printf("cut after %d, %v\n", n, err)
				break
			}
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		if c != nil {
			fmt.Println("closed", c.Close())
		}
	case "write": // rows until it is killed
		db, err := pool.Open(ctx, path, pool.Config{Exclusive: true})
		for i := 0; err == nil; i++ {
			err = run(ctx, db, insertItem, fmt.Sprint(i))
			fmt.Println(i)
		}
		fmt.Println(err)
	}
	return 0
}

// startPeer starts another process and returns its output and what ends its
// input. It is waited for when the test ends.
func startPeer(t *testing.T, role, path string) (cmd *exec.Cmd, out *bufio.Scanner, end func()) {
	t.Helper()
	cmd = emulator.Command(os.Args[0])
	cmd.Env = append(os.Environ(), peerRole+"="+role, peerPath+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(stdout), func() { _ = in.Close() }
}

// wantLine reads the peer's next line.
func wantLine(t *testing.T, out *bufio.Scanner, want string) {
	t.Helper()
	if !out.Scan() || !strings.Contains(out.Text(), want) {
		t.Fatalf("the other process says %q (%v), want %q", out.Text(), out.Err(), want)
	}
}

// peerTries returns what another process is told when it tries to open path,
// by the way in which it tries.
func peerTries(t *testing.T, path string) map[string]string {
	t.Helper()
	_, out, _ := startPeer(t, "try", path)
	tries := map[string]string{}
	for out.Scan() {
		way, err, _ := strings.Cut(out.Text(), " ")
		tries[way] = err
	}
	if len(tries) != 4 {
		t.Fatalf("the other process has tried %v", tries)
	}
	return tries
}
