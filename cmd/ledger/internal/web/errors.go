package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/cmd/ledger/internal/book"
)

// httpError is an answer that is known by its status.
type httpError struct {
	status        int
	code, message string
}

func (e *httpError) Error() string { return e.message }

func badRequest(format string, args ...any) error {
	return &httpError{http.StatusBadRequest, "malformed", fmt.Sprintf(format, args...)}
}

type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// fail answers with an error, in the form all errors have.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, code := http.StatusInternalServerError, "internal"
	message := "the server could not do it; its log says why"
	var known *httpError
	var refused *book.Invalid
	switch {
	case errors.As(err, &known):
		status, code, message = known.status, known.code, known.message
	case errors.As(err, &refused):
		status, code, message = http.StatusUnprocessableEntity, refused.Code, err.Error()
	case errors.Is(err, book.ErrNotFound):
		status, code, message = http.StatusNotFound, "not_found", err.Error()
	case errors.Is(err, book.ErrKeyReused):
		status, code, message = http.StatusConflict, "key_reused", err.Error()+"; use a new key for a new request"
	case r.Context().Err() != nil:
		// The client is gone, or has closed only its half and still reads: to
		// return would tell it 200 for what was not done.
		if !errors.Is(err, r.Context().Err()) && !temporary(err) {
			s.log.Error("request failed without an answer", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		panic(http.ErrAbortHandler)
	case temporary(err):
		status, code, message = http.StatusServiceUnavailable, "unavailable", "the server cannot do it now; try again"
		unknown := errors.Is(err, lido.ErrCommitUnknown)
		if unknown {
			code, message = "outcome_unknown", "it is not known whether this was stored; try again"
		}
		switch {
		case r.Header.Get("Idempotency-Key") != "":
			message += ", with the same Idempotency-Key"
		case unknown && r.Method == http.MethodPost:
			message = "it is not known whether this was stored; look before you send it again"
		}
		w.Header().Set("Retry-After", "1")
	}
	if status >= http.StatusInternalServerError {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	Error(w, status, code, message)
}

// Error answers with an error in the form that all errors of the API have.
func Error(w http.ResponseWriter, status int, code, message string) {
	var body errorBody
	body.Error.Code, body.Error.Message = code, message
	answer(w, status, body)
}

// temporary reports errors after which the same request may well succeed, or
// turn out to have succeeded.
func temporary(err error) bool {
	for _, known := range []error{
		lido.ErrClosed, lido.ErrUnavailable, lido.ErrBusy, lido.ErrFull, lido.ErrInterrupted, lido.ErrCommitUnknown, lido.ErrGroupAborted,
		context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A client that has gone away does not hear the answer; nothing is lost.
	_, _ = w.Write(append(text, '\n'))
}

// decode reads one JSON object of a request into v and refuses fields that v
// does not have: a misspelt field must not be taken for one left out.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &httpError{http.StatusUnsupportedMediaType, "malformed", "the body must be JSON; send the header Content-Type: application/json"}
	}
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	in.DisallowUnknownFields()
	if err := in.Decode(v); err != nil {
		return decodeError(err)
	}
	if _, err := in.Token(); err != io.EOF {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return decodeError(err)
		}
		return badRequest("the body goes on after the JSON object; send one object")
	}
	return nil
}

func decodeError(err error) error {
	var tooLarge *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var refused *book.Invalid
	switch {
	case errors.As(err, &refused):
		return err
	case errors.As(err, &tooLarge):
		return &httpError{http.StatusRequestEntityTooLarge, "too_large",
			fmt.Sprintf("the body is larger than %d bytes; send less at a time", tooLarge.Limit)}
	case errors.As(err, &kind):
		return badRequest("field %q cannot be a %s; %s", kind.Field, kind.Value, `amounts are strings such as "12.50"`)
	case errors.As(err, &syntax):
		return badRequest("the body is not JSON, byte %d: %v", syntax.Offset, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return badRequest("the body is empty or ends early; send one JSON object")
	case strings.HasPrefix(err.Error(), "json: "):
		return badRequest("%s; see the documentation for the fields", strings.TrimPrefix(err.Error(), "json: "))
	}
	return err
}
