#!/bin/sh
# Compares the ledger's balances with hledger's on the example journals that
# hledger's Debian package ships. Needs hledger, which it installs if it may.
set -eu
cd "$(dirname "$0")/.."

if ! command -v hledger >/dev/null; then
	apt-get install -y --no-install-recommends hledger
fi
# Slim images leave documentation out when they install a package.
if [ ! -e /usr/share/man/man1/hledger.1.gz ]; then
	root=$(mktemp -d)
	trap 'rm -rf "$root"' EXIT
	chmod 755 "$root"
	(cd "$root" && apt-get download hledger && dpkg-deb -x hledger_*.deb .)
	export LEDGER_HLEDGER_ROOT="$root"
fi
LEDGER_HLEDGER=1 go test -count=1 -v -timeout 20m -run TestBalancesEqualHledgers ./cmd/ledger
