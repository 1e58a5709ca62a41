package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/backup"
	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/cmd/ledger/internal/hledger"
	"github.com/lidodb/lido/cmd/ledger/internal/sample"
	"github.com/lidodb/lido/cmd/ledger/internal/web"
	"github.com/lidodb/lido/gen"
	"github.com/lidodb/lido/health"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/schema"
	"github.com/lidodb/lido/sqlite"
)

// The ledger's monitor runs backup_age after each backup.
var _ health.BackupNotifier = (*backup.Service)(nil)

// posters post transactions over HTTP until they are stopped and remember
// which were acknowledged.
type posters struct {
	mu    sync.Mutex
	acked []int64
	errs  []error

	// ration is what may still be posted. Without a bound the books would grow
	// with the square of the rounds on a fast machine.
	ration chan struct{}

	stop context.CancelFunc
	wg   sync.WaitGroup
}

const coffee = `{"date": "2025-12-31", "description": "Coffee", "postings": [
	{"account": "expenses:food:bakery", "amount": "3.20", "currency": "EUR"},
	{"account": "assets:cash", "amount": "-3.20", "currency": "EUR"}]}`

func startPosters(ctx context.Context, url string, n int) *posters {
	ctx, stop := context.WithCancel(ctx)
	p := &posters{stop: stop, ration: make(chan struct{}, postsPerRound)}
	for range n {
		p.wg.Go(func() {
			for ctx.Err() == nil {
				select {
				case <-p.ration:
				case <-ctx.Done():
					return
				}
				id, err := post(ctx, url)
				p.mu.Lock()
				if err == nil {
					p.acked = append(p.acked, id)
				} else if ctx.Err() == nil {
					p.errs = append(p.errs, err)
				}
				p.mu.Unlock()
			}
		})
	}
	return p
}

// postsPerRound is enough to keep the posters busy for longer than a backup.
const postsPerRound = 500

// refill lets the posters go on.
func (p *posters) refill() {
	for {
		select {
		case p.ration <- struct{}{}:
		default:
			return
		}
	}
}

func post(ctx context.Context, url string) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/transactions", bytes.NewReader([]byte(coffee)))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		return 0, fmt.Errorf("%d %s %w", resp.StatusCode, body, err)
	}
	var answer struct{ ID int64 }
	return answer.ID, json.Unmarshal(body, &answer)
}

// acknowledged returns how many have been acknowledged.
func (p *posters) acknowledged() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acked[:len(p.acked):len(p.acked)]
}

