package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	eur = "EUR"
	usd = "USD"
)

// line is one posting, in cents.
type line struct {
	account  string
	cents    int64
	currency string
}

// entry is one transaction.
type entry struct {
	date        time.Time
	code        string
	description string
	comment     string
	lines       []line
}

// book collects transactions in any order.
type book struct {
	rnd     *rand.Rand
	entries []entry
}

func newBook(seed uint64) *book {
	return &book{rnd: rand.New(rand.NewPCG(seed, 2024))}
}

// add records a transaction. Lines that do not sum to zero are a mistake in
// this program.
func (b *book) add(date time.Time, description string, lines ...line) *entry {
	sum := map[string]int64{}
	for _, l := range lines {
		sum[l.currency] += l.cents
	}
	for currency, cents := range sum {
		if cents != 0 {
			panic(fmt.Sprintf("%s %q is off by %d cents %s", date.Format(time.DateOnly), description, cents, currency))
		}
	}
	b.entries = append(b.entries, entry{date: date, description: description, lines: lines})
	return &b.entries[len(b.entries)-1]
}

// move records that cents went from one account to another.
func (b *book) move(date time.Time, description, from, to string, cents int64, currency string) *entry {
	return b.add(date, description, line{to, cents, currency}, line{from, -cents, currency})
}

// convert records an exchange. It passes through equity:conversion, so that
// each currency sums to zero by itself.
func (b *book) convert(date time.Time, description, from string, out int64, outCurrency, to string, in int64, inCurrency string) {
	b.add(date, description,
		line{from, -out, outCurrency}, line{"equity:conversion", out, outCurrency},
		line{"equity:conversion", -in, inCurrency}, line{to, in, inCurrency})
}

// between returns an amount of cents, prices ending as prices end.
func (b *book) between(low, high int64) int64 {
	cents := low + b.rnd.Int64N(high-low+1)
	switch b.rnd.IntN(5) {
	case 0:
		return cents - cents%100
	case 1:
		return cents - cents%10 + 9
	case 2:
		return cents - cents%5
	}
	return cents
}

func (b *book) pick(options []string) string { return options[b.rnd.IntN(len(options))] }

// usdFor returns what cents of euros were worth in dollars on a day: a rate
// that wanders slowly around 1.09.
func usdFor(cents int64, date time.Time) int64 {
	day := int64(date.Sub(first) / (24 * time.Hour))
	wave := day % 240
	if wave > 120 {
		wave = 240 - wave
	}
	return cents * (10600 + 5*wave) / 10000
}

// csv writes the book as hledger would print it: by date, every field quoted.
func (b *book) csv() []byte {
	entries := slices.Clone(b.entries)
	slices.SortStableFunc(entries, func(x, y entry) int { return x.date.Compare(y.date) })

	var buf bytes.Buffer
	quoted := func(fields ...string) {
		for i, f := range fields {
			if i > 0 {
				buf.WriteByte(',')
			}
			buf.WriteByte('"')
			buf.WriteString(strings.ReplaceAll(f, `"`, `""`))
			buf.WriteByte('"')
		}
		buf.WriteByte('\n')
	}
	quoted("txnidx", "date", "date2", "status", "code", "description", "comment", "account",
		"amount", "commodity", "credit", "debit", "posting-status", "posting-comment")
	for i, e := range entries {
		for _, l := range e.lines {
			amount, credit, debit := decimal(l.cents), "", ""
			if l.cents < 0 {
				credit = decimal(-l.cents)
			} else {
				debit = amount
			}
			quoted(strconv.Itoa(i+1), e.date.Format(time.DateOnly), "", "*", e.code, e.description, e.comment,
				l.account, amount, l.currency, credit, debit, "", "")
		}
	}
	if _, err := csv.NewReader(bytes.NewReader(buf.Bytes())).ReadAll(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func decimal(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}
