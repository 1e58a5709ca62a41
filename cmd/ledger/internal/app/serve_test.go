package app_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/cmd/ledger/internal/app"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/schema"
	"github.com/lidodb/lido/sqlite"
)

// server is "ledger serve" running in this process.
type server struct {
	url   string
	lines []string // what it printed when it was ready
	stop  context.CancelFunc
	code  <-chan int
	errs  *lockedBuffer
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func serve(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	code := make(chan int, 1)
	s := &server{stop: stop, code: code, errs: new(lockedBuffer)}
	go func() {
		code <- app.Run(ctx, append([]string{"serve", "--addr", "127.0.0.1:0", "--data", dir}, args...), in, s.errs)
		in.Close()
	}()
	t.Cleanup(func() {
		stop()
		http.DefaultClient.CloseIdleConnections()
	})
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		line := scanner.Text()
		s.lines = append(s.lines, line)
		if i := strings.Index(line, "http://"); i >= 0 && s.url == "" {
			s.url = strings.Fields(line[i:])[0]
		}
		if strings.HasPrefix(line, "Stop with") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s
		}
	}
	t.Fatalf("serve ended before it was ready: exit %d, %s", <-code, s.errs)
	return nil
}

// end stops the server and returns its exit code.
func (s *server) end(t *testing.T) int {
	t.Helper()
	s.stop()
	select {
	case code := <-s.code:
		return code
	case <-time.After(30 * time.Second):
		t.Fatalf("the server did not stop: %s", s.errs)
		return -1
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServeLoadsTheSampleOnceAndStopsCleanly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "books")
	s := serve(t, dir, "--drain", "0s")
	for _, path := range []string{"/livez", "/readyz", "/healthz", "/v1/accounts"} {
		if status, body := get(t, s.url+path); status != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
	}
	if !strings.Contains(s.lines[0], "sample books") {
		t.Errorf("it did not say that it loaded the sample: %v", s.lines)
	}
	if code := s.end(t); code != 0 {
		t.Fatalf("exit %d: %s", code, s.errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "ledger.db-wal")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("-wal is left: %v", err)
	}
	first := must(t, dir, "check")

	s = serve(t, dir, "--drain", "0s")
	if strings.Contains(strings.Join(s.lines, "\n"), "sample") {
		t.Errorf("it loaded the sample again: %v", s.lines)
	}
	if code := s.end(t); code != 0 {
		t.Fatalf("exit %d: %s", code, s.errs)
	}
	if again := must(t, dir, "check"); again != first {
		t.Errorf("after the second start: %s; after the first: %s", again, first)
	}
}

func TestReadyzSaysSoBeforeTheServerStops(t *testing.T) {
	s := serve(t, t.TempDir(), "--sample=false", "--drain", "2s")
	if status, body := get(t, s.url+"/readyz"); status != http.StatusOK {
		t.Fatalf("ready: %d %s", status, body)
	}
	s.stop()
	deadline := time.Now().Add(10 * time.Second)
	for {
		status, body := get(t, s.url+"/readyz")
		if status == http.StatusServiceUnavailable && strings.Contains(body, "draining") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the signal: %d %s; want 503 draining", status, body)
		}
	}
	// Requests are still answered meanwhile.
	if status, body := get(t, s.url+"/v1/accounts"); status != http.StatusOK {
		t.Errorf("while draining: %d %s", status, body)
	}
	if code := s.end(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.errs)
	}
}

func TestTheCommandsThatServePrintsWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	s := serve(t, t.TempDir(), "--drain", "0s")
	tried := 0
	for _, line := range s.lines {
		if !strings.HasPrefix(line, "  curl ") {
			continue
		}
		tried++
		cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(line, "curl", "curl --silent --show-error --fail-with-body", 1))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "{") {
			t.Errorf("%s\n%v: %.300s", line, err, out)
		}
	}
	if tried != 3 {
		t.Errorf("it printed %d commands, want 3: %v", tried, s.lines)
	}
	if code := s.end(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.errs)
	}
}

func TestASignalWhileStartingEndsCleanly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "books")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out, errs bytes.Buffer
	if code := app.Run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--data", dir}, &out, &errs); code != 0 {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if !strings.Contains(errs.String(), "stopped while starting") {
		t.Errorf("it did not say why it stopped: %s", errs.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "ledger.db-wal")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("-wal is left: %v", err)
	}
}