// TestBackupsUnderPostsHoldWhatWasAcknowledged takes backups while clients
// post, restores each, and compares it with the live database as it was at the
// snapshot. LEDGER_BACKUP_ROUNDS says how often; 3 times without it.
//
// Posted transactions never change and get rising ids, so the live database at
// the snapshot is everything up to the highest id in the backup, whenever one
// looks.
func TestBackupsUnderPostsHoldWhatWasAcknowledged(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("LEDGER_BACKUP_ROUNDS"))
	if err != nil {
		rounds = 3
	}
	dir := t.TempDir()
	store := backup.NewDirStore(filepath.Join(dir, "backups"))
	if err := os.Mkdir(store.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	// Short steps, so that many commits fall between them.
	service, err := backup.New(backup.Config{Store: store, Interval: -1, StepPages: 32, StepPause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	db, err := pool.Open(t.Context(), filepath.Join(dir, "ledger.db"), pool.Config{
		Synchronous: pool.SynchronousFull, Prepare: schema.Migrate, Services: []pool.Service{service},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, db)
	books := book.New(gen.NewStore(db))
	loadSample(t, books)
	server := httptest.NewServer(web.Handler(books, slog.New(slog.DiscardHandler)))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()

	p := startPosters(t.Context(), server.URL, 4)
	defer p.wg.Wait()
	defer p.stop()
	during := 0
	for round := range rounds {
		p.refill()
		before := p.acknowledged()
		result, err := service.Backup(t.Context())
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		during += len(p.acknowledged()) - len(before)
		target := filepath.Join(dir, fmt.Sprintf("restored-%d.db", round))
		if _, err := backup.Restore(t.Context(), store, result.Manifest.ID, target, backup.RestoreOptions{}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		compareRestored(t, db, target, before)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
		if err := os.Remove(target); err != nil {
			t.Fatal(err)
		}
	}
	p.stop()
	p.wg.Wait()
	if len(p.errs) > 0 {
		t.Errorf("%d posts failed, the first with %v", len(p.errs), p.errs[0])
	}
	if during == 0 {
		t.Error("nothing was posted while the backups ran: the test has proved nothing")
	}
	t.Logf("%d backups, restored and equal to the source at their snapshots; %d transactions acknowledged, %d of them while a backup ran", rounds, len(p.acked), during)
}

// compareRestored opens a restored file and compares it with the source.
func compareRestored(t *testing.T, source *pool.DB, path string, acked []int64) {
	t.Helper()
	restored, err := pool.Open(t.Context(), path, pool.Config{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, restored)
	if _, err := book.New(gen.NewStore(restored)).Check(t.Context()); err != nil {
		t.Errorf("the restored books do not add up: %v", err)
	}
	var highest int64
	err = restored.WithReader(t.Context(), func(ctx context.Context, c *sqlite.Conn) (err error) {
		highest, err = c.QueryInt64(ctx, "SELECT max(id) FROM transactions")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hashRows(t, restored, highest), hashRows(t, source, highest); got != want {
		t.Errorf("the restored rows up to transaction %d have the hash %s, the source's %s", highest, got, want)
	}
	held := map[int64]bool{}
	err = restored.WithReader(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return eachRow(ctx, c, "SELECT id FROM transactions", func(s *sqlite.Stmt) { held[s.ColumnInt64(0)] = true })
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range acked {
		if !held[id] {
			t.Errorf("transaction %d was acknowledged before the backup began and is not in it", id)
		}
	}
	// The index of the search must fit the rows as well.
	err = restored.WithWriter(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		return c.Exec(ctx, "INSERT INTO transaction_search (transaction_search, rank) VALUES ('integrity-check', 1)")
	})
	if err != nil {
		t.Errorf("the search index of the restored file: %v", err)
	}
}

// rowsUpTo are the rows of a ledger up to a transaction. The balances and
// the turnover of that moment are made from the postings; that those the
// database keeps are equal is for Check to say.
var rowsUpTo = []string{
	"SELECT code, digits, (SELECT sum(abs(amount)) FROM postings WHERE currency = code AND transaction_id <= %[1]d) FROM currencies ORDER BY code",
	"SELECT * FROM accounts ORDER BY id",
	"SELECT * FROM transactions WHERE id <= %[1]d ORDER BY id",
	"SELECT * FROM postings WHERE transaction_id <= %[1]d ORDER BY id",
	"SELECT account_id, currency, sum(amount), count(*) FROM postings WHERE transaction_id <= %[1]d GROUP BY account_id, currency ORDER BY account_id, currency",
	"SELECT * FROM attachments ORDER BY id",
	"SELECT version_id, is_applied FROM goose_db_version ORDER BY id",
}

func hashRows(t *testing.T, db *pool.DB, highest int64) string {
	t.Helper()
	sum := sha256.New()
	err := db.WithReader(t.Context(), func(ctx context.Context, c *sqlite.Conn) error {
		for _, query := range rowsUpTo {
			if bytes.Contains([]byte(query), []byte("%")) {
				query = fmt.Sprintf(query, highest)
			}
			fmt.Fprintf(sum, "%q\n", query)
			err := eachRow(ctx, c, query, func(s *sqlite.Stmt) {
				for i := range s.ColumnCount() {
					kind := s.ColumnType(i)
					fmt.Fprintf(sum, "%d", kind)
					switch kind {
					case lido.Null:
					case lido.Blob:
						fmt.Fprintf(sum, " %x", s.ColumnBlob(i, nil))
					default:
						fmt.Fprintf(sum, " %q", s.ColumnText(i))
					}
				}
				fmt.Fprintln(sum)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func eachRow(ctx context.Context, c *sqlite.Conn, query string, row func(*sqlite.Stmt)) (err error) {
	s, err := c.Prepare(ctx, query)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
	}()
	for {
		more, err := s.Step()
		if err != nil || !more {
			return err
		}
		row(s)
	}
}

func loadSample(t *testing.T, books *book.Book) {
	t.Helper()
	for _, s := range sample.Books() {
		text, err := s.CSV()
		if err != nil {
			t.Fatal(err)
		}
		drafts, err := hledger.Read(bytes.NewReader(text), s.Name, hledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := books.Import(t.Context(), drafts, book.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func closeDB(t *testing.T, db *pool.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := db.Close(ctx); err != nil {
		t.Error(err)
	}
}
