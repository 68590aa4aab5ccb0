#!/usr/bin/env bash
# Makes a checkout ready: the right Node, the packages of package-lock.json, and everything built. Quick when it is ready.
#   bash scripts/prepare.sh [--tests]     --tests: also the system packages that only tests need
set -euo pipefail
cd "$(dirname "$0")/.."
export DO_NOT_TRACK=1 TURBO_TELEMETRY_DISABLED=1

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# 20.19 is the first of Node 20 that may `require` modules written for `import`, which packages rely on.
command -v node >/dev/null || fail 'Node.js is not installed. Cairn needs Node.js 20.19 or newer; 24 is recommended.'
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  fail "Cairn needs Node.js 20.19 or newer; 24 is recommended. This is $(node --version)."

# What tests need beside Node, each with the package of Debian and Ubuntu that has it.
missing_packages() {
  local module
  for module in cryptography msgpack zstandard argon2; do
    /usr/bin/python3 -c "import $module" 2>/dev/null || printf 'python3-%s\n' "$module"
  done
  command -v setfacl >/dev/null || echo acl
  command -v setfattr >/dev/null || echo attr
  command -v gpg >/dev/null || echo gnupg
  command -v jq >/dev/null || echo jq
  command -v zbarimg >/dev/null || echo zbar-tools
  command -v fusermount3 >/dev/null || echo fuse3
  command -v rsync >/dev/null || echo rsync
  command -v sftp >/dev/null || echo openssh-client
  [[ -x /usr/lib/openssh/sftp-server ]] || echo openssh-sftp-server
  [[ -x /usr/sbin/sshd ]] || echo openssh-server
  [[ -x /usr/sbin/useradd ]] || echo passwd
  command -v systemd-analyze >/dev/null || echo systemd
  command -v borg >/dev/null || echo borgbackup
  command -v restic >/dev/null || echo restic
  # Databases that are dumped and restored. Their servers are started by tests only.
  command -v mariadbd >/dev/null || [[ -x /usr/sbin/mariadbd ]] || echo mariadb-server
  command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
  [[ -x /usr/sbin/slapd ]] || echo slapd
  command -v ldapsearch >/dev/null || echo ldap-utils
  command -v sqlite3 >/dev/null || echo sqlite3
  # A real S3 service: Ceph's gateway, with what it needs to keep objects in memory.
  command -v radosgw >/dev/null || echo radosgw
  command -v ceph-mon >/dev/null || echo ceph-mon
  command -v ceph-mgr >/dev/null || echo ceph-mgr
  command -v ceph-osd >/dev/null || echo ceph-osd
}

if [[ ${1:-} == --tests ]]; then
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]})); then
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
      fail 'The tests need some system packages. On Debian or Ubuntu, as root:' "  apt-get install ${missing[*]}"
    fi
    echo "installing system packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # Lists of packages may be absent or old on a fresh machine.
    apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null >/dev/null 2>&1 ||
      { apt-get update -q </dev/null && apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null; } ||
      fail "apt-get could not install: ${missing[*]}"
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]} == 0)) || fail "still missing after apt-get: ${missing[*]}"
  fi
fi

# Installed exactly what the lockfile says, and run none of the packages' own scripts (.npmrc).
node scripts/installed.mjs || npm ci --no-progress </dev/null

npm run --silent build </dev/null