// The second of the sample books is refused: the first must not stay, for the
// next start would take the books for begun.
func TestASampleThatIsRefusedHalfWayLeavesTheBooksEmpty(t *testing.T) {
	dir := t.TempDir()
	onFile := func(fn func(ctx context.Context, c *sqlite.Conn) error) {
		t.Helper()
		db, err := pool.Open(t.Context(), filepath.Join(dir, "ledger.db"), pool.Config{Prepare: schema.Migrate})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.WithWriter(t.Context(), fn), db.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	onFile(func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, `CREATE TRIGGER refuse BEFORE INSERT ON accounts WHEN NEW.name LIKE 'income:studio%'
			BEGIN SELECT RAISE(ABORT, 'closed by the test'); END`)
	})
	var out, errs bytes.Buffer
	code := app.Run(t.Context(), []string{"serve", "--addr", "127.0.0.1:0", "--data", dir, "--backup-interval", "-1s"}, &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "load the sample books: ") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	onFile(func(ctx context.Context, c *sqlite.Conn) error {
		n, err := c.QueryInt64(ctx, "SELECT (SELECT count(*) FROM transactions) + (SELECT count(*) FROM accounts)")
		if n != 0 {
			t.Errorf("%d transactions and accounts stayed", n)
		}
		return err
	})
}

func TestWhatServeItselfRefusesIsJSONToo(t *testing.T) {
	s := serve(t, t.TempDir(), "--sample=false", "--drain", "0s")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/accounts", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusForbidden || !strings.Contains(string(body), `"code":"cross_origin"`) {
		t.Errorf("another origin: %d %s, %v", resp.StatusCode, body, err)
	}
	if code := s.end(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.errs)
	}
}

func TestAnAddressInUseIsAnErrorThatSaysWhatToDo(t *testing.T) {
	s := serve(t, t.TempDir(), "--sample=false", "--drain", "0s")
	var out, errs bytes.Buffer
	code := app.Run(t.Context(), []string{"serve", "--addr", strings.TrimPrefix(s.url, "http://"), "--data", t.TempDir()}, &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "--addr") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if code := s.end(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.errs)
	}
}

// lineWriter passes whole lines on as they are written.
type lineWriter chan<- string

func (w lineWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w <- line
	}
	return len(p), nil
}

// A load balancer asks /readyz and then sends work. From the first moment that
// the server listens, work sent after a 200 must not be answered "starting",
// although the pool is open long before the sample books are loaded.
func TestServe_readyzAnswers200OnlyWhenTheAPIAnswers(t *testing.T) {
	logged := make(chan string, 100)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	code := make(chan int, 1)
	go func() {
		code <- app.Run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--drain", "0s"}, io.Discard, lineWriter(logged))
		close(logged)
	}()
	defer http.DefaultClient.CloseIdleConnections()
	_, url, ok := strings.Cut(<-logged, "msg=listening url=")
	if !ok {
		t.Fatal("the first line of the log does not say where it listens")
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for range logged { // the channel must not fill
		}
	}()
	url = strings.TrimSpace(url)
	refused := 0
	for deadline := time.Now().Add(time.Minute); ; {
		if time.Now().After(deadline) {
			t.Fatal("it never became ready")
		}
		ready, state := get(t, url+"/readyz")
		work, body := get(t, url+"/v1/accounts")
		switch {
		case ready == http.StatusOK && work != http.StatusOK:
			t.Fatalf("/readyz answered 200, then /v1/accounts %d %s", work, body)
		case ready != http.StatusOK && ready != http.StatusServiceUnavailable:
			t.Fatalf("/readyz: %d %s", ready, state)
		case ready != http.StatusOK:
			refused++
			continue
		}
		break
	}
	if refused == 0 {
		t.Error("it was ready at once: nothing was tried")
	}
	stop()
	if c := <-code; c != 0 {
		t.Errorf("exit %d", c)
	}
	<-drained
}

func TestServe_listsItsPathsAtTheRoot(t *testing.T) {
	s := serve(t, t.TempDir(), "--sample=false", "--drain", "0s")
	status, body := get(t, s.url+"/")
	if status != http.StatusOK {
		t.Fatalf("GET /: %d %s", status, body)
	}
	for _, want := range []string{`<a href="/v1/accounts">`, `<a href="/readyz">`, "PUT /v1/transactions/{id}/attachments/{name}", "(limit, q)"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not hold %q:\n%s", want, body)
		}
	}
	for _, link := range strings.Split(body, `href="`)[1:] {
		path, _, _ := strings.Cut(link, `"`)
		if status, body := get(t, s.url+path); status == http.StatusNotFound {
			t.Errorf("the page links to %s: %d %s", path, status, body)
		}
	}
	if code := s.end(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.errs)
	}
}
