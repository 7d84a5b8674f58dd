#!/usr/bin/env bash
# Compares the model with other kernels: boots Debian's in a virtual machine without KVM, with nothing in it but
# the lockstep, which runs under overcommit 0, 1 and 2, huge pages always and never, few mappings (guest_init.cc).
#
#   lockstep_in_guest.sh INIT FUZZ EXECUTOR_32 EXECUTOR_64 SCRIPT...
#
# REHEAP_KERNELS  releases, of which the newest cloud package is taken ("6.1 6.12", the default), packages, or paths of
#                 kernel images that are there already
# REHEAP_KERNEL_CACHE  where packages are kept (default: a fresh directory)
# REHEAP_OPERATIONS, REHEAP_SEED  of each setting and kind of process
# REHEAP_KINDS, REHEAP_SETTINGS  only these, between commas ("amd64,i386", "0,4")
# REHEAP_CPUS  of qemu's, one guest each ("max max,la57=off", the default: five levels of page tables, four)
#
# What cannot be had here (qemu, the packages) is skipped with a message. Status 1 when a guest found a mismatch.
set -uo pipefail

init=$1 fuzz=$2 executor_32=$3 executor_64=$4
shift 4
scripts=("$@")
kernels=${REHEAP_KERNELS:-6.1 6.12}
operations=${REHEAP_OPERATIONS:-2000} seed=${REHEAP_SEED:-$RANDOM}
kinds=${REHEAP_KINDS:+:--kinds:$REHEAP_KINDS}
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/lockstep.XXXXXX")
cache=${REHEAP_KERNEL_CACHE:-$work}
trap 'rm -rf "$work"' EXIT

skip() {
  echo "SKIPPED: $1"
  exit 0
}
PATH=$PATH:/usr/sbin:/sbin
for tool in qemu-system-x86_64 cpio gzip dpkg-deb apt-get mke2fs; do
  command -v "$tool" >/dev/null || skip "$tool is not installed (Debian: qemu-system-x86 cpio e2fsprogs)"
done

# The newest package of a release ("6.1"), or what was given.
package_of() {
  [[ $1 =~ ^[0-9.]+$ ]] || { echo "$1"; return; }
  apt-cache pkgnames "linux-image-$1." | grep -- '-cloud-amd64-unsigned$' | sort -V | tail -n 1
}

# Prints the path of the kernel image that a package holds, which it fetches first when it has to.
image_of() {
  local name dir
  name=$(package_of "$1")
  [ -n "$name" ] || return 1
  dir=$cache/$name
  if [ -f "$name" ]; then
    echo "$name"
    return
  fi
  if ! compgen -G "$dir/boot/vmlinuz-*" >/dev/null; then
    mkdir -p "$dir"
    (cd "$dir" && apt-get download -qq "$name" >&2 && dpkg-deb -x ./*.deb . && rm -f ./*.deb) || return 1
  fi
  compgen -G "$dir/boot/vmlinuz-*"
}

# An empty ext4 of 128 MiB, of which only the first has more than zeros (guest_init puts them back).
make_disk() {
  mke2fs -q -t ext4 -b 4096 -N 256 -O ^has_journal -E lazy_itable_init=0,nodiscard "$1" 128M >&2 &&
    cmp -s -n 133169152 <(tail -c +1048577 "$1") /dev/zero && truncate -s 1M "$1" && return
  rm -f "$1"
}

# What every guest has.
make_initramfs() {
  local root=$work/root
  mkdir -p "$root"/{proc,sys,tmp,dev,scripts}
  make_disk "$root/disk.img"
  cp -L "${scripts[@]}" "$root/scripts/"
  cp -L "$init" "$root/init"
  cp -L "$fuzz" "$root/lockstep_fuzz"
  cp -L "$executor_32" "$root/call_executor_32"
  cp -L "$executor_64" "$root/call_executor_64"
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/common.gz"
}

# The guest's only file system: the same, and the kernel's own module for /tmp, where its package has one.
add_module() {
  local module root=$work/module
  rm -rf "$root" && mkdir -p "$root"
  module=$(compgen -G "$(dirname "$1")/../lib/modules/*/kernel/drivers/block/loop.ko*" | head -n 1)
  case $module in
    *.ko) cp "$module" "$root/loop.ko" ;;
    *.xz) xz -dc "$module" >"$root/loop.ko" ;;
  esac
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) | cat "$work/common.gz" - >"$work/initramfs.gz"
}

# Boots one kernel; what the guest prints goes to standard output. `cpu`: max has five-level page tables.
boot() {
  local image=$1 cpu=$2 log=$work/log
  # As little memory as huge pages "always" let: the slack of the kernel's commit counter is a 256th of it
  # (mm_compute_batch, mm/util.c, 6.12). ramfs, because the pages of a tmpfs are part of that sum.
  local arguments="reheap.fuzz=--operations:$operations:--seed:$seed:--mismatches:1$kinds"
  timeout "${REHEAP_GUEST_SECONDS:-900}" qemu-system-x86_64 -machine pc,accel=tcg -cpu "$cpu" -m 1536 -smp 1 -nographic \
    -no-reboot -net none -kernel "$image" -initrd "$work/initramfs.gz" \
    -append "console=ttyS0 quiet panic=-1 rootfstype=ramfs $arguments reheap.settings=${REHEAP_SETTINGS:-}" \
    </dev/null >"$log" 2>&1
  tr -d '\r' <"$log" | grep -a -v '^\[ *[0-9]' | sed 's/\x1b[^a-zA-Z]*[a-zA-Z]//g'
  grep -aq 'guest: [0-9]* runs, 0 failed' "$log"
}

make_initramfs
failures=0 booted=0
for name in $kernels; do
  if ! image=$(image_of "$name"); then
    echo "$name: cannot be fetched here"
    continue
  fi
  add_module "$image"
  for cpu in ${REHEAP_CPUS:-max max,la57=off}; do
    echo "== $name, -cpu $cpu, seed $seed"
    booted=$((booted + 1))
    boot "$image" "$cpu" || failures=$((failures + 1))
  done
done
[ "$booted" -gt 0 ] || skip "no kernel package can be fetched"
echo "$booted guests, $failures with mismatches"
[ "$failures" -eq 0 ]
