package codegen

import (
	"fmt"
	gotoken "go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jinzhu/inflection"
)

// Names follow sqlc's own Go generator letter by letter, its oddities too: a
// project that moves to Lido keeps its code.

// goName turns a name of SQL into an exported name of Go.
func (o *options) goName(name string) string {
	if to := o.Rename[name]; to != "" {
		return to
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, name)
	var b strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		if o.initialisms[part] {
			b.WriteString(strings.ToUpper(part))
		} else {
			b.WriteString(title(part))
		}
	}
	if r, _ := utf8.DecodeRuneInString(b.String()); unicode.IsDigit(r) {
		return "_" + b.String()
	}
	return b.String()
}

// title raises the first letter of every word, and a word starts after
// anything that is neither letter, digit nor underscore.
func title(s string) string {
	prev := ' '
	return strings.Map(func(r rune) rune {
		start := !unicode.IsLetter(prev) && !unicode.IsDigit(prev) && prev != '_' &&
			(prev < utf8.RuneSelf || unicode.IsSpace(prev))
		prev = r
		if start {
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// exported is a name with its first letter raised.
func exported(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// modelName is the name of the struct for a table.
func (o *options) modelName(schema, table string) string {
	name := table
	if schema != "" {
		name = schema + "_" + table
	}
	if !o.EmitExactTableNames {
		name = o.singular(name)
	}
	return o.goName(name)
}

// singular knows the words that sqlc corrects on top of the inflection rules.
func (o *options) singular(name string) string {
	for _, keep := range o.InflectionExcludeTableNames {
		if strings.EqualFold(name, keep) {
			return name
		}
	}
	switch strings.ToLower(name) {
	case "campus", "meta":
		return name
	case "calories":
		return "calorie"
	case "waves":
		return "wave"
	case "metadata":
		return "metadata"
	}
	return inflection.Singular(name)
}

// argName is the name of a lone parameter.
func argName(name string) string {
	var b strings.Builder
	for i, part := range strings.Split(name, "_") {
		switch {
		case i == 0:
			b.WriteString(strings.ToLower(part))
		case part == "id":
			b.WriteString("ID")
		default:
			b.WriteString(title(part))
		}
	}
	return b.String()
}

// columnName is what a result column is called, by its place if it has no name.
func columnName(name string, index int) string {
	if name != "" {
		return name
	}
	return fmt.Sprintf("column_%d", index+1)
}

// jsonTag is a name in the style that json_tags_case_style asks for.
func (o *options) jsonTag(name string) string {
	switch o.JSONTagsCaseStyle {
	case "camel":
		id := "Id"
		if o.JSONTagsIDUppercase {
			id = "ID"
		}
		return joinWords(name, false, id)
	case "pascal":
		return joinWords(name, true, "ID")
	case "snake":
		return snakeCase(name)
	}
	return name
}

func joinWords(name string, upper bool, id string) string {
	var b strings.Builder
	for i, part := range strings.Split(name, "_") {
		switch {
		case i == 0 && !upper:
			b.WriteString(part)
		case part == "id":
			b.WriteString(id)
		default:
			b.WriteString(title(part))
		}
	}
	return b.String()
}

var camelHump = regexp.MustCompile("[^A-Z][A-Z]+")

func snakeCase(s string) string {
	if !strings.Contains(s, "_") {
		s = camelHump.ReplaceAllStringFunc(s, func(x string) string { return x[:1] + "_" + x[1:] })
	}
	return strings.ToLower(s)
}

// tagString joins struct tags, sorted.
func tagString(tags map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		parts = append(parts, fmt.Sprintf("%s:%q", key, tags[key]))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func isGoName(s string) bool { return gotoken.IsIdentifier(s) && s != "_" }
