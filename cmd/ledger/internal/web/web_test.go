package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/cmd/ledger/internal/booktest"
	"github.com/lidodb/lido/cmd/ledger/internal/web"
)

// client talks to a handler as programs do.
type client struct {
	t       *testing.T
	handler http.Handler
	books   *book.Book
}

func open(t *testing.T) *client {
	t.Helper()
	books, _ := booktest.Open(t)
	booktest.Fill(t, books)
	return &client{t, web.Handler(books, slog.New(slog.DiscardHandler)), books}
}

// do sends a request and returns the status and body of the answer. header
// holds names and values in turn.
func (c *client) do(method, path, body string, header ...string) (int, string, http.Header) {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

const coffee = `{"date": "2025-12-31", "description": "Coffee", "postings": [
	{"account": "expenses:food", "amount": "3.20", "currency": "EUR"},
	{"account": "assets:cash", "amount": "-3.20", "currency": "EUR"}]}`

func TestAPostedTransactionCanBeReadBackEverywhere(t *testing.T) {
	c := open(t)
	status, body, header := c.do("POST", "/v1/transactions", coffee)
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	if status, again, _ := c.do("GET", header.Get("Location"), ""); status != http.StatusOK || again != body {
		t.Errorf("at its location: %d %s; want %s", status, again, body)
	}
	for path, want := range map[string]string{
		"/v1/transactions":             `"description":"Coffee"`,
		"/v1/search?q=coff":            `"description":"Coffee"`,
		"/v1/accounts/assets/register": `"balance":"-3.20"`,
		"/v1/accounts/assets:cash/register?from=2025-12-31&to=2026-01-01": `"balance":"-3.20"`,
		"/v1/accounts/assets:cash/register?to=2025-12-30":                 `"entries":[]`,
		"/v1/accounts":   `{"name":"assets","type":"asset","closed":false,"balances":[],"totals":[{"currency":"EUR","amount":"-3.20"}]}`,
		"/v1/currencies": `{"code":"USD","digits":2}`,
	} {
		if status, body, _ := c.do("GET", path, ""); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d %s; want %s in it", path, status, body, want)
		}
	}
}

func TestAnIdempotencyKeyIsAnsweredAsTheFirstTime(t *testing.T) {
	c := open(t)
	_, first, _ := c.do("POST", "/v1/transactions", coffee, "Idempotency-Key", "k")
	// The same request, with its fields in another order and other spaces.
	same := `{"description":"Coffee","postings":[{"currency":"EUR","account":"expenses:food","amount":"3.2"},
		{"account":"assets:cash","amount":"-3.20","currency":"EUR"}],"date":"2025-12-31"}`
	status, again, header := c.do("POST", "/v1/transactions", same, "Idempotency-Key", "k")
	if status != http.StatusCreated || again != first || header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second time: %d %s; want %s", status, again, first)
	}
	other := strings.ReplaceAll(coffee, "3.20", "3.30")
	if status, body, _ := c.do("POST", "/v1/transactions", other, "Idempotency-Key", "k"); status != http.StatusConflict || !strings.Contains(body, "key_reused") {
		t.Errorf("another body under the key: %d %s; want 409", status, body)
	}
	// An answer that was an error is not kept: the request can be mended.
	wrong := strings.Replace(coffee, "expenses:food", "expenses:fodo", 1)
	if status, _, _ := c.do("POST", "/v1/transactions", wrong, "Idempotency-Key", "k2"); status != http.StatusUnprocessableEntity {
		t.Errorf("unknown account: %d", status)
	}
	if status, body, _ := c.do("POST", "/v1/transactions", coffee, "Idempotency-Key", "k2"); status != http.StatusCreated {
		t.Errorf("after it was mended: %d %s", status, body)
	}
}

