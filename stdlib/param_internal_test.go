package stdlib

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lidodb/lido/sqlite"
)

// parameterTexts are written in one statement, in several orders.
var parameterTexts = []string{
	"?", "?3", "?1", ":a", "@a", "$a", ":a", "?", "?7", ":b", "?2", "$ns::b", "$x(1)", ":c::d", "$n::", ":é", "'? :no'", "x AS [@no]", `y AS "?"`, "x /* ?9 */", "y -- ?9\n", "a$b", "1.5", "?", ":1", "?03",
}

func TestParametersHaveTheNumbersAndNamesThatTheEngineGivesThem(t *testing.T) {
	texts := slices.Clone(parameterTexts)
	for n := range texts {
		texts = append(texts, strings.Join(parameterTexts[n:], ", "), parameterTexts[n]+", "+parameterTexts[(n*7+3)%len(parameterTexts)])
	}
	compareParameters(t, texts)
}

func FuzzParameters(f *testing.F) {
	for _, text := range parameterTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { compareParameters(t, []string{text}) })
}

// compareParameters asks the engine about each text that it accepts behind
// SELECT.
func compareParameters(t *testing.T, texts []string) {
	ctx := context.Background()
	c, err := sqlite.Open(ctx, ":memory:", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(ctx, "CREATE TABLE t (x, y, a$b)"); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, text := range texts {
		query := "SELECT " + text + " FROM t"
		if strings.ContainsRune(text, 0) || strings.Contains(text, ";") {
			continue
		}
		s, err := c.Prepare(ctx, query)
		if err != nil {
			continue
		}
		asked++
		var want []string
		for i := range s.ParamCount() {
			want = append(want, s.ParamName(i+1))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		list := split(query)
		if len(list) != 1 {
			t.Fatalf("%s is split into %+v", query, list)
		}
		var got []string
		for _, p := range list[0].params {
			got = append(got, p.name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: parameters %q, the engine says %q", query, got, want)
		}
	}
	if len(texts) > 1 && asked < len(texts)*3/4 {
		t.Errorf("the engine accepts only %d of %d", asked, len(texts))
	}
}

func TestOnlySoManyTextsAreKept(t *testing.T) {
	var k plans
	p := k.get("SELECT 0", true)
	if k.get("SELECT 0", true) != p {
		t.Error("a text is cut again")
	}
	for i := range keptPlans * 2 {
		k.get("SELECT "+strconv.Itoa(i), true)
	}
	long := "SELECT '" + strings.Repeat("x", keptPlanBytes) + "'"
	if p = k.get(long, true); k.get(long, true) == p {
		t.Error("a long text is kept")
	}
	if len(k.byText) != keptPlans {
		t.Errorf("%d texts are kept, want %d", len(k.byText), keptPlans)
	}
}
