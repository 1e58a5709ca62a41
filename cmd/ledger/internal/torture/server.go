package torture

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// command returns a command of the ledger.
func (c Config) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Ledger[0], append(c.Ledger[1:len(c.Ledger):len(c.Ledger)], args...)...)
	cmd.Env = append(os.Environ(), c.Env...)
	return cmd
}

// server is a process that runs "ledger serve".
type server struct {
	cmd    *exec.Cmd
	out    io.Reader
	errs   *lockedBuffer
	url    string
	client *http.Client

	exited chan struct{} // closed when the process has ended
	err    error         // how, once exited is closed
}

// lockedBuffer collects what a process writes.
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

// launch starts the process and does not wait until it is ready.
func launch(ctx context.Context, cfg Config, dir string) (*server, error) {
	s := &server{
		cmd: cfg.command(ctx, "serve", "--addr", "127.0.0.1:0", "--data", dir,
			"--sample=false", "--drain", "0s", "--backup-interval", "-1s"),
		errs: new(lockedBuffer), exited: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute},
	}
	out, in := io.Pipe()
	s.out, s.cmd.Stdout, s.cmd.Stderr = out, in, s.errs
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		in.Close()
		close(s.exited)
	}()
	return s, nil
}

// ready waits until the server says where it is.
func (s *server) ready() error {
	lines := bufio.NewScanner(s.out)
	for lines.Scan() {
		line := lines.Text()
		if i := strings.Index(line, "http://"); i >= 0 && s.url == "" {
			s.url = strings.Fields(line[i:])[0]
		}
		if strings.HasPrefix(line, "Stop with") {
			go func() { _, _ = io.Copy(io.Discard, s.out) }()
			return nil
		}
	}
	<-s.exited
	return broken("the server did not start: %v: %s", s.err, s.errs)
}

// kill ends the process at once, if it still runs, and waits for its end.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // an error says that it has ended already
	go func() { _, _ = io.Copy(io.Discard, s.out) }()
	<-s.exited
	s.client.CloseIdleConnections()
}

// stop ends the process as an operator would.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.exited:
	case <-time.After(time.Minute):
		return broken("the server did not stop on SIGTERM: %s", s.errs)
	}
	if s.err != nil {
		return broken("the server was told to stop and ended with %v: %s", s.err, s.errs)
	}
	return nil
}

// refused is an answer that is not a success.
type refused struct {
	status int
	body   string
}

func (r *refused) Error() string { return fmt.Sprintf("%d %s", r.status, r.body) }

func (s *server) do(ctx context.Context, method, path, key string, body, answer any) (http.Header, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
		// The transport must not send it again by itself: the harness counts.
		r.GetBody = nil
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err // half an answer is none
	}
	if resp.StatusCode >= 300 {
		return nil, &refused{resp.StatusCode, string(got)}
	}
	if answer != nil {
		err = json.Unmarshal(got, answer)
	}
	return resp.Header, err
}

// declare creates what transactions need.
func (s *server) declare(ctx context.Context) error {
	_, err := s.do(ctx, http.MethodPut, "/v1/currencies/EUR", "", map[string]int{"digits": 2}, nil)
	for _, name := range []string{"assets:bank", "income:sales"} {
		_, accountErr := s.do(ctx, http.MethodPost, "/v1/accounts", "", map[string]string{"name": name}, nil)
		err = errors.Join(err, accountErr)
	}
	return err
}

// post sends one transaction and returns the id it was acknowledged with.
func (s *server) post(ctx context.Context, r *request) (id int64, replayed bool, err error) {
	type posting struct {
		Account  string `json:"account"`
		Amount   string `json:"amount"`
		Currency string `json:"currency"`
	}
	amount := fmt.Sprintf("%d.%02d", r.cents/100, r.cents%100)
	body := struct {
		Date        string    `json:"date"`
		Description string    `json:"description"`
		Postings    []posting `json:"postings"`
	}{"2025-01-31", r.key, []posting{{"assets:bank", amount, "EUR"}, {"income:sales", "-" + amount, "EUR"}}}
	var answer struct{ ID int64 }
	header, err := s.do(ctx, http.MethodPost, "/v1/transactions", r.key, body, &answer)
	if err == nil && answer.ID == 0 {
		err = &refused{http.StatusCreated, "an answer without an id"}
	}
	return answer.ID, header.Get("Idempotency-Replayed") == "true", err
}

// storedAfter lists what is stored under ids above last, by description.
func (s *server) storedAfter(ctx context.Context, last int64) (stored map[string][]int64, highest int64, err error) {
	stored, highest = map[string][]int64{}, last
	for after := ""; ; {
		var page struct {
			Transactions []struct {
				ID          int64
				Description string
			}
			Next string
		}
		if _, err := s.do(ctx, http.MethodGet, "/v1/transactions?limit=500&after="+after, "", nil, &page); err != nil {
			return nil, 0, err
		}
		for _, t := range page.Transactions {
			if t.ID <= last {
				return stored, highest, nil
			}
			stored[t.Description] = append(stored[t.Description], t.ID)
			highest = max(highest, t.ID)
		}
		if page.Next == "" {
			return stored, highest, nil
		}
		after = page.Next
	}
}

// balance returns the cents on the account that transactions go to.
func (s *server) balance(ctx context.Context) (int64, error) {
	var tree struct {
		Accounts []struct {
			Name     string
			Balances []struct{ Amount string }
		}
	}
	if _, err := s.do(ctx, http.MethodGet, "/v1/accounts", "", nil, &tree); err != nil {
		return 0, err
	}
	for _, a := range tree.Accounts {
		if a.Name == "assets:bank" && len(a.Balances) == 1 {
			var cents int64
			_, err := fmt.Sscan(strings.Replace(a.Balances[0].Amount, ".", "", 1), &cents)
			return cents, err
		}
	}
	return 0, nil
}
