package book_test

import (
	"errors"
	"testing"

	"github.com/lidodb/lido/cmd/ledger/internal/book"
)

func TestDecimalsAreReadAsBookkeepingProgramsWriteThem(t *testing.T) {
	for _, test := range []struct {
		text string
		mark byte
		want string
	}{
		{"0", 0, "0"}, {"-0.00", 0, "0"}, {"12", 0, "12"}, {"12.50", 0, "12.5"}, {"-12.5", 0, "-12.5"}, {"+3", 0, "3"},
		{".5", 0, "0.5"}, {"5.", 0, "5"}, {"1000.00", 0, "1000"}, {"1234,56", 0, "1234.56"}, {"0,125", 0, "0.125"},
		{"1,234.56", 0, "1234.56"}, {"1.234,56", 0, "1234.56"}, {"1,234,567", 0, "1234567"}, {"1.234.567", 0, "1234567"},
		{"1 234 567.8", 0, "1234567.8"}, {"1'234.50", 0, "1234.5"}, {"12,34", 0, "12.34"}, {"1.234", 0, "1.234"},
		{"1,234", ',', "1.234"}, {"1,234", '.', "1234"}, {"1.234", ',', "1234"}, {"1234,567", 0, "1234.567"},
		{"1E3", 0, "1000"}, {"1.5e-2", 0, "0.015"}, {"-2.50E2", 0, "-250"},
		{"999999999999999999", 0, "999999999999999999"}, {"0.000000000001", 0, "0.000000000001"},
	} {
		got, err := book.ParseDecimalMark(test.text, test.mark)
		if err != nil || got.String() != test.want {
			t.Errorf("%q read as %v, %v; want %s", test.text, got, err, test.want)
		}
	}
}

func TestTextThatIsNoNumberIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "-", ".", ",", "x", "1x", "1..2", "1.2.3", "1,2,3", "--1", "1-", "1e", "1e1000", "12,34,567", "1,23.4", "1 2345",
		",123,456", "1,,234.5", "1.234,567.8", "NaN", "0x10", "1,234", "1000000000000000000", "1e18", "0.0000000000001", "١",
	} {
		got, err := book.ParseDecimalMark(text, 0)
		var bad *book.Invalid
		if !errors.As(err, &bad) {
			t.Errorf("%q read as %v, %v; want it refused", text, got, err)
		}
	}
	for text, mark := range map[string]byte{"1.234.567": '.', "1.234.50": '.', "1.2.3E2": '.', "1,234,567": ',', "1.234,5,6": ','} {
		if got, err := book.ParseDecimalMark(text, mark); err == nil {
			t.Errorf("%q with the decimal mark %c read as %v; want it refused", text, mark, got)
		}
	}
	for _, text := range []string{"1,5", "1 000", "1e3", "+1", "1.234.567", "1.234.50", "1.000.00"} {
		if got, err := book.ParseDecimal(text); err == nil {
			t.Errorf("%q read as %v; want it refused where only plain numbers are taken", text, got)
		}
	}
}

func TestMinorUnitsNeitherRoundNorOverflow(t *testing.T) {
	parse := func(text string) book.Decimal {
		d, err := book.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if got, err := parse("-12.5").Minor(2); got != -1250 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	if got, err := parse("1.005").Minor(2); err == nil {
		t.Errorf("got %d for a third decimal; want it refused", got)
	}
	if got, err := parse("10000000000000000").Minor(2); err == nil {
		t.Errorf("got %d beyond the largest amount; want it refused", got)
	}
	for minor, want := range map[int64]string{0: "0.00", 5: "0.05", -5: "-0.05", 1250: "12.50", -9223372036854775808: "-92233720368547758.08"} {
		if got := book.FormatMinor(minor, 2); got != want {
			t.Errorf("%d written as %s, want %s", minor, got, want)
		}
	}
}

func FuzzParseDecimalMark(f *testing.F) {
	for _, seed := range []string{"1,234.56", "1.5E3", "-12", "1 000,5", ".5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := book.ParseDecimalMark(text, 0)
		if err != nil {
			return
		}
		again, err := book.ParseDecimal(d.String())
		if err != nil || again != d {
			t.Fatalf("%q read as %s, which reads as %s, %v", text, d, again, err)
		}
	})
}
