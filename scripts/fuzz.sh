#!/bin/bash
# Fuzzes every target of the module, one after the other: fuzz.sh 30s
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
count=0
while read -r package target; do
	echo "== $package $target" >&2
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
	count=$((count + 1))
done < <(git grep -oE '^func Fuzz\w+' -- '*_test.go' |
	sed -E 's|^(.*)/[^/]+:func (Fuzz\w+)$|./\1 \2|; s|^[^/ ]+_test\.go:func (Fuzz\w+)$|. \1|')
printf '%d passed, 0 failed\n' "$count"
