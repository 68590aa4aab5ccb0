#!/usr/bin/env bash
# Compares Cairn with borg and restic on the same data in one run. See bench/README.md.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for program in node python3 cp diff du; do
  command -v "$program" >/dev/null || { echo "bench: $program is needed and was not found on PATH" >&2; exit 2; }
done
exec node "$here/run.mjs" "$@"
