package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
)

func (s *server) listAttachments(w http.ResponseWriter, r *http.Request) error {
	id, err := transactionID(r)
	if err != nil {
		return err
	}
	if _, err := s.book.Transaction(r.Context(), id); err != nil {
		return err
	}
	list, err := s.book.Attachments(r.Context(), id)
	if err == nil {
		answer(w, http.StatusOK, struct {
			Attachments []book.Attachment `json:"attachments"`
		}{list})
	}
	return err
}

func (s *server) putAttachment(w http.ResponseWriter, r *http.Request) error {
	id, err := transactionID(r)
	if err != nil {
		return err
	}
	kind := "application/octet-stream"
	if text := r.Header.Get("Content-Type"); text != "" {
		if _, _, err := mime.ParseMediaType(text); err != nil {
			return badRequest("Content-Type %q is no media type", text)
		}
		kind = text
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, book.MaxAttachmentBytes))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return &httpError{http.StatusRequestEntityTooLarge, "too_large",
			fmt.Sprintf("the attachment is larger than %d bytes", tooLarge.Limit)}
	}
	if err != nil {
		return badRequest("the body ended early: %v", err)
	}
	a, err := s.book.Attach(r.Context(), id, r.PathValue("name"), kind, content)
	if err == nil {
		answer(w, http.StatusOK, a)
	}
	return err
}

func (s *server) getAttachment(w http.ResponseWriter, r *http.Request) error {
	id, err := transactionID(r)
	if err != nil {
		return err
	}
	a, err := s.book.Attachment(r.Context(), id, r.PathValue("name"))
	if err != nil {
		return err
	}
	// A browser must not run what somebody has uploaded.
	w.Header().Set("Content-Disposition", "attachment")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Type", a.MediaType)
	w.Header().Set("Content-Length", strconv.FormatInt(a.SizeBytes, 10))
	_, _ = w.Write(a.Content)
	return nil
}
