#!/usr/bin/env bash
# Sets up what is missing, builds, and runs every test. The last line is `N passed, N failed`.
#   npm test                       everything
#   npm test -- tidy vitest        some parts; `npm test -- --list` names them
set -uo pipefail
cd "$(dirname "$0")/.."

if ! bash scripts/prepare.sh --tests; then
  echo '0 passed, 1 failed'
  exit 1
fi
exec node scripts/test-all.mjs "$@"
