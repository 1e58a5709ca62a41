package codegen_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lidodb/lido/internal/codegen"
)

func TestQueriesAreFoundAndExpandedFromTheText(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // of the last statement
	}{
		{"comments go", "-- name: A :one\nSELECT 1 -- one\n  , /* two */ 2;", "SELECT 1\n  , 2"},
		{"every kind of name", "-- name: A :one\nSELECT @a, :b, $c, @a, sqlc.arg(d), sqlc.narg('e');", "SELECT ?1, ?2, ?3, ?1, ?4, ?5"},
		{"questions", "-- name: A :one\nSELECT ?, ?, ?;", "SELECT ?1, ?2, ?3"},
		{"numbers", "-- name: A :one\nSELECT ?1, ?2, ?1;", "SELECT ?1, ?2, ?1"},
		{"slices keep the numbers", "-- name: A :one\nSELECT @a IN (sqlc.slice(b)), @c;", "SELECT ?1 IN (SELECT +value FROM json_each(?2)), ?3"},
		{"text is left alone", "-- name: A :one\nSELECT '@a ? -- x', \"@b\", `:c`, [$d], x'00', @e;", "SELECT '@a ? -- x', \"@b\", `:c`, [$d], x'00', ?1"},
		{"quotes in quotes", "-- name: A :one\nSELECT 'it''s ?', @a;", "SELECT 'it''s ?', ?1"},
		{"embeds", "-- name: A :one\nSELECT sqlc.embed(t), sqlc.embed( u ) FROM t;", "SELECT t.*, u.* FROM t"},
		{"blanks in calls", "-- name: A :one\nSELECT sqlc . arg ( a );", "SELECT ?1"},
		{"a trigger is one statement", "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 1; END;\n-- name: A :one\nSELECT 2;", "SELECT 2"},
		{"characters of several bytes", "-- ü — 漢字\n-- name: A :one\n-- ß\nSELECT 'ä', @größe;", "SELECT 'ä', ?1"},
		{"windows line ends", "-- name: A :one\r\nSELECT 1,\r\n  @a\r\n;\r\n", "SELECT 1,\n  ?1"},
		{"no semicolon", "-- name: A :one\nSELECT 1", "SELECT 1"},
		{"block comment", "/* name: A :one */\nSELECT 1;", "SELECT 1"},
		{"arrows are operators", "-- name: A :one\nSELECT a->>'b', a->@c;", "SELECT a->>'b', a->?1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			names, _, statements, complaints := codegen.Expand(c.text)
			if len(complaints) > 0 {
				t.Fatal(complaints)
			}
			if !slices.Equal(names, []string{"A :one"}) || statements[0] != c.want {
				t.Errorf("%v:\n got %q\nwant %q", names, statements, c.want)
			}
		})
	}
}

func TestMistakesInCallsOfSqlcAreComplainedAboutInPlace(t *testing.T) {
	for text, want := range map[string]string{
		"-- name: A :one\nSELECT sqlc.argh(a);":             "q.sql:2:8 A: there is no sqlc.argh",
		"-- name: A :one\nSELECT 'ä', sqlc.slice(a);":       "q.sql:2:13 A: sqlc.slice(a) stands alone",
		"-- name: A :one\nSELECT 1 IN (1, sqlc.slice(a));":  "q.sql:2:17 A: sqlc.slice(a) stands alone",
		"-- name: A :one\nSELECT sqlc.arg(a, b);":           "q.sql:2:8 A: sqlc.arg takes one name",
		"-- name: A :one\nSELECT sqlc.arg(1);":              "q.sql:2:17 A: sqlc.arg takes a name, not 1",
		"-- name: A :one\nSELECT sqlc.arg(":                 "q.sql:2:8 A: sqlc.arg takes one name",
		"-- name: A :one\nSELECT sqlc.":                     "q.sql:2:8 A: sqlc.. takes one name",
		"-- name: A :one\nSELECT ?99999999999999999999999;": "q.sql:2:8 A: ?99999999999999999999999: parameters are numbered",
	} {
		_, _, _, complaints := codegen.Expand(text)
		if len(complaints) == 0 || !strings.HasPrefix(complaints[0], want) {
			t.Errorf("%q: got %q, want %q", text, complaints, want)
		}
	}
}

func TestTheSourceOfAQueryIsTheLineOfItsName(t *testing.T) {
	_, places, _, _ := codegen.Expand("\n-- A does.\n-- name: A :one\nSELECT 1;\n\n\n-- name: B :one\nSELECT 2;")
	if !slices.Equal(places, []string{"q.sql:3", "q.sql:7"}) {
		t.Errorf("got %v", places)
	}
}

func FuzzTheSourceParserTakesAnyText(f *testing.F) {
	for _, seed := range []string{
		"", ";", "-- name: A :one\nSELECT ?1, @a, sqlc.arg(b), sqlc.slice('c') FROM t;",
		"/* name: A :many */ SELECT sqlc.embed(t), * FROM \"t\" WHERE x'00' = [a] -- c\n;",
		"CREATE TRIGGER t BEGIN CASE END; END; -- name: X :exec\n;", "-- name: A :one\nSELECT sqlc.", "'", "/*", "-- name: \xff :one\n\xff",
		"-- name: A :one\nSELECT t.*, a * b, (SELECT * FROM u) FROM t RETURNING *;", "-- name: A :one\n/* @engine SELECT @a; */ SELECT 1;", "-- name: A :one\n/*@engine*/ SELECT 1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := strings.Join(codegen.Tokens(text), ""); got != text {
			t.Errorf("the tokens spell %q", got)
		}
		codegen.Expand(text)
	})
}

func FuzzARequestIsDecodedOrRefused(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x0a, 0x08, 0x12, 0x06, 's', 'q', 'l', 'i', 't', 'e'})
	f.Fuzz(func(t *testing.T, msg []byte) {
		if req, err := codegen.ParseRequest(msg); (req == nil) == (err == nil) {
			t.Errorf("request %v, error %v", req, err)
		}
	})
}
