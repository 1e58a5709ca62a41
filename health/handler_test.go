package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lidodb/lido/health"
)

func get(h http.Handler, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
	r.RemoteAddr = "127.0.0.1:5000"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func wantAnswer(t *testing.T, h http.Handler, path string, code int, word string) {
	t.Helper()
	w := get(h, path)
	if want := `{"status":"` + word + `"}` + "\n"; w.Code != code || w.Body.String() != want {
		t.Errorf("%s: %d %q, want %d %q", path, w.Code, w.Body.String(), code, want)
	}
}

func TestReadyzFollowsTheStateAndLivezNothing(t *testing.T) {
	failing := check("bad", func(context.Context) health.Result {
		return health.Result{Status: health.Failed, Reason: "gone", Remedy: "look"}
	})
	m, err := health.New(only(failing))
	if err != nil {
		t.Fatal(err)
	}
	h := m.Handler()
	step := func(code int, word string) {
		t.Helper()
		wantAnswer(t, h, "/readyz", code, word)
		wantAnswer(t, h, "/livez", http.StatusOK, "ok")
	}
	step(503, "starting")
	serving := m.Hold(health.Starting)
	step(503, "starting")
	release := m.Hold(health.Migrating)
	step(503, "migrating")
	release()
	step(503, "starting")
	if err := m.StartWithoutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rep, err := m.Run(t.Context()); err != nil || rep.Status != health.Failed {
		t.Fatalf("%v, %+v", err, rep)
	}
	step(503, "starting") // the pool is ready, the program is not
	serving()
	step(200, "ok") // a Failed check leaves the replica in the load balancer
	first, second := m.Hold(health.Restoring), m.Hold(health.Migrating)
	step(503, "migrating")
	second()
	step(503, "restoring")
	first()
	first()
	step(200, "ok")
	m.Drain()
	step(503, "draining")
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	step(503, "draining")
}

func TestReadyzAfterStopIsStopped(t *testing.T) {
	m, err := health.New(only())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.StartWithoutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, m.Handler(), "/readyz", 200, "ok")
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, m.Handler(), "/readyz", 503, "stopped")
	wantAnswer(t, m.Handler(), "/livez", 200, "ok")
}

func TestDrainBeforeStartIsNotUndoneByIt(t *testing.T) {
	m, err := health.New(only())
	if err != nil {
		t.Fatal(err)
	}
	m.Drain()
	if err := m.StartWithoutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, m.Handler(), "/readyz", 503, "draining")
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestHoldRefusesOtherStates(t *testing.T) {
	m, err := health.New(only())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Hold(Ready) did not panic")
		}
	}()
	m.Hold(health.Ready)
}

func TestProbesAnswerGetAndHeadOnly(t *testing.T) {
	m := monitor(t, only())
	for method, code := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
		for _, path := range []string{"/livez", "/readyz"} {
			w := get(m.Handler(), path, func(r *http.Request) { r.Method = method })
			if w.Code != code {
				t.Errorf("%s %s: %d, want %d", method, path, w.Code, code)
			}
		}
	}
	if w := get(m.Handler(), "/healthz"); w.Code != http.StatusNotFound {
		t.Errorf("/healthz of the probes: %d", w.Code)
	}
	if h := get(m.Handler(), "/readyz").Header(); h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", h)
	}
}

func TestDetailWithoutAuthorisationIsForThisMachineOnly(t *testing.T) {
	m := monitor(t, only())
	h := m.DetailHandler(nil)
	with := func(remote, host string, header ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.RemoteAddr, r.Host = remote, host
			for _, k := range header {
				r.Header.Set(k, "x")
			}
		}
	}
	for name, c := range map[string]struct {
		code   int
		change func(*http.Request)
	}{
		"IPv4":               {200, with("127.0.0.1:1", "127.0.0.1:8080")},
		"IPv4, other":        {200, with("127.1.2.3:1", "localhost")},
		"IPv6":               {200, with("[::1]:1", "[::1]:8080")},
		"IPv6 without port":  {200, with("[::1]:1", "[::1]")},
		"IPv4 in IPv6":       {200, with("[::ffff:127.0.0.1]:1", "LocalHost:80")},
		"other machine":      {403, with("10.0.0.7:1", "localhost")},
		"no address":         {403, with("", "localhost")},
		"unix socket":        {403, with("@", "localhost")},
		"rebound name":       {403, with("127.0.0.1:1", "evil.example")},
		"no host":            {403, with("127.0.0.1:1", "")},
		"behind a proxy":     {403, with("127.0.0.1:1", "localhost", "X-Forwarded-For")},
		"behind a new proxy": {403, with("127.0.0.1:1", "localhost", "Forwarded")},
		"name like loopback": {403, with("127.0.0.1:1", "localhost.evil.example")},
	} {
		if w := get(h, "/healthz", c.change); w.Code != c.code {
			t.Errorf("%s: %d, want %d", name, w.Code, c.code)
		}
	}
}

func TestDetailAsksTheAuthorisationAlsoOnLoopback(t *testing.T) {
	m := monitor(t, only())
	h := m.DetailHandler(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer open" })
	w := get(h, "/healthz")
	if w.Code != 403 || w.Body.String() != `{"status":"forbidden"}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	allow := func(r *http.Request) {
		r.RemoteAddr, r.Host = "10.0.0.7:1", "db.example"
		r.Header.Set("Authorization", "Bearer open")
	}
	if w := get(h, "/healthz", allow); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(h, "/healthz", allow, func(r *http.Request) { r.Method = "POST" }); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestDetailIsTheReportAsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := check("slow", func(ctx context.Context) health.Result {
			<-time.After(250 * time.Millisecond)
			return health.Result{Status: health.Degraded, Reason: "took long", Remedy: "wait <or> \"see\""}
		})
		slow.Cost, slow.Interval, slow.Timeout = health.Moderate, 30*time.Second, 5*time.Second
		later := check("later", ok)
		later.Cost = health.Expensive
		cfg := only(slow, later, check("good", ok), script("bad", health.Result{Status: health.Failed, Reason: "gone", Remedy: "look"}))
		cfg.ExpensiveDelay = time.Hour
		m := monitor(t, cfg)
		advance(3500 * time.Millisecond)
		w := get(m.DetailHandler(nil), "/healthz")
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d with a Failed check", w.Code)
		}
		var out bytes.Buffer
		if err := json.Indent(&out, w.Body.Bytes(), "", "  "); err != nil {
			t.Fatal(err)
		}
		golden(t, "healthz.json", out.Bytes())

		var back health.Report
		if err := json.Unmarshal(w.Body.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if got := find(t, back, "slow"); got.Status != health.Degraded || got.Cost != health.Moderate || got.Duration != 250*time.Millisecond {
			t.Errorf("read back: %+v", got)
		}
	})
}
