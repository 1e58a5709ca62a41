package main

import (
	"fmt"
	"time"
)

const (
	bankEUR    = "assets:studio:bank:eur"
	bankUSD    = "assets:studio:bank:usd"
	receivable = "assets:studio:receivable"
	payable    = "liabilities:studio:payable"
	vatOwed    = "liabilities:studio:vat"
	vatPaid    = "assets:studio:input vat"
	sales      = "income:studio:design"
)

// client is somebody the studio sends invoices to.
type client struct {
	name     string
	currency string
	low      int64
	high     int64
	every    int // days between two invoices, about
}

var clients = []client{
	{"Brauerei Feldmann GmbH", eur, 85_000, 320_000, 24},
	{"Stadtmuseum", eur, 120_000, 640_000, 45},
	{"Zahnarztpraxis Dr. Öztürk", eur, 28_000, 90_000, 38},
	{"Verlag Blaue Stunde", eur, 60_000, 260_000, 19},
	{"Harbor & Pine LLC", usd, 150_000, 520_000, 28},
	{"Cascadia Trail Co.", usd, 90_000, 280_000, 33},
	{"Weingut Thalbach", eur, 45_000, 180_000, 30},
}

var suppliers = []struct{ name, account string }{
	{"Druckerei Holm", "expenses:studio:printing"},
	{"Papier Union", "expenses:studio:materials"},
	{"Fotograf Jonas Weber", "expenses:studio:freelancers"},
	{"Lektorat Punkt & Komma", "expenses:studio:freelancers"},
	{"Büromarkt", "expenses:studio:office"},
	{"Deutsche Bahn", "expenses:studio:travel"},
	{"Kurier Blitz", "expenses:studio:shipping"},
}

var tools = []struct {
	name  string
	cents int64
}{
	{"Vector Suite subscription", 5_999}, {"Cloud storage", 1_200}, {"Font library", 2_400}, {"Web hosting", 3_850},
}

// studio returns two years of a design studio that works for clients on both
// sides of an ocean. Sales at home carry 19% VAT; sales abroad carry none.
func studio() *book {
	b := newBook(2)
	b.add(first, "Opening balances studio",
		line{bankEUR, 1_865_240, eur}, line{"assets:studio:equipment", 740_000, eur},
		line{"equity:opening balances", -2_605_240, eur},
		line{bankUSD, 320_000, usd}, line{"equity:opening balances", -320_000, usd})

	number := map[int]int{}
	next := make([]time.Time, len(clients))
	for i, c := range clients {
		next[i] = first.AddDate(0, 0, 3+b.rnd.IntN(c.every))
	}
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		for i, c := range clients {
			if day.Equal(next[i]) {
				number[day.Year()]++
				b.invoice(c, day, fmt.Sprintf("%d-%03d", day.Year(), number[day.Year()]))
				next[i] = day.AddDate(0, 0, c.every-5+b.rnd.IntN(11))
			}
		}
		if weekday := day.Weekday(); weekday != time.Saturday && weekday != time.Sunday && b.rnd.IntN(2) == 0 {
			b.bill(day)
		}
		if day.Day() == 1 {
			b.studioMonth(day)
		}
	}
	return b
}

// invoice records a sale and, some weeks later, its payment.
func (b *book) invoice(c client, day time.Time, number string) {
	net := b.between(c.low, c.high)
	vat := int64(0)
	lines := []line{{receivable, net, c.currency}, {sales, -net, c.currency}}
	if c.currency == eur {
		vat = (net*19 + 50) / 100
		lines[0].cents += vat
		lines = append(lines, line{vatOwed, -vat, eur})
	}
	sale := b.add(day, "Invoice to "+c.name, lines...)
	sale.code, sale.comment = number, "invoice:"+number

	paid := day.AddDate(0, 0, 9+b.rnd.IntN(30))
	if paid.After(last) {
		return // still open when the books end
	}
	bank := bankEUR
	if c.currency == usd {
		bank = bankUSD
	}
	payment := b.move(paid, "Payment from "+c.name, receivable, bank, net+vat, c.currency)
	payment.code, payment.comment = number, "invoice:"+number
}

// bill records something bought: at once, or on account and paid later.
func (b *book) bill(day time.Time) {
	s := suppliers[b.rnd.IntN(len(suppliers))]
	net := b.between(1_450, 38_000)
	vat := (net*19 + 50) / 100
	from := bankEUR
	later := day.AddDate(0, 0, 14)
	if b.rnd.IntN(3) == 0 && !later.After(last) {
		from = payable
		b.move(later, s.name+", bill paid", bankEUR, payable, net+vat, eur)
	}
	b.add(day, s.name, line{s.account, net, eur}, line{vatPaid, vat, eur}, line{from, -net - vat, eur})
}

// studioMonth records what comes once a month, and VAT of the month before.
func (b *book) studioMonth(m time.Time) {
	on := func(day int) time.Time { return m.AddDate(0, 0, day-1) }
	rent := int64(64_000)
	vat := (rent*19 + 50) / 100
	b.add(on(1), "Atelierhaus, Miete Studio", line{"expenses:studio:rent", rent, eur}, line{vatPaid, vat, eur}, line{bankEUR, -rent - vat, eur})
	for i, tool := range tools {
		b.move(on(4+i), tool.name, bankUSD, "expenses:studio:software", tool.cents, usd)
	}
	b.move(on(15), "Berufshaftpflicht", bankEUR, "expenses:studio:insurance", 3_780, eur)
	b.move(on(24), "Wages Lena, three days a week", bankEUR, "expenses:studio:wages", 245_000, eur)
	b.move(on(28), "Drawings", bankEUR, "equity:studio:drawings", 380_000, eur)
	b.move(on(28), "Bank charges", bankEUR, "expenses:studio:bank charges", 1_190, eur)

	if m.After(first) {
		b.settleVAT(on(10), m)
		b.exchange(on(18), m)
	}
	if m.Month() == time.December {
		b.move(on(31), "Depreciation of equipment", "assets:studio:equipment", "expenses:studio:depreciation", 148_000, eur)
	}
}

// settleVAT pays the office what the months before have left on the two VAT
// accounts.
func (b *book) settleVAT(day, until time.Time) {
	owed, paid := b.balance(vatOwed, eur, until), b.balance(vatPaid, eur, until)
	b.add(day, "Finanzamt Umsatzsteuer", line{vatOwed, -owed, eur}, line{vatPaid, -paid, eur}, line{bankEUR, owed + paid, eur})
}

// exchange brings most of the dollars home when there are many.
func (b *book) exchange(day, until time.Time) {
	if have := b.balance(bankUSD, usd, until); have > 250_000 {
		dollars := (have - 100_000) / 100 * 100
		euros := dollars * 10_000 / usdFor(10_000, day)
		b.convert(day, "Exchange dollars for euros", bankUSD, dollars, usd, bankEUR, euros, eur)
	}
}

// balance sums what is booked on an account before a day.
func (b *book) balance(account, currency string, before time.Time) int64 {
	var sum int64
	for _, e := range b.entries {
		for _, l := range e.lines {
			if e.date.Before(before) && l.account == account && l.currency == currency {
				sum += l.cents
			}
		}
	}
	return sum
}
