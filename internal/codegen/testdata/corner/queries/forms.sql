-- name: AddPage :exec
INSERT INTO pages (title, body) VALUES (?, ?);

-- name: MatchTable :many
SELECT title FROM pages WHERE pages MATCH ? ORDER BY rank;

-- name: MatchRanked :many
SELECT rowid, title, snippet(pages, 1, '<', '>', '...', 4) AS extract, bm25(pages) AS score
FROM pages WHERE pages MATCH @query AND rowid > @after ORDER BY rank LIMIT @n;

-- name: JSONEach :many
SELECT j.key, j.value FROM books, json_each(books.data, '$.tags') AS j WHERE books.id = ? ORDER BY j.key;

-- name: ByIDsInJSON :many
SELECT b.title FROM json_each(@ids) AS j JOIN books AS b ON b.id = j.value ORDER BY j.key;

-- name: Arrows :many
SELECT data -> '$.a' AS a, data ->> '$.b' AS b FROM books WHERE data ->> '$.c' = @c ORDER BY id;

-- name: ArrowParam :one
SELECT data ->> @path AS found FROM books WHERE id = @id;

-- name: TableInfo :many
SELECT name, type FROM pragma_table_info(@tbl) ORDER BY cid;

-- name: AddShape :one
INSERT INTO shapes (a) VALUES (?) RETURNING *;

-- name: ShapesBy :many
SELECT a, b, c FROM shapes WHERE b = ? OR c = ? ORDER BY a;

-- name: AddShapeExpr :one
INSERT INTO shapes (a) VALUES (?) RETURNING a + 1 AS next, c, b AS twice;

-- name: PutPair :exec
INSERT INTO pairs (k, n, v) VALUES (?, ?, ?)
ON CONFLICT (k, n) DO UPDATE SET v = excluded.v WHERE pairs.v IS NOT excluded.v;

-- name: PutPairWhere :execrows
INSERT INTO pairs (k, n, v) VALUES (@k, @n, @v)
ON CONFLICT (k, n) DO UPDATE SET v = @v || '!' WHERE pairs.v <> @old;

-- name: PutPairOnce :execrows
INSERT INTO pairs (k, n, v) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

-- name: ReplacePair :one
REPLACE INTO pairs (k, n, v) VALUES (?, ?, ?) RETURNING *;

-- name: GetPair :one
SELECT * FROM pairs WHERE k = ? AND n = ?;

-- name: Retitle :one
UPDATE books SET title = @title WHERE id = @id RETURNING *;

-- name: Reprice :many
UPDATE books SET price = price + @by WHERE author_id = @author RETURNING id, title, upper(title) AS loud;

-- name: DropAuthor :one
DELETE FROM authors WHERE id = ? RETURNING name, bio;

-- name: DropBooks :exec
DELETE FROM books WHERE price < ? RETURNING id;

-- name: RepriceFromAuthors :execrows
UPDATE books SET price = (SELECT a.born FROM authors AS a WHERE a.id = books.author_id)
WHERE author_id IN (SELECT id FROM authors WHERE name = ?);

-- name: Ranked :many
SELECT title, row_number() OVER (PARTITION BY author_id ORDER BY price DESC) AS place,
  sum(price) OVER (PARTITION BY author_id) AS total, lag(title) OVER (ORDER BY id) AS previous
FROM books ORDER BY id;

-- name: Running :many
SELECT id, sum(price) OVER w AS total FROM books WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY id;

-- name: CountUp :many
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @top) SELECT i FROM n;

-- name: Chain :many
WITH RECURSIVE t(id, depth) AS (
  SELECT a.id, 0 FROM authors AS a WHERE a.id = @root
  UNION ALL
  SELECT a.id, t.depth + 1 FROM authors AS a JOIN t ON a.born = t.id WHERE t.depth < @depth
)
SELECT t.id, t.depth, a.name FROM t JOIN authors AS a ON a.id = t.id ORDER BY t.depth, t.id;

-- name: Totals :one
SELECT count(*) AS n, max(price) AS dearest, min(title) AS first_title, sum(price) AS total, avg(price) AS mean, group_concat(title) AS titles,
  coalesce(max(price), 0) AS dearest_or_0
FROM books WHERE author_id = ?;

-- name: Filled :many
SELECT coalesce(bio, '') AS bio, coalesce(bio, name) AS text, coalesce(bio, NULL) AS none, ifnull(born, 0) AS born,
  (SELECT title FROM books WHERE author_id = authors.id ORDER BY title LIMIT 1) AS first_title,
  (SELECT count(*) FROM books WHERE author_id = authors.id) AS books
FROM authors ORDER BY id;

-- name: BooksLeft :many
SELECT b.title, a.name, a.id AS author FROM books AS b LEFT JOIN authors AS a ON a.id = b.author_id ORDER BY b.id;

-- name: BooksAndAuthors :many
SELECT sqlc.embed(b), sqlc.embed(a) FROM books AS b LEFT JOIN authors AS a ON a.id = b.author_id ORDER BY b.id;

-- name: AuthorsAndBooks :one
SELECT sqlc.embed(authors), sqlc.embed(books) FROM authors JOIN books ON books.author_id = authors.id WHERE books.id = ?;

-- RepriceFrom shows the way round a statement that sqlc's grammar refuses.
-- name: RepriceFrom :execrows
/* @engine
UPDATE books SET price = a.born FROM authors AS a WHERE a.id = books.author_id AND a.name = @name;
*/
UPDATE books SET price = 0 WHERE title = @name;

-- name: TitlesInOrder :one
/* @engine
SELECT group_concat(title, ', ' ORDER BY title) AS titles FROM books WHERE author_id IS NOT DISTINCT FROM @author
*/
SELECT group_concat(title, ', ') AS titles FROM books WHERE author_id IS @author;

-- name: AddWhole :one
/* @engine
INSERT INTO authors (name) VALUES (@name) RETURNING sqlc.embed(authors), length(name) AS letters
*/
SELECT sqlc.embed(authors), length(name) AS letters FROM authors WHERE name = @name;
