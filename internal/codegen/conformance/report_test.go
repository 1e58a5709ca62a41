package conformance_test

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"gopkg.in/yaml.v3"
)

// allowance is a difference from sqlc's own output that is to stay.
type allowance struct {
	Reason  string
	Refusal string   // words of the refusal, if the case is refused
	Words   []string // each difference holds one of these
}

// maxAllowed is how many cases may differ.
const maxAllowed = 10

//go:embed allowed.yaml
var allowedFile []byte

// allowed are the cases that may differ, by name.
func allowed(t *testing.T) map[string]allowance {
	t.Helper()
	var list map[string]allowance
	if err := yaml.Unmarshal(allowedFile, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) > maxAllowed {
		t.Errorf("%d cases may differ; at most %d are to", len(list), maxAllowed)
	}
	for name, a := range list {
		if a.Reason == "" {
			t.Errorf("allowed.yaml: %s has no reason", name)
		}
	}
	return list
}

// summarize prints the table and fails the test for what is not accounted for.
func summarize(t *testing.T, outcomes []*outcome, may map[string]allowance) {
	t.Helper()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "case\tresult\tmethods\tcalls\tfail on both sides\tnever succeed")
	count := map[string]int{}
	for _, o := range outcomes {
		result := o.judge(t, may)
		count[result]++
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\n", o.name, result, len(o.methods), o.calls, o.bothRefuse, strings.Join(o.neverSucceed(), " "))
	}
	w.Flush()
	fmt.Fprintf(&table, "\n%d cases", len(outcomes))
	for _, result := range []string{equal, listed, refused, failed} {
		fmt.Fprintf(&table, ", %d %s", count[result], result)
	}
	t.Log("\n" + table.String())
}

// What can become of a case.
const (
	equal   = "equal"
	listed  = "listed difference"
	refused = "refused as it should be"
	failed  = "FAILED"
)

func (o *outcome) judge(t *testing.T, allowed map[string]allowance) string {
	t.Helper()
	may, isListed := allowed[o.name]
	switch {
	case o.mustFail && o.refused != "":
		return refused
	case o.mustFail:
		t.Errorf("%s: should have been refused", o.name)
		return failed
	case o.refused != "" && isListed && may.Refusal != "" && strings.Contains(o.refused, may.Refusal):
		return listed
	case o.refused != "":
		t.Errorf("%s: refused:\n%s", o.name, o.refused)
		return failed
	case len(o.differences) == 0 && isListed:
		t.Errorf("%s: is on the list of differences, but equal", o.name)
		return failed
	case len(o.differences) == 0:
		return equal
	}
	result := listed
	for _, d := range o.differences {
		if !isListed || !slices.ContainsFunc(may.Words, func(w string) bool { return strings.Contains(d, w) }) {
			result = failed
			t.Errorf("%s: %s", o.name, d)
		}
	}
	return result
}

// neverSucceed are the methods that failed on both sides whenever called.
func (o *outcome) neverSucceed() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(o.methods)), func(m string) bool { return o.methods[m] })
}
