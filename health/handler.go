package health

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Handler answers the probes of an orchestrator or a load balancer:
//
//	GET /livez    200 as long as the process can answer; it looks at nothing
//	GET /readyz   200 in the state Ready, else 503
//
// The body is {"status":"ok"}, or the state in place of ok: starting,
// migrating, restoring, draining, stopped. It tells strangers nothing more, so
// the handler needs no authorisation. Neither probe touches the database, and
// no result of a check turns /readyz: what is wrong with one replica's disk is
// usually wrong with all of them, and all would leave the load balancer at once.
func (m *Monitor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeWord(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s := m.State(); s != Ready {
			writeWord(w, http.StatusServiceUnavailable, string(s))
			return
		}
		writeWord(w, http.StatusOK, "ok")
	})
	return mux
}

// DetailHandler answers with the Report as JSON, for /healthz or a page of
// one's own: 200, or 503 when the status is Failed.
//
// Reasons may name tables and paths, so the report is not for everybody:
// authorise decides who sees it, and everybody else gets 403. It is asked on
// every request, also for those from this machine, because behind a proxy all
// of them are.
//
// With a nil authorise only requests are answered that come from a loopback
// address, name a loopback host, and were not forwarded by a proxy that says
// so. Do not use that behind a proxy on the same machine.
func (m *Monitor) DetailHandler(authorise func(*http.Request) bool) http.Handler {
	if authorise == nil {
		authorise = fromLoopback
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !authorise(r) {
			writeWord(w, http.StatusForbidden, "forbidden")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeWord(w, http.StatusMethodNotAllowed, "method not allowed")
			return
		}
		rep := m.Report()
		code := http.StatusOK
		if rep.Status == Failed {
			code = http.StatusServiceUnavailable
		}
		writeJSON(w, code, rep)
	})
}

// fromLoopback reports a request that this machine makes to itself. The Host
// is looked at because a page from elsewhere can make a browser on this machine
// ask for it, under a name that was made to resolve to the loopback address.
func fromLoopback(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if len(r.Header.Values(h)) > 0 {
			return false
		}
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !remote.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

func writeWord(w http.ResponseWriter, code int, word string) {
	writeJSON(w, code, struct {
		Status string `json:"status"`
	}{word})
}

// writeJSON sends v. A caller that has gone away is nobody to tell.
func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, `{"status":"unknown"}`, http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}
