package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/cmd/ledger/internal/hledger"
	"github.com/lidodb/lido/cmd/ledger/internal/sample"
	"github.com/lidodb/lido/pool"
	"github.com/lidodb/lido/schema"
)

func newImport(opt *options) *cobra.Command {
	var mark, other string
	var types map[string]string
	var real, asJSON bool
	cmd := &cobra.Command{
		Use:   "import FILE.csv",
		Short: `Add the transactions of a CSV that "hledger print -O csv" wrote`,
		Long: `Import adds the transactions of a file that "hledger print -O csv" wrote, all of
them or none. Importing the same transactions again adds nothing. Accounts and
currencies that are missing are created. The file "-" is the standard input.`,
		Example: "  hledger -f 2025.journal print -O csv > 2025.csv\n  ledger import 2025.csv",
		Args:    exactly("FILE.csv"),
		RunE: func(cmd *cobra.Command, args []string) error {
			read := hledger.Options{RealOnly: real}
			switch mark {
			case "":
			case ".", ",":
				read.DecimalMark = mark[0]
			default:
				return &usageError{fmt.Errorf(`--decimal-mark %q is neither "." nor ","`, mark)}
			}
			for name, kind := range types {
				if !slices.Contains(book.Types, kind) {
					return &usageError{fmt.Errorf("--type %s=%s: the type is one of: %s", name, kind, strings.Join(book.Types, ", "))}
				}
			}
			name, drafts, err := readFile(args[0], cmd.InOrStdin(), read)
			if err != nil {
				return explainImport(err)
			}
			if err := os.MkdirAll(opt.data, 0o700); err != nil {
				return err
			}
			return opt.open(cmd.Context(), pool.Config{Prepare: schema.Migrate}, func(ctx context.Context, books *book.Book) error {
				bar := newProgress(opt.stderr, name)
				result, err := books.Import(ctx, drafts, book.ImportOptions{Types: types, OtherType: other, Progress: bar.show})
				bar.clear()
				if err != nil {
					return explainImport(err)
				}
				if asJSON {
					return writeJSON(opt.stdout, result)
				}
				_, err = fmt.Fprintf(opt.stdout, "%s: added %d transactions with %d postings, %d were known; new: %d accounts, %d currencies\n",
					name, result.Added, result.Postings, result.Known, result.Accounts, result.Currencies)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&mark, "decimal-mark", "", `"." or ","; without it each number tells`)
	cmd.Flags().StringToStringVar(&types, "type", nil, "types of top-level accounts whose names do not say them, such as bank=asset,shop=expense")
	cmd.Flags().StringVar(&other, "other-type", "", "type of all such accounts that --type does not name")
	cmd.Flags().BoolVar(&real, "real", false, "leave out virtual postings, those in brackets")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON, for programs")
	return cmd
}

// explainImport adds what is true of every refused import.
func explainImport(err error) error {
	if bad := new(book.Invalid); errors.As(err, &bad) && bad.Code == "unbalanced" {
		err = fmt.Errorf("%w (hledger adds such postings for prices with: hledger print --infer-equity -O csv)", err)
	}
	return fmt.Errorf("%w (nothing was imported)", err)
}

func readFile(path string, stdin io.Reader, opt hledger.Options) (name string, drafts []book.Draft, err error) {
	if path == "-" {
		drafts, err = hledger.Read(stdin, "stdin", opt)
		return "stdin", drafts, err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", nil, err
	}
	defer f.Close() // only read
	name = filepath.Base(path)
	drafts, err = hledger.Read(f, name, opt)
	return name, drafts, err
}

// importSample loads all sample books, or none of them.
func importSample(ctx context.Context, books *book.Book, w io.Writer) error {
	var all []book.Draft
	for _, s := range sample.Books() {
		text, err := s.CSV()
		if err != nil {
			return err
		}
		drafts, err := hledger.Read(bytes.NewReader(text), s.Name, hledger.Options{})
		if err != nil {
			return err
		}
		all = append(all, drafts...)
	}
	bar := newProgress(w, "sample books")
	_, err := books.Import(ctx, all, book.ImportOptions{Progress: bar.show})
	bar.clear()
	if err != nil {
		return fmt.Errorf("load the sample books: %w", err)
	}
	return nil
}

// progress draws a bar on a terminal and nothing elsewhere.
type progress struct {
	w     io.Writer
	name  string
	drawn time.Time
}

func newProgress(w io.Writer, name string) *progress {
	p := &progress{name: name}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.w = w
		}
	}
	return p
}

// show draws the bar, at most some twenty times a second.
func (p *progress) show(done, total int) {
	if p.w == nil || total == 0 || (done < total && time.Since(p.drawn) < 50*time.Millisecond) {
		return
	}
	const width = 30
	full := width * done / total
	fmt.Fprintf(p.w, "\r%s [%s%s] %d/%d", p.name, strings.Repeat("#", full), strings.Repeat(".", width-full), done, total)
	p.drawn = time.Now()
}

// clear removes the bar.
func (p *progress) clear() {
	if p.w != nil && !p.drawn.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
