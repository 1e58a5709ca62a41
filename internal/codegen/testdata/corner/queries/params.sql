-- name: NumberedAndNamed :many
SELECT title FROM books WHERE price = ?2 AND title = @title AND id = ?1;

-- name: NumberedTwice :one
SELECT ?1 || ?2 || ?1 AS joined;

-- name: NamedManyTimes :many
SELECT title FROM books WHERE title = @t OR title LIKE '%' || @t || '%' OR @t = '*' ORDER BY title;

-- name: OptionalFilter :many
SELECT title FROM books
WHERE (sqlc.narg(author) IS NULL OR author_id = sqlc.narg(author)) AND (sqlc.narg(max_price) IS NULL OR price <= sqlc.narg(max_price))
ORDER BY title LIMIT sqlc.arg(n) OFFSET sqlc.arg(skip);

-- name: SortedBy :many
SELECT title FROM books
ORDER BY CASE WHEN @by = 'title' THEN title END, CASE WHEN @by = 'price' THEN price END DESC, id;

-- name: LikeEscape :many
SELECT title FROM books WHERE title LIKE ? ESCAPE '\' ORDER BY title;

-- name: LikeEscapeParam :many
SELECT title FROM books WHERE title LIKE @pattern ESCAPE @escape ORDER BY title;

-- name: Glob :many
SELECT title FROM books WHERE title GLOB ? ORDER BY title;

-- name: BetweenParams :many
SELECT title FROM books WHERE price BETWEEN ? AND ? ORDER BY title;

-- name: RowValue :many
SELECT v FROM pairs WHERE (k, n) > (@k, @n) ORDER BY k, n;

-- name: ColonAndDollar :one
SELECT title FROM books WHERE title = :title AND id = $id;