func TestOneKeySentManyTimesAtOnceIsStoredOnce(t *testing.T) {
	c := open(t)
	bodies := make([]string, 16)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() {
			status, body, _ := c.do("POST", "/v1/transactions", coffee, "Idempotency-Key", "k")
			bodies[i] = fmt.Sprint(status, body)
		})
	}
	wg.Wait()
	for _, body := range bodies {
		if body != bodies[0] || !strings.HasPrefix(body, "201") {
			t.Errorf("one was answered %s, another %s", bodies[0], body)
		}
	}
	if list, _, _, err := c.books.Page(t.Context(), book.Start, 10); err != nil || len(list) != 1 {
		t.Errorf("%d stored, %v; want 1", len(list), err)
	}
}

func TestBadRequestsAreRefusedWithWordsAndChangeNothing(t *testing.T) {
	c := open(t)
	edit := func(old, new string) string {
		if !strings.Contains(coffee, old) {
			t.Fatalf("%q does not occur", old)
		}
		return strings.Replace(coffee, old, new, 1)
	}
	for name, test := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"unbalanced":                 {edit("-3.20", "-3.10"), 422, "is off by 0.10 EUR"},
		"unknown account":            {edit("assets:cash", "assets:cahs"), 422, `posting 2: there is no account \"assets:cahs\"; create it first`},
		"unknown currency":           {edit("EUR", "EURO"), 422, `posting 1: there is no currency \"EURO\"`},
		"overflow":                   {edit("3.20", "9999999999999999999999"), 422, "beyond what the ledger can hold"},
		"overflow in cents":          {edit("3.20", "99999999999999999"), 422, "beyond what the ledger can hold"},
		"third decimal":              {edit("3.20", "3.205"), 422, "3 decimals"},
		"not a number":               {edit("3.20", "three"), 422, `amount \"three\" is not a number`},
		"thousands":                  {edit("3.20", "3,200"), 422, "not a number"},
		"number":                     {edit(`"3.20"`, `3.20`), 400, `such as \"12.50\"`},
		"no amount":                  {edit(`"amount": "3.20", `, ""), 400, `posting 1: \"amount\" is missing`},
		"no description":             {edit(`"description": "Coffee", `, ""), 400, `\"description\" is missing`},
		"no date":                    {edit(`"date": "2025-12-31", `, ""), 422, "is not a day"},
		"bad date":                   {edit("2025-12-31", "31.12.2025"), 422, "31.12.2025"},
		"no postings":                {`{"date": "2025-12-31", "description": "x", "postings": []}`, 422, "no postings"},
		"unknown field":              {edit(`"date"`, `"dat"`), 400, `unknown field \"dat\"`},
		"unknown field in a posting": {edit(`"account"`, `"acount"`), 400, `unknown field \"acount\"`},
		"not JSON":                   {"date=2025-12-31", 400, "not JSON"},
		"cut":                        {coffee[:50], 400, "ends early"},
		"two objects":                {coffee + coffee, 400, "send one object"},
		"oversized":                  {`{"description": "` + strings.Repeat("x", web.MaxBodyBytes) + `"}`, 413, "larger than 1048576 bytes"},
		"oversized tail":             {coffee + strings.Repeat(" ", web.MaxBodyBytes), 413, "larger than 1048576 bytes"},
		"too many postings":          {edit(`"postings": [`, `"postings": [`+strings.Repeat(`{"account":"assets:cash","amount":"0","currency":"EUR"},`, 1000)), 422, "more than 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body, _ := c.do("POST", "/v1/transactions", test.body)
			if status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("got %d %.300s; want %d and %s", status, body, test.status, test.want)
			}
			var parsed struct {
				Error struct{ Code, Message string }
			}
			if err := json.Unmarshal([]byte(body), &parsed); err != nil || parsed.Error.Code == "" || parsed.Error.Message == "" {
				t.Errorf("the error has no code or message: %s", body)
			}
		})
	}
	if status, _, _ := c.do("POST", "/v1/transactions", coffee, "Content-Type", "application/x-www-form-urlencoded"); status != http.StatusUnsupportedMediaType {
		t.Errorf("a form was answered with %d", status)
	}
	if status, _, _ := c.do("POST", "/v1/transactions", coffee, "Idempotency-Key", strings.Repeat("k", book.MaxKeyBytes+1)); status != 422 {
		t.Errorf("a long key was answered with %d", status)
	}
	if empty, err := c.books.Empty(t.Context()); err != nil || !empty {
		t.Errorf("something was stored: %v, %v", empty, err)
	}
}

