#!/usr/bin/env bash
# Shows what Cairn does, with a directory of yours: backs it up for real, twice, lists, restores, compares, checks.
#   npm start -- PATH
# Everything goes into a new directory below ${TMPDIR:-/tmp}; nothing else is written, and nothing is removed.
set -euo pipefail

if (($# != 1)) || [[ $1 == -h || $1 == --help ]]; then
  cat >&2 <<'USAGE'
Usage: npm start -- PATH

Backs PATH up into a new directory, twice, lists what is there, restores it beside, compares and checks.
Asks for nothing, and writes nowhere else.

Example:
  npm start -- ~/documents
USAGE
  [[ ${1:-} == -h || ${1:-} == --help ]] && exit 0
  exit 2
fi

checkout=$(cd "$(dirname "$0")/.." && pwd)
# npm changes into the checkout; a relative path was meant from where it was called.
cd "${INIT_CWD:-$PWD}"
source=$(realpath -- "$1" 2>/dev/null) && [[ -e $source ]] || {
  printf 'There is no %s.\n' "$1" >&2
  exit 2
}

bash "$checkout/scripts/prepare.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/cairn-tour.XXXXXX")
repository=$scratch/repository
restored=$scratch/restored
cairn=(node "$checkout/packages/cli/dist/main.js")

# Nothing of the user's own settings, keys or memory is used or touched.
for name in $(compgen -e CAIRN_ || true); do unset "$name"; done
export CAIRN_CONFIG=/dev/null CAIRN_KEY_FILE=$scratch/root.key CAIRN_REPOSITORY=$repository
export CAIRN_STATE_DIRECTORY=$scratch/state CAIRN_CACHE_DIRECTORY=$scratch/cache

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi
part=0

step() {
  part=$((part + 1))
  printf '\n%s%d. %s%s\n' "$bold" "$part" "$1" "$plain"
}

# Shows a command as it would be typed, and runs it. Status 3 means: done, but for what was told.
incomplete=0
run() {
  printf '$ cairn'
  printf ' %q' "$@"
  printf '\n'
  local status=0
  "${cairn[@]}" "$@" || status=$?
  if ((status == 3)); then incomplete=1; elif ((status != 0)); then exit "$status"; fi
}

printf '\nEverything of this tour is in %s\n' "$scratch"

step 'Make a repository: a directory, and a key file that opens it'
run init --quiet

step "Back up $source"
began=$(date +%s%N)
run backup "$source"

step 'Back it up again: what is there already is neither read nor stored again'
run backup "$source"

step 'See what there is'
run list

step 'Restore the newest archive beside it'
# As root, also owners, devices and system attributes; the directory is for root only.
privileged=()
if ((EUID == 0)); then privileged=(--privileged); fi
run restore latest --to "$restored" "${privileged[@]}"

step 'Compare what was restored with what it came from'
node "$checkout/scripts/start/compare.mjs" "$source" "$restored$source" "$began" "$scratch"

step 'Read everything in the repository, and open it'
run check --data

size=$(du -sh "$repository" | cut -f1)
printf '\n%sDone.%s The repository takes %s.' "$bold" "$plain" "$size"
if ((incomplete)); then
  printf ' Not everything could be read or restored as it was; see above. As root more can be.'
fi
cat <<NEXT


Next:
  alias cairn='node $checkout/packages/cli/dist/main.js'
  cairn init -r /another/disk/repository      make a repository to keep, and save its key: it says how
  cairn backup -r /another/disk/repository $(printf '%q' "$source")
  less $checkout/docs/start.md                from here to a nightly backup

To be rid of this tour:
  rm -rf $scratch
NEXT
