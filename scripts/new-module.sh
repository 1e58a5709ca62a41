#!/bin/bash
# Goes the way of somebody who begins: an empty folder beside this one, lido
# init, go generate, go test, a running service; then a query on a column that
# does not exist, which generation must refuse with file, line and column.
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD
work=$(mktemp -d)
server=
finish() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
steps=0
step() { steps=$((steps + 1)); printf '\n== %s\n' "$*" >&2; }
die() { printf 'new-module: %s\n' "$*" >&2; exit 1; }

mkdir "$work/shop"
(cd "$work/shop" && go mod init example.com/shop)

step lido init
go run -C "$source" ./cmd/lido init --replace=. "$work/shop"
cd "$work/shop"

step go generate
go generate ./...
[ -s gen/items.sql.go ] || die "gen/items.sql.go was not written"

step go vet, go test
go vet ./...
go test ./...

step "go test -race, without flags"
cp "$source/scripts/testdata/race_test.go" .
CGO_ENABLED=1 go test -race ./...
rm race_test.go

step "the service answers"
go build -o shop .
./shop -addr 127.0.0.1:0 2>log &
server=$!
url=
for _ in $(seq 100); do
	url=$(sed -n 's/.*msg=listening url=//p' log)
	[ -n "$url" ] && break
	kill -0 "$server" 2>/dev/null || { cat log >&2; die "the service ended"; }
	sleep 0.1
done
[ -n "$url" ] || die "the service does not listen"
want() { # want STATUS curl-args...
	local status=$1
	shift
	local got
	got=$(curl -s -o body -w '%{http_code}' "$@")
	[ "$got" = "$status" ] || { cat body >&2; die "$* answered $got, want $status"; }
}
for _ in $(seq 100); do # it listens before the database is open
	[ "$(curl -s -o body -w '%{http_code}' "$url/readyz")" = 503 ] || break
	sleep 0.1
done
want 200 "$url/readyz"
want 201 -d name=milk "$url/items"
want 409 -d name=milk "$url/items"
want 400 -d name= "$url/items"
want 201 -H 'Content-Type: application/json' -d '{"name": "bread", "note": "two loaves"}' "$url/items"
want 400 -H 'Content-Type: application/json' -d '{"nmae": "bread"}' "$url/items"
want 200 "$url/"
grep -q 'href="/items"' body || die "the page at / does not link to /items: $(cat body)"
want 200 "$url/items"
grep -q '"name":"milk","note":null' body || die "the item is not listed: $(cat body)"
want 200 "$url/healthz"
grep -q '"name":"migration_version"' body || die "nothing watches the version of the schema: $(cat body)"
grep -q 'msg="migration applied"' log || { cat log >&2; die "the migration is not logged"; }

step "backup and doctor beside the running service, then it ends cleanly"
go tool lido backup now --db items.db --backups backups
go tool lido doctor --db items.db --dir schema --backups backups
kill -TERM "$server"
wait "$server" || { cat log >&2; die "the service ended with an error"; }
server=
grep -q 'msg=stopped' log || { cat log >&2; die "it does not log that it stopped"; }
[ ! -e items.db-wal ] || die "items.db-wal is left"

step "a query on a column that does not exist is refused"
cp queries/items.sql kept
printf -- '\n-- name: Broken :many\n-- @scan\nSELECT id, colour FROM items;\n' >>queries/items.sql
if go tool lido generate 2>errors; then die "generation accepted it"; fi
cat errors >&2
grep -Eq '^queries/items\.sql:[0-9]+:[0-9]+ Broken: no such column: colour' errors || die "the message does not name the place"
mv kept queries/items.sql

step "lido init overwrites nothing"
if go tool lido init --replace="$source" . 2>errors; then die "a second init was accepted"; fi
grep -q 'nothing was written' errors || { cat errors >&2; die "the message does not say that nothing was written"; }

step "a project of sqlc moves over, in a module that does not know Lido"
mkdir -p "$work/old/db"
cd "$work/old"
go mod init example.com/old
cat >sqlc.yaml <<'END'
version: "2"
sql:
  - engine: sqlite
    schema: db/schema.sql
    queries: db/queries.sql
    gen:
      go:
        package: olddb
        out: olddb
        emit_interface: true
END
echo 'CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);' >db/schema.sql
printf -- '-- name: AddNote :one\nINSERT INTO notes (text) VALUES (?) RETURNING *;\n' >db/queries.sql
go run -C "$source" ./cmd/lido init --from-sqlc --replace=. "$work/old"
go tool lido generate
go vet ./...

printf '\n%d passed, 0 failed\n' "$steps"
