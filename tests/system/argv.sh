#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The real QEMU accepts the command lines of `tapgate argv`, and opens only the image that was named,
# whatever its name looks like.
#
# Usage: argv.sh TAPGATE [--print-golden].
set -euo pipefail

# shellcheck source=tests/system/home.sh
source "$(dirname "${BASH_SOURCE[0]}")/home.sh"
home_alone --net
home_begin qemu-system-x86_64
unset XDG_DATA_HOME # its default is in argv/
golden=$here/argv
[ "${2:-}" != --print-golden ] || print_golden=1
qemu=
at_end() {
    [ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null || true
}
images=$work/images
mkdir -p "$images/sub"
cd "$images"

ready() {
    grep -qs prelaunch "$work/replies"
}

# try FILES OPTION...: QEMU starts, and of all images has FILES open and nothing else. FILES are one
# name, or more in alphabetical order with a '|' between them.
try() {
    local files=$1 state=$XDG_RUNTIME_DIR/tapgate/vm arguments expected opened fd target
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
    # NUL where one name ends: it is all that no name has.
    for fd in "/proc/$qemu/fd"/*; do
        # The x keeps a line break at the name's end.
        target=$(readlink -n "$fd" && echo x) || continue
        target=${target%x}
        [[ $target != "$images"/* ]] || printf '%s\0' "${target#"$images"/}"
    done | LC_ALL=C sort -zu | tr '\0' '|' >"$work/opened"
    kill -KILL "$qemu"
    wait "$qemu" 2>/dev/null || true
    qemu=
    expected=${files:+"$files|"}
    opened=$(cat "$work/opened" && echo x)
    if [ "${opened%x}" != "$expected" ]; then
        printf 'named %q, opened %q\n' "$expected" "${opened%x}"
        exit 1
    fi
    # What QEMU only warns about is a mistake in the command line as well; not what the CPU model lacks.
    if grep -vE "TCG doesn't support requested|hyperthreading" "$work/qemu.log" | grep -i warning; then
        exit 1
    fi
}

# What this version of QEMU gets for a VM that was made here, so with the machine's version in it: argv/
# has it for Debian 12's QEMU and 13's, below options that make the VM. To see new ones: --print-golden.
version=$(qemu-system-x86_64 --version | sed -n 's/^QEMU emulator version \([0-9]*\.[0-9]*\).*/\1/p')
mkdir -p share
truncate -s 1M d1 d2
qemu-img create -q -f qcow2 disk.qcow2 1M
qemu-img create -q -f vmdk disk.vmdk 1M
printf secret >password
for options in "$golden"/*.options; do
    name=$(basename "$options" .options)
    mapfile -t options <"$options"
    [[ ${options[*]} != *uefi* ]] || "$tapgate" argv vm --firmware=uefi >/dev/null 2>&1 || {
        echo "# not compared: $name (no UEFI firmware)"
        continue
    }
    "$tapgate" create "$name" "${options[@]}" >"$work/created"
    # Every line break is an argument's end; where the test runs, the VM's UUID and the MTU of a br0 that
    # may be there (in /sys, which is the host's) are this host's.
    "$tapgate" argv "$name" --null | tr '\0' '\n' |
        sed -e "s|$work|/WORK|g" -e '/^-uuid$/{n;s/.*/UUID/}' -e 's/"host_mtu":[0-9]*,//' >"$work/$name.argv"
    rm "$XDG_CONFIG_HOME/tapgate/$name.conf"
    if [ -n "${print_golden:-}" ]; then
        echo "--- qemu-$version/$name.argv"
        cat "$work/$name.argv"
    elif [ -d "$golden/qemu-$version" ]; then
        diff -u "$golden/qemu-$version/$name.argv" "$work/$name.argv"
    else
        echo "# not compared: $name (there is no $golden/qemu-$version)"
    fi
done
rm -r d1 d2 disk.qcow2 disk.vmdk share
[ -z "${print_golden:-}" ] || exit 0

# What QEMU would take as something else: its options' commas, protocols of its block layer, options,
# descriptors, URLs, lists; and what a shell or a printf() would.
mkdir -p 'sub/..x' nbd+unix: http:
# shellcheck disable=SC2016 # not to be expanded
names=(plain 'a,b' ',id=x,readonly=on' 'a,,b,' "it's \"quoted\"" $'line\nbreak\n' $'tab\t' ' blank ' 'back\slash'
    'json:{"driver":"null-co"}' 'nbd:localhost:1' 'nbd+unix:/x' 'http:/localhost' 'fat:rw:sub' 'file:plain'
    'fd:3' 'blkdebug::plain' 'sub/../up' 'sub/..x/y' '-S' '--' 'grün ☃' $'\u202egnp' '%s%n%x'
    '$HOME `id` $(id)' 'a=b:c;d|e&f' '*?[a]~' '{"x":1}' "$(printf 'long%.0s' {1..60})")
for name in "${names[@]}"; do
    truncate -s 1M -- "$name"
    real=${name/'sub/../'/}
    try "$real" --disk="${name//,/,,},format=raw"
    # Throw-away mode puts a temporary image on top; what lies below is what was named.
    try "$real" --disk="${name//,/,,},format=raw" --snapshot=on
    try "$real" --cdrom="$name"
    # From a VM's file, where a value can have no line break.
    [[ $name != *$'\n'* ]] || continue
    "$tapgate" create vm --disk="${name//,/,,},format=raw" >"$work/created"
    try "$real"
    rm "$XDG_CONFIG_HOME/tapgate/vm.conf"
done
echo "${#names[@]} names"

# A backing file of each hostile name that a qcow2 can have as a file's.
for name in 'a,b' "it's \"quoted\"" 'sub/..x/y' 'grün ☃' '%s%n%x' '-S'; do
    qemu-img create -q -u -f qcow2 -b "$name" -F raw over.qcow2 1M
    try "$(printf '%s\n' "$name" over.qcow2 | LC_ALL=C sort | paste -sd '|')" \
        --disk="over.qcow2,backing=${name//,/,,}"
done
rm over.qcow2

# Every machine with every bus, cache mode and image format that it has.
for format in raw qcow2 vmdk vdi vhdx vpc; do
    qemu-img create -q -f "$format" "disk.$format" 1M
done
for machine in q35 pc; do
    buses='virtio scsi sata'
    [ $machine = q35 ] || buses+=' ide'
    for bus in $buses; do
        for cache in writethrough directsync unsafe; do
            try plain --machine=$machine --disk="plain,format=raw,bus=$bus,cache=$cache,serial=S-1"
        done
        try plain --machine=$machine --disk="plain,format=raw,bus=$bus,discard=off" --snapshot=on
        [[ $bus =~ (sata|ide) ]] ||
            try plain --machine=$machine --disk="plain,format=raw,bus=$bus,readonly=on"
    done
    for format in raw qcow2 vmdk vdi vhdx vpc; do
        try disk.$format --machine=$machine --disk="disk.$format,format=$format"
    done
    for model in virtio e1000 e1000e rtl8139; do
        [ $machine$model != pce1000e ] || continue
        try '' --machine=$machine --net=user,model=$model,hostfwd=tcp::0-:22,hostfwd=udp::0-:53
    done
    for boot in cdrom net,cdrom,disk; do
        try 'disk.raw|plain' --machine=$machine --cdrom=plain --boot=$boot --disk=disk.raw
    done
    disks=()
    for i in {1..9}; do
        truncate -s 1M "d$i"
        disks+=(--disk="d$i,format=raw")
    done
    try 'd1|d2|d3|d4|d5|d6|d7|d8|d9' --machine=$machine "${disks[@]}"
done

try plain --disk=plain,format=raw --cpus=4,sockets=2,threads=2 --cpu=qemu64,+ssse3
try 'plain' --disk=plain,format=raw --display=vnc:localhost --vnc-password-file=password
try '' --net=none
try '' -- -device virtio-keyboard-pci

# started OPTION...: the VM runs as a user would start it.
started() {
    "$tapgate" start vm --accel=tcg --memory=64 --net=none "$@" 2>"$work/started" || {
        cat "$work/started"
        exit 1
    }
}
stopped() {
    "$tapgate" kill vm
}

# UEFI: the first start makes the variables of the firmware's template, the next ones keep them.
variables=$HOME/.local/share/tapgate/vm
for firmware in uefi uefi-secure; do
    if ! "$tapgate" argv vm --firmware=$firmware >/dev/null 2>"$work/why"; then
        grep -q 'install the package ovmf' "$work/why" || exit 1
        [ "${MUST_WORK:-0}" = 0 ] || skip "no UEFI firmware"
        continue
    fi
    started --disk=plain,format=raw --firmware=$firmware
    stopped
    qemu-img info --output=json "$variables/$firmware-variables.qcow2" | matches '"format": "qcow2"'
    made=$(stat -c %i "$variables/$firmware-variables.qcow2")
    started --disk=plain,format=raw --firmware=$firmware
    stopped
    [ "$made" = "$(stat -c %i "$variables/$firmware-variables.qcow2")" ] || exit 1
    try plain --disk=plain,format=raw --firmware=$firmware
    [ $firmware = uefi-secure ] || try plain --disk=plain,format=raw --firmware=uefi --machine=pc
done

# A viewer's address: the first free port, or the one that was asked for.
started --display=vnc:localhost --vnc-password-file=password
[ "$("$tapgate" vnc vm)" = vnc://127.0.0.1:5900 ] || exit 1
"$tapgate" start other --accel=tcg --memory=64 --net=none --display=vnc:localhost \
    --vnc-password-file=password 2>"$work/started"
[ "$("$tapgate" vnc other)" = vnc://127.0.0.1:5901 ] || exit 1
"$tapgate" kill other
stopped
started --display=vnc:public:7 --vnc-password-file=password
[[ $("$tapgate" vnc vm) = *:5907 ]] || exit 1
stopped

# What an image names and its description does not is not opened.
qemu-img create -q -u -f qcow2 -b "$work/qmp" -F raw over.qcow2 1M
! "$tapgate" start vm --accel=tcg --net=none --disk=over.qcow2 2>"$work/why" || exit 1
grep -q "say backing=$work/qmp" "$work/why"
