#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The real QEMU takes the command lines of `tapgate argv`, and opens the image that was named and no
# other, whatever its name looks like.
#
# Usage: launcher_qemu.sh TAPGATE. Exit code 77: cannot run here; with MUST_WORK=1 that fails.
set -euo pipefail

tapgate=$1
skip() {
    echo "skipped: $1"
    [ "${MUST_WORK:-0}" = 1 ] && exit 1
    exit 77
}
command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64"

work=$(mktemp -d)
qemu=
cleanup() {
    [ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
umask 077
export HOME=$work/home XDG_CONFIG_HOME=$work/home/config XDG_RUNTIME_DIR=$work/run
images=$work/images
mkdir -p "$HOME" "$images/sub" "$XDG_RUNTIME_DIR"
cd "$images"

ready() {
    grep -qs prelaunch "$work/replies"
}

# try FILE OPTION...: QEMU starts, and of all images has FILE open and nothing else.
try() {
    local file=$1 state=$XDG_RUNTIME_DIR/tapgate/vm arguments opened='' fd target
    shift
    rm -rf "$state"
    mkdir -p "$state"
    mapfile -d '' -t arguments < <("$tapgate" argv vm --null --accel=tcg --memory=64 --net=user "$@")
    rm -f "$work/qmp" "$work/replies"
    mkfifo "$work/qmp"
    exec 3<>"$work/qmp" # for writing too, so that it never ends
    printf '{"execute":"%s"}\n' qmp_capabilities query-status >&3
    "${arguments[@]}" -S -qmp stdio <"$work/qmp" 3>&- >"$work/replies" 2>"$work/qemu.log" &
    qemu=$!
    # QEMU answers when everything is open.
    for _ in {1..300}; do
        ! ready || break
        kill -0 "$qemu" 2>/dev/null || break
        sleep 0.1
    done
    if ! ready; then
        echo "QEMU does not start: $*"
        printf '  %q\n' "${arguments[@]}"
        cat "$work/qemu.log"
        exit 1
    fi
    for fd in "/proc/$qemu/fd"/*; do
        # The x keeps a line break at the name's end.
        target=$(readlink -n "$fd" && echo x) || continue
        target=${target%x}
        target=${target%$'\n'}
        [[ $target != "$images"/* ]] || opened+="$target|"
    done
    kill -KILL "$qemu"
    wait "$qemu" 2>/dev/null || true
    qemu=
    if [ "$opened" != "$images/$file|" ]; then
        printf 'named %q, opened %q\n' "$images/$file" "$opened"
        exit 1
    fi
    # What QEMU only warns about is a mistake in the command line as well; not what the CPU model lacks.
    if grep -vE "TCG doesn't support requested|hyperthreading" "$work/qemu.log" | grep -i warning; then
        exit 1
    fi
}

name_count=0
# shellcheck disable=SC2016 # not to be expanded
for name in plain 'a,b' ',id=x,readonly=on' "it's \"quoted\"" $'line\nbreak' 'json:{"driver":"null-co"}' \
    'nbd:localhost:1' 'fat:rw:sub' '-S' 'grün ☃' '%s $HOME `id`' 'a=b:c;d|e&f'; do
    truncate -s 1M -- "$name"
    try "$name" --disk="${name//,/,,},format=raw"
    try "$name" --disk="${name//,/,,},format=raw,bus=scsi" --snapshot=off --display=vnc
    name_count=$((name_count + 1))
done
try plain --disk=plain,format=raw,bus=sata,cache=none,serial=S-1 --cpus=4,sockets=2,threads=2
try plain --disk=plain,format=raw,bus=ide,discard=off --machine=pc
try plain --disk=plain,format=raw,bus=sata --machine=pc --net=user,model=e1000,hostfwd=tcp::0-:22
try plain --disk=plain,format=raw,readonly=on --cpu=qemu64,+ssse3
try plain --cdrom=plain --boot=cdrom,disk
try plain --cdrom=plain --machine=pc
# Throw-away mode puts a temporary image on top; what lies below is what was named.
try 'a,b' --disk='a,,b,format=raw' --snapshot=on
echo "$name_count names"
