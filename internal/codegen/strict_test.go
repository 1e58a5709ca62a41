package codegen_test

import (
	"strings"
	"testing"
)

// nullCases are results with what strict types make of them: a type that holds
// NULL or one that does not.
var nullCases = []struct{ sql, want string }{
	{"SELECT a.name AS x FROM authors a", "string"},
	{"SELECT a.bio AS x FROM authors a", "sql.NullString"},
	{"SELECT a.name AS x FROM books b LEFT JOIN authors a ON a.id = b.author_id", "sql.NullString"},
	{"SELECT b.title AS x FROM books b LEFT JOIN authors a ON a.id = b.author_id", "string"},
	{"SELECT b.title AS x FROM books b RIGHT JOIN authors a ON a.id = b.author_id", "sql.NullString"},
	{"SELECT title AS x FROM books FULL JOIN authors ON authors.id = books.author_id", "sql.NullString"},
	{"SELECT a.id AS x FROM authors a JOIN books b ON (b.author_id = a.id)", "int64"},

	{"SELECT count(*) AS x FROM books", "int64"},
	{"SELECT count(title) AS x FROM books", "int64"},
	{"SELECT max(price) AS x FROM books", "sql.NullFloat64"},
	{"SELECT max(price) AS x FROM books GROUP BY title", "float64"},
	{"SELECT min(author_id) AS x FROM books GROUP BY title", "sql.NullInt64"},
	{"SELECT max(price, 1) AS x FROM books", "float64"},
	{"SELECT group_concat(title) AS x FROM books", "sql.NullString"},
	{"SELECT sum(price) AS x FROM books GROUP BY title", "float64"},
	{"SELECT title AS x FROM books GROUP BY title HAVING count(*) > 1", "string"},
	{"SELECT max(price) FILTER (WHERE id > 1) AS x FROM books GROUP BY title", "sql.NullFloat64"},
	{"SELECT lag(title) OVER (ORDER BY id) AS x FROM books", "sql.NullString"},
	{"SELECT row_number() OVER (ORDER BY id) AS x FROM books", "int64"},

	{"SELECT coalesce(bio, '') AS x FROM authors", "string"},
	{"SELECT coalesce(bio, NULL) AS x FROM authors", "sql.NullString"},
	{"SELECT coalesce(bio, name) AS x FROM authors", "string"},
	{"SELECT coalesce(max(price), 0) AS x FROM books", "float64"},
	{"SELECT ifnull(author_id, 0) AS x FROM books", "int64"},
	{"SELECT upper(name) AS x FROM authors", "string"},
	{"SELECT price * 2 AS x FROM books", "float64"},
	{"SELECT author_id + 1 AS x FROM books", "sql.NullInt64"},
	{"SELECT id + 1 AS x FROM books", "int64"},
	{"SELECT (SELECT title FROM books WHERE author_id = a.id) AS x FROM authors a", "sql.NullString"},
	{"SELECT (SELECT count(*) FROM books WHERE author_id = a.id) AS x FROM authors a", "int64"},
	{"SELECT (SELECT count(*) FROM books GROUP BY title) AS x FROM authors a", "sql.NullInt64"},
	{"SELECT name AS x FROM authors WHERE (SELECT count(*) FROM books) > 1", "string"},
	{"SELECT exists(SELECT 1 FROM books) AS x", "bool"},
	{"SELECT id / 2 AS x FROM books", "int64"},
	{"SELECT id / author_id AS x FROM books", "sql.NullInt64"},
	{"SELECT price / 2 AS x FROM books", "float64"},
	{"SELECT id % 0 AS x FROM books", "sql.NullInt64"},
	{"SELECT code AS x FROM codes", "string"}, // a key may be NULL in SQLite; sqlc says it is not
	{"SELECT upper(code) AS x FROM codes", "string"},
	{"SELECT coalesce(code, 'a') AS x FROM codes", "string"},
	{"SELECT name AS x FROM codes LEFT JOIN authors USING (name)", "sql.NullString"}, // as sqlc has it
	{"SELECT lower(name) || '!' AS x FROM authors", "interface{}"},
	{"SELECT CASE WHEN id > 1 THEN name END AS x FROM authors", "interface{}"},
	{"SELECT name AS x FROM authors UNION SELECT bio FROM authors", "sql.NullString"},
	{"SELECT name AS x FROM authors UNION ALL SELECT title FROM books", "string"},
	{"SELECT name AS x FROM authors EXCEPT SELECT max(title) FROM books", "string"},
	{"WITH a AS (SELECT bio FROM authors) SELECT bio AS x FROM a", "sql.NullString"},
	{"SELECT x FROM (SELECT max(price) AS x FROM books) AS s", "interface{}"},
	{"INSERT INTO books (title, price) SELECT max(name), 1 FROM authors RETURNING id AS x", "int64"},
	{"INSERT INTO books (title, price) SELECT max(name), 1 FROM authors RETURNING author_id AS x", "sql.NullInt64"},
	{"INSERT INTO books (title) SELECT bio FROM authors UNION SELECT max(name) FROM authors RETURNING title AS x", "string"},
	{"UPDATE books SET price = (SELECT count(*) FROM authors) WHERE id = 1 RETURNING title AS x", "string"},
	{"DELETE FROM authors WHERE id = 1 RETURNING bio AS x", "sql.NullString"},
	{"SELECT CAST(bio AS TEXT) AS x FROM authors", "sql.NullString"},
	{"SELECT CAST(name AS TEXT) AS x FROM authors", "string"},

	{"SELECT a.name = 'x' AS x FROM books b LEFT JOIN authors a ON a.id = b.author_id", "sql.NullBool"},
	{"SELECT b.title = 'x' AS x FROM books b LEFT JOIN authors a ON a.id = b.author_id", "bool"},
	{"SELECT a.name = 'x' AS x FROM codes c, authors a RIGHT JOIN books b ON b.author_id = a.id", "sql.NullBool"},
	{"SELECT code = 'a' AS x FROM codes", "bool"}, // as the column itself is a string
	{"WITH a AS (SELECT bio FROM authors) SELECT bio = 'x' AS x FROM a", "sql.NullBool"},
	{"WITH a AS (SELECT bio FROM authors) SELECT bio IS NULL AS x FROM a", "bool"},
	{"SELECT max(id) = 3 AS x FROM authors", "sql.NullBool"},
	{"SELECT count(*) > 3 AS x FROM authors", "bool"},
	{"SELECT max(id) > 3 AS x FROM books GROUP BY title", "bool"},
	{"SELECT max(author_id) > 3 AS x FROM books GROUP BY title", "sql.NullBool"},
	{"SELECT a.title = 'x' AS x FROM books a WHERE EXISTS (SELECT 1 FROM authors a WHERE a.bio = 'x')", "bool"},
	{"SELECT name = 'x' AS x FROM authors UNION ALL SELECT bio = 'x' FROM authors", "sql.NullBool"},
	{"SELECT CASE WHEN id > 1 THEN bio ELSE 'a' END AS x FROM authors", "sql.NullString"},
	{"SELECT CASE WHEN id > 1 THEN name ELSE 'a' END AS x FROM authors", "string"},
	{"UPDATE books SET price = 1 WHERE id = 1 RETURNING price > 1 AS x", "bool"},
	{"UPDATE books SET price = 1 WHERE id = 1 RETURNING author_id = 1 AS x", "sql.NullBool"},

	{"SELECT id & 6 AS x FROM books", "int64"}, // a boolean to sqlc, as are the others
	{"SELECT id | 6 AS x FROM books", "int64"},
	{"SELECT id << 1 AS x FROM books", "int64"},
	{"SELECT id >> 1 AS x FROM books", "int64"},
	{"SELECT ~id AS x FROM books", "int64"},
	{"SELECT author_id & 6 AS x FROM books", "sql.NullInt64"},
	{"SELECT (id & 6) | 1 AS x FROM books", "int64"},
	{"SELECT id & 6 + 1 AS x FROM books", "int64"},
	{"SELECT (SELECT id & 6 FROM books) AS x", "sql.NullInt64"},
	{"SELECT id & 6 AS x FROM books UNION SELECT id FROM authors", "int64"},
	{"SELECT id = 1 AS x FROM books UNION SELECT id & 6 FROM authors", "int64"},
	{"UPDATE books SET price = 1 WHERE id = 1 RETURNING id & 6 AS x", "int64"},
	{"SELECT id & 6 = 6 AS x FROM books", "bool"},
	{"SELECT id & 6 > 2 AS x FROM books", "bool"},
	{"SELECT NOT id & 6 AS x FROM books", "bool"},
	{"SELECT id & 6 AND id & 2 AS x FROM books", "bool"},
	{"SELECT id & 6 IS NULL AS x FROM books", "bool"},
	{"SELECT CAST(id AS BOOLEAN) AS x FROM books", "bool"}, // what the query asks for
}