func TestBadParametersAreRefused(t *testing.T) {
	c := open(t)
	for path, want := range map[string]int{
		"/v1/transactions?limit=0":                                 400,
		"/v1/transactions?limit=1000":                              400,
		"/v1/transactions?after=x":                                 400,
		"/v1/transactions/x":                                       400,
		"/v1/transactions/7":                                       404,
		"/v1/transactions/7/attachments":                           404,
		"/v1/transactions/7/attachments/x":                         404,
		"/v1/search":                                               422,
		"/v1/search?q=%22":                                         200,
		"/v1/accounts/nobody/register":                             404,
		"/v1/accounts/assets/register?from=tomorrow":               400,
		"/v1/accounts/assets/register?form=2026-01-01":             400,
		"/v1/accounts/assets/register?from=%zz":                    400,
		"/v1/accounts/assets/register?from=2026-01-01;to=2026-12":  400,
		"/v1/accounts/assets/register?to=2026-01-01&to=2026-01-02": 400,
		"/v1/accounts?depth=1":                                     400,
		"/v1/transactions/7?limit=1":                               400,
		"/v1/search?q=a&":                                          200,
		"/v1/search?q=" + strings.Repeat("a+", 33):                 400,
		"/v1/search?q=" + strings.Repeat("a", 1001):                400,
		"/v1/nothing":                                              404,
		"/nothing":                                                 404,
	} {
		status, body, header := c.do("GET", path, "")
		if status != want {
			t.Errorf("GET %s: %d %s; want %d", path, status, body, want)
		}
		wantJSON(t, "GET "+path, body, header)
	}
	if _, body, _ := c.do("GET", "/v1/search?q="+strings.Repeat("a+", 33), ""); !strings.Contains(body, `"too_large"`) {
		t.Errorf("a long search: %s", body)
	}
	status, body, header := c.do("DELETE", "/v1/transactions", "")
	if status != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, HEAD, POST" || !strings.Contains(body, "method_not_allowed") {
		t.Errorf("DELETE: %d %s, allowed %s", status, body, header.Get("Allow"))
	}
	wantJSON(t, "DELETE", body, header)
}

func wantJSON(t *testing.T, what, body string, header http.Header) {
	t.Helper()
	if kind := header.Get("Content-Type"); kind != "application/json" || !json.Valid([]byte(body)) {
		t.Errorf("%s is answered as %s: %s", what, kind, body)
	}
}

