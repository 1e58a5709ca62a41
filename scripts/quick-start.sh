#!/bin/bash
# Runs the README's first command and looks whether the ledger answers.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
touch "$work/log"
# make, go and the ledger get a process group of their own, so that all of
# them can be told to stop.
setsid make run ADDR=127.0.0.1:0 DATA="$work/data" >"$work/log" 2>&1 &
group=$!
finish() {
	# Before setsid has run there is no group of that number yet.
	kill -TERM -- "-$group" 2>/dev/null || kill -TERM "$group" 2>/dev/null || true
	wait "$group" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
die() { cat "$work/log" >&2; printf 'quick-start: %s\n' "$*" >&2; exit 1; }

url=
for _ in $(seq 1200); do
	url=$(sed -nE 's/^Serving .* on (http:[^ ]+) .*/\1/p' "$work/log")
	[ -n "$url" ] && break
	kill -0 "$group" 2>/dev/null || die "make run ended"
	sleep 0.25
done
[ -n "$url" ] || die "make run does not serve"
for path in /readyz /v1/accounts '/v1/search?q=caf%C3%A9'; do
	status=$(curl -s -o "$work/body" -w '%{http_code}' "$url$path")
	[ "$status" = 200 ] || die "$path answered $status"
done
printf '1 passed, 0 failed\n'
