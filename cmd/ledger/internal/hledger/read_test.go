package hledger_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
	"github.com/lidodb/lido/cmd/ledger/internal/hledger"
)

const header = `"txnidx","date","date2","status","code","description","comment","account","amount","commodity","credit","debit","posting-status","posting-comment"` + "\n"

// good is what hledger 1.25 printed for a journal with two transactions.
const good = header +
	`"1","2024-01-01","2024-01-02","*","123","open it ""quoted""","invoice:2024-01, see there","assets:bank","1000.50","$","","1000.50","","pc"
"1","2024-01-01","2024-01-02","*","123","open it ""quoted""","invoice:2024-01, see there","equity:opening","-1000.50","$","1000.50","","",""
"4","2024-01-03","","!","","sci","multi
line","[a]","1E3","","","1E3","",""
"4","2024-01-03","","!","","sci","multi
line","[b]","-1000","","1000","","*",""
"4","2024-01-03","","!","","sci","multi
line","c","0","","","0","",""
`

func read(text string, opt hledger.Options) ([]book.Draft, error) {
	return hledger.Read(strings.NewReader(text), "books.csv", opt)
}

func TestWhatHledgerPrintsIsRead(t *testing.T) {
	drafts, err := read(good, hledger.Options{})
	if err != nil || len(drafts) != 2 {
		t.Fatalf("%d transactions, %v", len(drafts), err)
	}
	first, second := drafts[0], drafts[1]
	if first.Description != `open it "quoted"` || first.Code != "123" || first.Status != "*" || first.Where != "books.csv:2" || len(first.Lines) != 2 {
		t.Errorf("first: %+v", first)
	}
	if want := map[string]string{"invoice": "2024-01", "date2": "2024-01-02"}; !reflect.DeepEqual(first.Tags, want) {
		t.Errorf("tags %v, want %v", first.Tags, want)
	}
	if l := first.Lines[0]; l.Account != "assets:bank" || l.Amount.String() != "1000.5" || l.Currency != "$" || l.Comment != "pc" {
		t.Errorf("first line: %+v", l)
	}
	if l := second.Lines[1]; l.Account != "b" || l.Amount.String() != "-1000" || l.Currency != hledger.NoCurrency || l.Status != "*" || l.Where != "books.csv:6" {
		t.Errorf("second line: %+v", l)
	}
	bom, err := read("\ufeff"+strings.ReplaceAll(good, "\n", "\r\n"), hledger.Options{})
	if err != nil || len(bom) != 2 {
		t.Errorf("with a byte order mark and CRLF: %d, %v", len(bom), err)
	}
	if none, err := read(header, hledger.Options{}); err != nil || len(none) != 0 {
		t.Errorf("an empty journal: %v, %v", none, err)
	}
}

func TestVirtualPostingsCanBeLeftOut(t *testing.T) {
	text := strings.ReplaceAll(good, `"[a]"`, `"(a)"`)
	drafts, err := read(text, hledger.Options{RealOnly: true})
	if err != nil || len(drafts) != 2 || len(drafts[1].Lines) != 1 || drafts[1].Lines[0].Account != "c" {
		t.Errorf("%+v, %v", drafts, err)
	}
	drafts, err = read(strings.ReplaceAll(text, `"c"`, `"(c)"`), hledger.Options{RealOnly: true})
	if err != nil || len(drafts) != 1 {
		t.Errorf("a transaction of virtual postings: %+v, %v", drafts, err)
	}
}

func TestTheDecimalMarkCanBeSaid(t *testing.T) {
	text := header + `"1","2024-01-01","","","","x","","a","1,000","EUR","","","",""` + "\n"
	if _, err := read(text, hledger.Options{}); err == nil || !strings.Contains(err.Error(), "books.csv:2, column amount") || !strings.Contains(err.Error(), "--decimal-mark") {
		t.Errorf("an amount that can mean two things: %v", err)
	}
	for mark, want := range map[byte]string{',': "1", '.': "1000"} {
		drafts, err := read(text, hledger.Options{DecimalMark: mark})
		if err != nil || drafts[0].Lines[0].Amount.String() != want {
			t.Errorf("with %c: %v, %v; want %s", mark, drafts, err, want)
		}
	}
}

func TestFilesThatAreWrongAreRefusedByLineAndColumn(t *testing.T) {
	row := func(columns ...string) string {
		f := []string{"1", "2024-01-01", "", "", "", "x", "", "a", "1", "EUR", "", "1", "", ""}
		for i := 0; i < len(columns); i += 2 {
			for n, name := range hledger.Header {
				if name == columns[i] {
					f[n] = columns[i+1]
				}
			}
		}
		return `"` + strings.Join(f, `","`) + `"` + "\n"
	}
	for name, test := range map[string]struct{ text, want string }{
		"empty":                {"", "books.csv:1: the file is empty"},
		"wrong header":         {strings.Replace(good, `"amount"`, `"sum"`, 1), `books.csv:1: column 9 is "sum" where "amount" belongs`},
		"header cut":           {`"txnidx","date"` + "\n", `books.csv:1: column 3 is nothing where "date2" belongs`},
		"one column more":      {strings.Replace(header, "\n", `,"more"`+"\n", 1), `unknown column "more"`},
		"missing column":       {header + `"1","2024-01-01","","","","x","","a","1","EUR","","1",""` + "\n", "books.csv:2: 13 columns where 14 belong"},
		"cut in a field":       {good[:len(good)-2], "books.csv:8: extraneous or missing"},
		"cut in the last line": {good[:strings.LastIndex(good, `,"c"`)], "books.csv:8: 7 columns where 14 belong"},
		"bare quote":           {header + row("description", `a"b`), "books.csv:2: "},
		"bad amount":           {header + row("amount", "12.x"), `books.csv:2, column amount: amount "12.x" is not a number`},
		"no amount":            {header + row("amount", ""), "books.csv:2, column amount"},
		"amount with a sign":   {header + row("amount", "$12"), "books.csv:2, column amount"},
		"overflow":             {header + row("amount", "99999999999999999999"), "books.csv:2, column amount: amount"},
		"bad date":             {header + row() + row("txnidx", "2", "date", "2024-02-30"), `books.csv:3, column date: "2024-02-30" is not a day`},
		"bad status":           {header + row("status", "?"), "books.csv:2, column status"},
		"no number":            {header + row("txnidx", ""), "books.csv:2, column txnidx"},
		"two files joined":     {header + row() + row("date", "2024-01-02"), "books.csv:3, column txnidx: transaction 1 has another date"},
		"virtual posting":      {header + row("account", "(a:b)"), "books.csv:2, column account: (a:b) is an unbalanced virtual posting"},
	} {
		t.Run(name, func(t *testing.T) {
			drafts, err := read(test.text, hledger.Options{})
			var refused *book.Invalid
			if !errors.As(err, &refused) || drafts != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %d transactions, %v; want it refused with %q", len(drafts), err, test.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(good)
	f.Add(header)
	f.Add(good[:300])
	f.Fuzz(func(t *testing.T, text string) {
		drafts, err := read(text, hledger.Options{})
		if err != nil {
			return
		}
		for _, d := range drafts {
			if len(d.Lines) == 0 {
				t.Fatalf("a transaction without lines was read: %+v", d)
			}
		}
	})
}
