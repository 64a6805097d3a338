#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A home that two hosts share: each has its own runtime directory, and so does not know which VMs run on
# the other. Whatever would destroy their images (clone, reset, delete, resize, snapshot, seed) is
# refused all the same, because of QEMU's locks. With real QEMUs, some of which tapgate has not started.
#
# Usage: image_locks.sh TAPGATE
set -euo pipefail

# shellcheck source=tests/system/home.sh
source "$(dirname "${BASH_SOURCE[0]}")/home.sh"
home_begin qemu-system-x86_64 qemu-img
foreign=
# shellcheck disable=SC2317 # called by home.sh
at_end() {
    on first kill --all >/dev/null 2>&1 || true
    [ -z "$foreign" ] || kill -KILL "$foreign" 2>/dev/null || true
}
export XDG_CACHE_HOME=$work/cache
mkdir "$HOME/.ssh" "$work/first" "$work/second" "$XDG_DATA_HOME"
echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA test" >"$HOME/.ssh/id_ed25519.pub"
on() { # HOST VERB...
    local host=$1
    shift
    XDG_RUNTIME_DIR=$work/$host "$tapgate" "$@"
}

# sums: of all files of the user's but the running VM's image, which QEMU's metadata are written to.
sums() {
    (cd "$work" && find config data -type f ! -name '*.lock' -exec sha256sum {} + | sort -k 2)
}
# refused WHAT VERB...: on the second host; exit code 1, the image named, nothing changed.
refused() {
    local what=$1 status=0 before after
    shift
    before=$(sums)
    on second "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    after=$(sums)
    if [ $status != 1 ]; then
        not_ok "$what" "exit code $status: $(cat "$work/err")"
    elif ! grep -q 'is in use, by process [0-9]* of this host (qemu-system-x86' "$work/err"; then
        not_ok "$what" "it says: $(cat "$work/err")"
    elif [ "$before" != "$after" ]; then
        not_ok "$what" "files have changed: $(diff <(echo "$before") <(echo "$after"))"
    else
        ok "$what"
    fi
}

image() { # VM: its own disk
    mkdir -p "$XDG_DATA_HOME/tapgate/$1"
    qemu-img create -q -f qcow2 "$XDG_DATA_HOME/tapgate/$1/disk.qcow2" 16M
    on first create "$1" --disk="$XDG_DATA_HOME/tapgate/$1/disk.qcow2" --accel=tcg --memory=64M --net=none >/dev/null
}
image base
image web
on first clone base copy >/dev/null 2>&1
on first seed web >/dev/null

on first start web >/dev/null 2>"$work/err" || { cat "$work/err"; exit 1; }
on first start copy >/dev/null 2>"$work/err" || { cat "$work/err"; exit 1; }

refused "clone of a VM that runs on another host" clone web web2
refused "snapshot save" snapshot save web one
refused "resize" resize web 32M
refused "seed" seed web --hostname=other
refused "delete --disks" delete web --yes --disks
refused "reset --to-base of a clone that runs on another host" reset copy --to-base
if [ -e "$XDG_CONFIG_HOME/tapgate/web2.conf" ] || [ -e "$XDG_DATA_HOME/tapgate/web2" ]; then
    not_ok "clone of a VM that runs on another host" "web2 is there"
fi

# What only reads stays possible: one more clone of a base that a running clone stands on.
if on second clone base copy2 >"$work/out" 2>&1; then
    ok "a base that is only read is cloned"
else
    not_ok "a base that is only read is cloned" "$(cat "$work/out")"
fi

for name in web copy; do
    on first kill $name >/dev/null 2>&1
done

# Anybody's QEMU: with the image open and nothing else of tapgate's. Its first process ends when it has that.
qemu-system-x86_64 -nodefaults -no-user-config -display none -accel tcg -m 16 -S \
    -blockdev driver=qcow2,node-name=disk,file.driver=file,file.filename="$XDG_DATA_HOME/tapgate/web/disk.qcow2" \
    -device virtio-blk-pci,drive=disk -pidfile "$work/foreign.pid" -daemonize
foreign=$(<"$work/foreign.pid")
refused "clone of an image that another's QEMU writes to" clone web web2
refused "delete of it" delete web --yes --disks
kill -KILL "$foreign"
while kill -0 "$foreign" 2>/dev/null; do
    sleep 0.05
done
foreign=

# And when nobody has them any more, each of these does what it is for.
did() {
    if on second "$@" >"$work/out" 2>&1; then
        ok "afterwards: $1"
    else
        not_ok "afterwards: $1" "$(cat "$work/out")"
    fi
}
did snapshot save web one
did snapshot delete web one
did resize web 32M
did seed web --hostname=other
did reset copy --to-base
did clone web web2
did delete web2 --yes --disks
did delete web --yes --disks

summary