func TestStrictTypesKnowWhereNullsComeFrom(t *testing.T) {
	var queries strings.Builder
	for i, c := range nullCases {
		queries.WriteString("-- name: Q" + string(rune('A'+i/26)) + string(rune('a'+i%26)) + " :one\n-- @scan\n" + c.sql + ";\n")
	}
	p := newProject(t, map[string]string{"schema.sql": shelves + "CREATE TABLE codes (code TEXT PRIMARY KEY, name TEXT NOT NULL);\n", "query.sql": queries.String()})
	for _, p := range p.mustGenerateEach(t, map[string]any{"strict_types": true}, map[string]any{"strict_types": false}) {
		strict, files := p.options["strict_types"] == true, p.output(t)
		for i, c := range nullCases {
			name := "Q" + string(rune('A'+i/26)) + string(rune('a'+i%26))
			_, rest, _ := strings.Cut(files["query.sql.go"], " "+name+"(ctx context.Context) (")
			got, _, _ := strings.Cut(rest, ", error)")
			if strict && got != c.want {
				t.Errorf("%s is a %s, want %s", c.sql, got, c.want)
			}
			if !strict { // the report says what strict types would change
				_, line, noted := strings.Cut(files[report], " "+name+": strict_types would make result ")
				_, line, _ = strings.Cut(line, " ") // its name
				line, _, _ = strings.Cut(line, "\n")
				if noted != (got != c.want) || noted && line != c.want+", not "+got {
					t.Errorf("%s is a %s; the report says %q", c.sql, got, line)
				}
			}
		}
	}
}