// The client closes its half of the connection while the server waits, which
// ends the request's context, and goes on to read.
//
//	client                      server
//	request, end of stream -->
//	                            waits for a connection of the pool
//	                            the request's context ends
//	reads           <---------  must not be 200
func TestAClientThatClosesItsHalfIsNotToldThatAllIsWell(t *testing.T) {
	books, db := booktest.Open(t)
	booktest.Fill(t, books)
	server := httptest.NewServer(web.Handler(books, slog.New(slog.DiscardHandler)))
	defer server.Close()
	ctx := t.Context()
	writer, err := db.AcquireWriter(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Release()
	for range db.Config().MaxReaders {
		reader, err := db.AcquireReader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Release()
	}
	for _, request := range []string{
		fmt.Sprintf("POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(coffee), coffee),
		"GET /v1/accounts HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 {
			t.Errorf("%.20q is answered %.60q, %v; want an end without an answer", request, answer, err)
		}
	}
}

func TestTheCursorLeadsThroughAllPages(t *testing.T) {
	c := open(t)
	for range 7 {
		if status, body, _ := c.do("POST", "/v1/transactions", coffee); status != http.StatusCreated {
			t.Fatal(status, body)
		}
	}
	seen := map[int64]bool{}
	path := "/v1/transactions?limit=3"
	for range 4 {
		_, body, _ := c.do("GET", path, "")
		var page struct {
			Transactions []struct{ ID int64 }
			Next         string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		for _, tr := range page.Transactions {
			seen[tr.ID] = true
		}
		if page.Next == "" {
			break
		}
		path = "/v1/transactions?limit=3&after=" + page.Next
	}
	if len(seen) != 7 {
		t.Errorf("the pages held %d of 7", len(seen))
	}
}

func TestAccountsAndCurrenciesCanBeDeclared(t *testing.T) {
	c := open(t)
	if status, body, _ := c.do("POST", "/v1/accounts", `{"name": "Kasse:Laden", "type": "asset"}`); status != 200 || body != `{"name":"Kasse:Laden","type":"asset","closed":false}`+"\n" {
		t.Errorf("%d %s", status, body)
	}
	for body, want := range map[string]string{
		`{"name": "Kiosk"}`:                              "does not say its type",
		`{"name": "Kasse:Laden", "type": "income"}`:      "exists as asset",
		`{"name": "x", "type": "treasure"}`:              "unknown account type",
		`{"name": "a::b", "type": "asset"}`:              "empty part",
		`{"name": "assets:bank:new", "type": "expense"}`: "exists as asset",
	} {
		if status, answer, _ := c.do("POST", "/v1/accounts", body); status != 422 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s; want %q", body, status, answer, want)
		}
	}
	if status, _, _ := c.do("PUT", "/v1/currencies/JPY", `{"digits": 0}`); status != 200 {
		t.Errorf("JPY: %d", status)
	}
	if status, _, _ := c.do("PUT", "/v1/currencies/JPY", `{}`); status != 400 {
		t.Errorf("no digits: %d", status)
	}
	if status, _, _ := c.do("POST", "/v1/transactions", coffee); status != http.StatusCreated {
		t.Fatal(status)
	}
	if status, body, _ := c.do("PUT", "/v1/currencies/EUR", `{"digits": 3}`); status != 422 || !strings.Contains(body, "in use") {
		t.Errorf("other digits for a currency in use: %d %s", status, body)
	}
}

func TestAClosedDatabaseIsAnsweredWithTryAgain(t *testing.T) {
	books, db := booktest.Open(t)
	booktest.Fill(t, books)
	c := &client{t, web.Handler(books, slog.New(slog.DiscardHandler)), books}
	booktest.Spoiled(t, db) // the cleanup cannot look at it any more
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"POST", "GET"} {
		body := ""
		if method == "POST" {
			body = coffee
		}
		status, answer, header := c.do(method, "/v1/transactions", body)
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(answer, "try again") || strings.Contains(answer, "Key") {
			t.Errorf("%s: %d %s", method, status, answer)
		}
	}
	if _, answer, _ := c.do("POST", "/v1/transactions", coffee, "Idempotency-Key", "k"); !strings.Contains(answer, "with the same Idempotency-Key") {
		t.Errorf("with a key: %s", answer)
	}
}

func TestAttachmentsAreServedForDownloadOnly(t *testing.T) {
	c := open(t)
	c.do("POST", "/v1/transactions", coffee)
	status, body, _ := c.do("PUT", "/v1/transactions/1/attachments/a%20b.html", "<script>", "Content-Type", "text/html")
	if status != 200 || !strings.Contains(body, `"name":"a b.html"`) {
		t.Fatalf("%d %s", status, body)
	}
	status, body, header := c.do("GET", "/v1/transactions/1/attachments/a%20b.html", "")
	if status != 200 || body != "<script>" || header.Get("Content-Disposition") != "attachment" || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %s %v", status, body, header)
	}
	if status, body, _ := c.do("GET", "/v1/transactions/1/attachments", ""); status != 200 || !strings.Contains(body, `"size_bytes":8`) {
		t.Errorf("%d %s", status, body)
	}
	r := httptest.NewRequestWithContext(t.Context(), "PUT", "/v1/transactions/1/attachments/big", io.LimitReader(zeros{}, book.MaxAttachmentBytes+1))
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("an attachment that is too large: %d", w.Code)
	}
}

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
