# What process 1 of a test's own machine does before it is systemd: it makes a root that holds nothing of the real machine that can be
# written, and looks whether that is so. A systemd that sees the real /tmp, /var or /proc/sys would tidy and tune the real machine.
#
# Run by `unshare` in name spaces of its own, all but that of users, and given as text (bash -c), so that no file of the real machine
# stays open.
#   STATE     directory with etc, var, srv and root, which can be written and outlive the machine, and an empty one for the root
#   CHECKOUT  this project, built; NODE the program that runs it
#   PROGRAM.. what to execute as process 1
set -euo pipefail
state=$1 checkout=$2 node=$3
shift 3

# A directory or file of the real machine, without what is mounted below it, read-only before anything else can be done with it.
show() {
  mount --bind "$1" "$2"
  mount -o remount,bind,ro "$2"
}
fresh() {
  mount -t tmpfs -o "mode=$2,size=64m" cairn-test "$1"
}

fresh "$state/machine" 0755
cd "$state/machine"
mkdir -p usr opt/cairn proc sys dev etc var srv root tmp run home old
for link in bin sbin lib lib32 lib64; do
  [[ ! -d /usr/$link ]] || ln -s "usr/$link" "$link"
done
show /usr usr
show "$checkout" opt/cairn
# Where administrators put the programs.
fresh usr/local/bin 0755
touch usr/local/bin/node
show "$node" usr/local/bin/node
for program in cairn:cli cairn-server:repo-server; do
  printf '#!/bin/sh\nexec /usr/local/bin/node /opt/cairn/packages/%s/dist/main.js "$@"\n' "${program#*:}" >"usr/local/bin/${program%:*}"
done
chmod 0755 usr/local/bin/cairn*
mount -o remount,bind,ro usr/local/bin
for directory in etc var srv root; do
  mount --bind "$state/$directory" "$directory"
  mount -o remount,bind,nodev,nosuid "$directory"
done
fresh tmp 1777
fresh run 0755
fresh home 0755
fresh dev 0755
mkdir dev/pts dev/shm
while read -r device major minor; do
  mknod -m 0666 "dev/$device" c "$major" "$minor"
done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
END
mount -t devpts -o newinstance,mode=0620,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
fresh dev/shm 1777
mount -t proc proc proc

pivot_root . old
cd /
umount --lazy /old
rmdir /old

for part in sys sysrq-trigger irq bus acpi; do
  [[ ! -e /proc/$part ]] || show "/proc/$part" "/proc/$part"
done
mount -t sysfs -o ro sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup

# Whatever can be written is either made here or of the state.
while read -r _ _ _ top point options rest; do
  rest=${rest#*- }
  read -r type source _ <<<"$rest"
  case "$type $source $point" in
    'tmpfs cairn-test '* | 'proc proc /proc' | 'devpts devpts /dev/pts') continue ;;
    'cgroup2 cgroup2 /sys/fs/cgroup') continue ;;
  esac
  case "$point" in
    /etc | /var | /srv | /root) [[ $top != *"/${state##*/}$point" ]] || continue ;;
  esac
  [[ ,$options, != *,ro,* ]] || continue
  echo "$point ($type of $source) could be written: no machine is started" >&2
  exit 1
done </proc/self/mountinfo

exec "$@"
