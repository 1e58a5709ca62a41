package main

import "time"

var (
	first = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	last  = time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC)
)

const (
	checking = "assets:bank:checking"
	savings  = "assets:bank:savings"
	cash     = "assets:cash"
	card     = "liabilities:credit card"
	usdCard  = "liabilities:credit card usd"
)

var (
	supermarkets = []string{"Markthalle am Ring", "Supermarkt Lindner", "Biohof Wiesenthal", "Frische-Eck", "Kaufhaus Meyer, Lebensmittel"}
	bakeries     = []string{"Bäckerei Hansen", "Bäckerei Hansen", "Café Krüger", "Brotmanufaktur"}
	restaurants  = []string{"Trattoria da Piero", "Curryhaus", "Gasthof \"Zum Anker\"", "Sushi Kaito", "Pizzeria Roma"}
	hobbies      = []string{"Buchhandlung Seitenweise", "Kletterhalle Nord", "Kino am Markt", "Gartencenter Grün", "Fahrradladen Speiche"}
	clothes      = []string{"Schuhhaus Falk", "Mode Brinkmann", "Second Hand Allerlei"}
	online       = []string{"Paperback Planet", "Northwind Outdoor", "Synth & Sample Shop", "Plugin Foundry"}
)

// household returns two years of a family of three that rents a flat, saves,
// and buys a few things in dollars.
func household() *book {
	b := newBook(1)
	b.add(first, "Opening balances",
		line{checking, 412_355, eur}, line{savings, 1_250_000, eur}, line{cash, 14_000, eur},
		line{card, -38_720, eur}, line{"liabilities:student loan", -640_000, eur},
		line{"equity:opening balances", -997_635, eur})

	cardSpent, dollarsSpent := int64(38_720), int64(0)
	charge := func(date time.Time, shop, account string, cents int64) {
		b.move(date, shop, card, account, cents, eur)
		cardSpent += cents
	}
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		if day.Day() == 1 {
			b.month(day, &cardSpent, &dollarsSpent)
		}
		switch day.Weekday() {
		case time.Monday, time.Thursday:
			b.move(day, b.pick(supermarkets), checking, "expenses:food:groceries", b.between(1_890, 8_650), eur)
		case time.Saturday:
			charge(day, b.pick(supermarkets), "expenses:food:groceries", b.between(4_200, 13_900))
			b.move(day, b.pick(bakeries), cash, "expenses:food:bakery", b.between(380, 1_450), eur)
		case time.Sunday:
			if b.rnd.IntN(4) > 0 {
				b.move(day, b.pick(bakeries), cash, "expenses:food:bakery", b.between(420, 1_290), eur)
			}
		case time.Friday:
			if b.rnd.IntN(2) == 0 {
				charge(day, b.pick(restaurants), "expenses:food:restaurants", b.between(2_450, 8_900))
			}
			if day.Day() <= 7 || (day.Day() > 14 && day.Day() <= 21) {
				b.move(day, "Cash machine", checking, cash, 10_000, eur)
			}
		case time.Wednesday:
			b.move(day, "Wochenmarkt", cash, "expenses:food:groceries", b.between(650, 2_300), eur)
			if b.rnd.IntN(2) == 0 {
				charge(day, b.pick(hobbies), "expenses:leisure", b.between(890, 6_500))
			}
			if b.rnd.IntN(8) == 0 {
				charge(day, b.pick(clothes), "expenses:clothes", b.between(1_990, 14_900))
			}
		case time.Tuesday:
			if b.rnd.IntN(5) == 0 {
				dollars := b.between(799, 8_999)
				b.move(day, b.pick(online), usdCard, "expenses:leisure:online", dollars, usd)
				dollarsSpent += dollars
			}
			if b.rnd.IntN(4) == 0 {
				b.move(day, "Tankstelle Süd", checking, "expenses:transport:fuel", b.between(4_500, 8_800), eur)
			}
		}
	}
	return b
}

// month records what comes once a month, on the days it comes.
func (b *book) month(m time.Time, cardSpent, dollarsSpent *int64) {
	on := func(day int) time.Time { return m.AddDate(0, 0, day-1) }
	second := m.Year() > 2024

	b.move(on(1), "Hausverwaltung Sonnenallee, Miete", checking, "expenses:housing:rent", 118_000, eur)
	b.move(on(1), "Verkehrsbetriebe Monatskarte", checking, "expenses:transport:transit", 4_900, eur)
	b.move(on(2), "Stadtwerke Strom", checking, "expenses:housing:electricity", b.between(6_100, 9_400), eur)
	b.move(on(3), "Glasfaser Nord", checking, "expenses:housing:internet", 3_995, eur)
	b.move(on(3), "Mobilfunk Familie", checking, "expenses:housing:phone", 2_998, eur)
	b.move(on(4), "Kindergarten Regenbogen", checking, "expenses:child:daycare", 21_500, eur)
	b.move(on(5), "Musikschule", checking, "expenses:child:music", 5_400, eur)
	b.move(on(10), "Streaming", card, "expenses:leisure:streaming", 1_299, eur)
	*cardSpent += 1_299

	// A settled card in the middle of the month pays what was spent up to now.
	b.move(on(12), "Credit card settlement", checking, card, *cardSpent, eur)
	*cardSpent = 0
	if *dollarsSpent > 0 {
		// The bank keeps 1.5% of an exchange; here it is in the rate.
		euros := *dollarsSpent * 10_150 / usdFor(10_000, m)
		b.convert(on(13), "Credit card settlement in dollars", checking, euros, eur, usdCard, *dollarsSpent, usd)
		*dollarsSpent = 0
	}

	gross, tax, social := int64(521_000), int64(83_240), int64(104_460)
	if second {
		gross, tax, social = 538_500, 86_875, 108_840
	}
	pay := b.add(on(25), "Salary Institut für Akustik",
		line{checking, gross - tax - social, eur}, line{"expenses:taxes:income", tax, eur},
		line{"expenses:insurance:social", social, eur}, line{"income:salary", -gross, eur})
	pay.comment = "payslip:" + m.Format("2006-01")
	b.move(on(26), "Child benefit", "income:child benefit", checking, 25_000, eur)
	b.move(on(27), "Standing order to savings", checking, savings, 25_000, eur)
	interest := int64(1_150)
	b.add(on(28), "Student loan",
		line{"liabilities:student loan", 15_000 - interest, eur}, line{"expenses:interest", interest, eur},
		line{checking, -15_000, eur})

	switch m.Month() {
	case time.January:
		b.move(on(8), "Haftpflicht und Hausrat", checking, "expenses:insurance:home", 18_940, eur)
	case time.March, time.September:
		b.move(on(9), "Autoversicherung Halbjahr", checking, "expenses:insurance:car", 24_610, eur)
	case time.July:
		b.move(on(6), "Ferienhaus Ostsee", savings, "expenses:holiday", 134_000, eur)
		b.move(on(20), "Surfkurs", cash, "expenses:holiday", 4_500, eur)
	case time.November:
		b.move(on(25), "Christmas bonus", "income:bonus", checking, gross/2, eur)
	case time.December:
		b.move(on(14), "Geschenke", checking, "expenses:gifts", b.between(18_000, 32_000), eur)
		b.move(on(30), "Interest on savings", "income:interest", savings, b.between(11_000, 17_500), eur)
	}
}
