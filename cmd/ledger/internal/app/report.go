package app

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
)

// form is how a report is written.
type form struct{ csv, json bool }

func (f *form) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.csv, "csv", false, "write CSV, for programs")
	cmd.Flags().BoolVar(&f.json, "json", false, "write JSON, for programs")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if f.csv && f.json {
			return &usageError{errors.New("--csv and --json exclude each other")}
		}
		return nil
	}
}

func newBalance(opt *options) *cobra.Command {
	var f form
	cmd := &cobra.Command{
		Use:   "balance [ACCOUNT]",
		Short: "Show the tree of accounts and what they hold",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{fmt.Errorf("want one account at most, got %d", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return opt.withBook(cmd.Context(), func(ctx context.Context, books *book.Book) error {
				tree, err := books.Balances(ctx, strings.Join(args, ""))
				if err != nil {
					return err
				}
				switch {
				case f.csv:
					return balanceCSV(opt.stdout, tree)
				case f.json:
					return writeJSON(opt.stdout, tree)
				}
				return balanceTable(opt.stdout, tree)
			})
		},
	}
	f.flags(cmd)
	return cmd
}

func balanceTable(w io.Writer, tree book.Tree) error {
	currencies := make([]string, len(tree.Total))
	for i, a := range tree.Total {
		currencies[i] = a.Currency
	}
	cells := func(amounts []book.Amount) []string {
		row := make([]string, len(currencies))
		for i, code := range currencies {
			for _, a := range amounts {
				if a.Currency == code {
					row[i] = group(a.Amount)
				}
			}
		}
		return row
	}
	t := table{head: append([]string{"account"}, currencies...)}
	base := -1
	for _, n := range tree.Nodes {
		if base < 0 {
			base = n.Depth
		}
		name := n.Name
		if n.Depth > base {
			name = strings.Repeat("  ", n.Depth-base) + name[strings.LastIndexByte(name, ':')+1:]
		}
		if n.Closed {
			name += " (closed)"
		}
		t.rows = append(t.rows, append([]string{name}, cells(n.Total)...))
	}
	t.foot = append([]string{"total"}, cells(tree.Total)...)
	return t.write(w)
}

func balanceCSV(w io.Writer, tree book.Tree) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"account", "type", "currency", "balance", "total"}); err != nil {
		return err
	}
	for _, n := range tree.Nodes {
		for _, sum := range n.Total {
			own := "0"
			for _, a := range n.Own {
				if a.Currency == sum.Currency {
					own = a.Amount
				}
			}
			if err := out.Write([]string{n.Name, n.Type, sum.Currency, own, sum.Amount}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func newRegister(opt *options) *cobra.Command {
	var f form
	var from, to string
	cmd := &cobra.Command{
		Use:   "register ACCOUNT",
		Short: "List what was booked on an account, with the running balance",
		Args:  exactly("ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for name, day := range map[string]string{"--from": from, "--to": to} {
				if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
					return &usageError{fmt.Errorf("%s %q is not a day; write it like 2025-01-31", name, day)}
				}
			}
			return opt.withBook(cmd.Context(), func(ctx context.Context, books *book.Book) error {
				entries, err := books.Register(ctx, args[0], from, to)
				if err != nil {
					return err
				}
				switch {
				case f.csv:
					return registerCSV(opt.stdout, entries)
				case f.json:
					return writeJSON(opt.stdout, entries)
				}
				return registerTable(opt.stdout, entries)
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first day to list")
	cmd.Flags().StringVar(&to, "to", "", "last day to list")
	f.flags(cmd)
	return cmd
}

func registerTable(w io.Writer, entries []book.Entry) error {
	t := table{head: []string{"date", "description", "account", "amount", "balance", ""}, left: 3}
	for _, e := range entries {
		t.rows = append(t.rows, []string{e.Date, cut(e.Description, 40), cut(e.Account, 36), group(e.Amount), group(e.Balance), e.Currency})
	}
	return t.write(w)
}

func registerCSV(w io.Writer, entries []book.Entry) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"transaction", "date", "description", "account", "amount", "currency", "balance"}); err != nil {
		return err
	}
	for _, e := range entries {
		if err := out.Write([]string{fmt.Sprint(e.Transaction), e.Date, e.Description, e.Account, e.Amount, e.Currency, e.Balance}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func newCheck(opt *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Add up every posting and compare with the balances",
		Long: "Check adds up every posting anew and compares: every transaction sums to zero in\n" +
			"each currency, every balance equals its postings, attachments are what was\n" +
			"stored. It exits 1 on the first difference and names it.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return opt.withBook(cmd.Context(), func(ctx context.Context, books *book.Book) error {
				result, err := books.Check(ctx)
				if off := new(book.Difference); errors.As(err, &off) {
					return fmt.Errorf("the books do not add up: %w; restore the last backup that does", off)
				}
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(opt.stdout, result)
				}
				_, err = fmt.Fprintf(opt.stdout, "ok: %d transactions, %d postings, %d balances, %d attachments add up\n",
					result.Transactions, result.Postings, result.Balances, result.Attachments)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON, for programs")
	return cmd
}

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}
