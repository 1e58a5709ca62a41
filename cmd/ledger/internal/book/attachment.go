package book

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lidodb/lido"
	"github.com/lidodb/lido/gen"
)

// MaxAttachmentBytes is how large an attachment can be.
const MaxAttachmentBytes = 16 << 20

// Attachment is a file beside a transaction.
type Attachment struct {
	Name      string    `json:"name"`
	MediaType string    `json:"media_type"`
	SHA256    string    `json:"sha256"`
	SizeBytes int64     `json:"size_bytes"`
	CreatedAt time.Time `json:"created_at"`
	Content   []byte    `json:"-"`
}

// Attach stores a file beside a posted transaction, in the place of one of the
// same name.
func (b *Book) Attach(ctx context.Context, transaction int64, name, mediaType string, content []byte) (Attachment, error) {
	if name == "" || len(name) > 255 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return Attachment{}, invalid("malformed", "name it in 1 to 255 bytes without control characters", "attachment has no usable name")
	}
	if len(content) > MaxAttachmentBytes {
		return Attachment{}, invalid("too_large", "store it elsewhere", "attachment %q is larger than %d bytes", name, MaxAttachmentBytes)
	}
	if content == nil {
		content = []byte{} // nil would be NULL
	}
	sum := sha256.Sum256(content)
	var row gen.PutAttachmentRow
	err := b.store.Write(ctx, func(ctx context.Context, q *gen.Queries) error {
		t, err := q.GetTransaction(ctx, transaction)
		if errors.Is(err, lido.ErrNoRows) || (err == nil && !t.Posted) {
			return fmt.Errorf("transaction %d: %w", transaction, ErrNotFound)
		}
		if err != nil {
			return err
		}
		row, err = q.PutAttachment(ctx, gen.PutAttachmentParams{
			TransactionID: transaction, Name: name, MediaType: mediaType, Sha256: sum[:], Content: content, CreatedAt: b.now(),
		})
		return err
	})
	return Attachment{
		Name: name, MediaType: mediaType, SHA256: fmt.Sprintf("%x", sum), SizeBytes: int64(len(content)), CreatedAt: row.CreatedAt,
	}, explain(err)
}

// Attachment returns a file with its content.
func (b *Book) Attachment(ctx context.Context, transaction int64, name string) (Attachment, error) {
	a, err := b.store.GetAttachment(ctx, gen.GetAttachmentParams{TransactionID: transaction, Name: name})
	if errors.Is(err, lido.ErrNoRows) {
		return Attachment{}, fmt.Errorf("attachment %q of transaction %d: %w", name, transaction, ErrNotFound)
	}
	return Attachment{
		Name: a.Name, MediaType: a.MediaType, SHA256: fmt.Sprintf("%x", a.Sha256), SizeBytes: int64(len(a.Content)),
		CreatedAt: a.CreatedAt, Content: a.Content,
	}, err
}

// Attachments lists the files beside a transaction, without their content.
func (b *Book) Attachments(ctx context.Context, transaction int64) ([]Attachment, error) {
	rows, err := b.store.ListAttachments(ctx, transaction)
	list := make([]Attachment, len(rows))
	for i, a := range rows {
		list[i] = Attachment{
			Name: a.Name, MediaType: a.MediaType, SHA256: fmt.Sprintf("%x", a.Sha256), SizeBytes: a.SizeBytes, CreatedAt: a.CreatedAt,
		}
	}
	return list, err
}
