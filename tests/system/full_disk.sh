#!/bin/bash
# Every verb that writes, on a full disk: from no free byte to enough of them, in steps. The verb does
# what it should, or fails with the kernel's words and leaves everything as it was.
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher -- qemu-system-x86_64 qemu-img

lab_bridge br0 192.0.2.1/24
lab_install "$helper" setuid
lab_policy 'allow br0'

# All that is the user's is on one disk, his runtime directory on another; what is only read is on neither.
disk=$LAB/home/disk
runtime=/run/user/$LAB_UID
in=$LAB/home/in
kept=$LAB/kept # what was on the disk before
user() {
    (lab_exec "$@")
}
user mkdir -m 0700 in disk
mount -t tmpfs -o "size=16m,uid=$LAB_UID,gid=$LAB_UID,mode=0700" disk "$disk"
mount -t tmpfs -o "size=4m,uid=$LAB_UID,gid=$LAB_UID,mode=0700" runtime "$runtime"

# on_disk ARGS...: tapgate, with all its directories there; as tg.
on_disk() {
    status=0
    (lab_exec env HOME="$disk" EDITOR="sed -i s/64M/77M/" timeout -k 1 "$verb_limit" "$tapgate" "$@") \
        </dev/null >"$out" 2>"$err" || status=$?
}
prepared() {
    on_disk "$@"
    [ "$status" = 0 ] || die "tapgate $*: $(cat "$err")"
}
conf=.config/tapgate
data=.local/share/tapgate

# what_there_is: each file, and what is in it; of an image what its guest finds there, its snapshots, and whether
# it is sound (what leaks is room, and no harm). What runs, and with which devices.
what_there_is() {
    local file checked
    cd "$disk"
    find . -path ./filler -prune -o -path ./.ssh -prune -o -printf '%p %y\n' | sort
    find . -path ./filler -prune -o -path ./.ssh -prune -o -type f -print | sort | while read -r file; do
        if [[ $file != *.qcow2 ]]; then
            sha256sum "$file"
            continue
        fi
        checked=0
        qemu-img check -q -f qcow2 "$file" >/dev/null 2>&1 || checked=$?
        [ $checked = 0 ] || [ $checked = 3 ] || echo "$file is damaged: $checked"
        qemu-img snapshot -l "$file"
        qemu-img convert -f qcow2 -O raw "$file" "$LAB/log/raw"
        sha256sum <"$LAB/log/raw"
    done
    for file in "$runtime/tapgate/"*; do
        [ -e "$conf/${file##*/}.conf" ] || echo "${file##*/} is no VM"
        [ ! -e "$file/vm.json" ] || sha256sum "$file/vm.json"
    done
    on_disk detach runs nothing # which says what there is
    cat "$err"
}

# full NAME DONE ARGS...: with ever more room on $full_disk. DONE is a command that succeeds when the verb has
# done its work. On $disk all is as before afterwards.
full_disk=$disk
full() {
    local name=$1 is_done=$2 left
    shift 2
    (what_there_is) >"$LAB/log/before"
    rm -rf "$kept"
    cp -a --sparse=never "$disk" "$kept"
    for left in 0 4 8 12 16 24 32 64 128 256 512 1024 2048 4096 8192; do
        head -c 100M /dev/zero >"$full_disk/filler" 2>/dev/null || true
        [ "$(stat -c %s "$full_disk/filler")" -gt $((left * 1024)) ] || wrong "there is always room"
        truncate -s "-${left}K" "$full_disk/filler"
        on_disk "$@"
        rm "$full_disk/filler"
        [ "$status" != 0 ] || break
        [ "$status" = 1 ] || wrong "with $left KiB it ends with $status: $(tail -n 2 "$err")"
        # An editor says for itself why it fails.
        grep -qE 'No space left|no room for|disk is full|the editor .* ended with' "$err" ||
            wrong "with $left KiB it says $(tail -n 2 "$err")"
        cp "$err" "$LAB/log/said"
        (what_there_is) >"$LAB/log/after"
        diff "$LAB/log/before" "$LAB/log/after" >"$LAB/log/diff" ||
            wrong "with $left KiB: $(head -n 6 "$LAB/log/diff"); $(tail -n 2 "$LAB/log/said")"
    done
    [ "$status" = 0 ] || wrong "it is never done: $(tail -n 2 "$err")"
    (cd "$disk" && eval "$is_done") >/dev/null 2>&1 || wrong "with $left KiB: it is not done, and has not failed"
    result "$name: done with $left KiB"
    find "$disk" -mindepth 1 -delete
    cp -a --sparse=never "$kept/." "$disk/"
}

user qemu-img create -q -f qcow2 "$in/golden.qcow2" 8M
user qemu-io -f qcow2 -c 'write -q -P 0x5a 0 2M' "$in/golden.qcow2"
user qemu-img convert -f qcow2 -O vmdk "$in/golden.qcow2" "$in/foreign.vmdk"
user sh -c "echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA test' >$in/key.pub"
user sh -c "printf 'name = class\nmemory = 64M\nnet = none\n[vm]\ncount = 2\n' >$in/class.conf"
prepared create web --accel=tcg --memory=64M --net=none
prepared create golden --disk="$in/golden.qcow2" --net=none
prepared clone golden student
user qemu-img create -q -f qcow2 disk/own.qcow2 8M
user qemu-io -f qcow2 -c 'write -q -P 0x11 1M 1M' disk/own.qcow2
user qemu-img create -q -f qcow2 disk/second.qcow2 8M
prepared create own --disk="$disk/own.qcow2" --disk="$disk/second.qcow2" --net=none
prepared snapshot save own old
user qemu-io -f qcow2 -c 'write -q -P 0x22 1M 1M' disk/own.qcow2
user qemu-img create -q -f qcow2 "$in/more.qcow2" 1M
prepared create runs --accel=tcg --memory=64M --net=none
prepared start runs

full create "grep -q 77M $conf/new.conf" create new --memory=77M
full set "grep -q 77M $conf/web.conf" set web memory=77M
full edit "grep -q 77M $conf/web.conf" edit web
full rename "[ -e $conf/www.conf ] && ! [ -e $conf/web.conf ]" rename web www
full "rename, with a disk" "[ -e $data/pupil/disk.qcow2 ] && ! [ -e $data/student ]" rename student pupil
full clone "[ -e $data/second/disk.qcow2 ]" clone golden second
full new "[ -e $data/second/disk.qcow2 ]" new second --from="$in/golden.qcow2"
full seed "[ -e $data/web/seed.iso ] && grep -q seed.iso $conf/web.conf" seed web --ssh-key="$in/key.pub"
full import "qemu-img compare $in/golden.qcow2 $data/foreign/disk.qcow2" import "$in/foreign.vmdk"
full translate "grep -q 77M $conf/old.conf" translate --create=old -- qemu-kvm -m 77 -net none
for ending in tar ova; do
    full "export .$ending" "tar -tf own.$ending" export own "$disk/own.$ending"
done
full "export .xml" "grep '</domain>' own.xml" export own "$disk/own.xml"
full "snapshot save" "qemu-img snapshot -l own.qcow2 | grep fresh" snapshot save own fresh
full "snapshot restore" "qemu-io -r -f qcow2 -c 'read -P 0x11 1M 1M' own.qcow2" \
    snapshot restore own old --yes
full "snapshot delete" "list=\$(qemu-img snapshot -l own.qcow2 && qemu-img snapshot -l second.qcow2) && [ -z \"\$list\" ]" \
    snapshot delete own old --yes
# Where the image is sparse, what is left of its list of snapshots wants room.
prepared snapshot save own newer
for image in own second; do
    fallocate --dig-holes "$disk/$image.qcow2"
done
head -c 100M /dev/zero >"$disk/filler" 2>/dev/null || true
no_room="No space left on device; $disk has 0 MiB free: make room there, and"
on_disk snapshot delete own old --yes
[ "$status" = 1 ] || wrong "it ends with $status"
says "$err" "$no_room try again\$"
prepared start own
on_disk snapshot delete own old --yes
[ "$status" = 1 ] || wrong "of a VM that runs it ends with $status"
says "$err" "$no_room delete it again after: tapgate restart own\$"
rm "$disk/filler"
prepared kill own
prepared snapshot delete own old --yes
find "$disk" -mindepth 1 -delete
cp -a --sparse=never "$kept/." "$disk/"
result "snapshot delete from sparse images: where room is wanted, and what then"
# The last snapshot goes; what then wants room only counts what is free.
user qemu-img create -q -f qcow2 disk/one.qcow2 8M
user qemu-io -f qcow2 -c 'write -q -P 0x11 1M 1M' disk/one.qcow2
prepared create one --disk="$disk/one.qcow2" --net=none
prepared snapshot save one last
user qemu-io -f qcow2 -c 'write -q -P 0x22 1M 1M' disk/one.qcow2
fallocate --dig-holes "$disk/one.qcow2"
head -c 100M /dev/zero >"$disk/filler" 2>/dev/null || true
on_disk snapshot delete one last --yes
[ "$status" = 0 ] || wrong "it ends with $status: $(cat "$err")"
rm "$disk/filler"
[ -z "$(qemu-img snapshot -l "$disk/one.qcow2")" ] || wrong "the snapshot is there"
qemu-img check -q -f qcow2 "$disk/one.qcow2" 2>"$err" || wrong "the image leaks: $(cat "$err")"
find "$disk" -mindepth 1 -delete
cp -a --sparse=never "$kept/." "$disk/"
result "snapshot delete, of the last one from a sparse image: what is left of it is given back"
full resize "qemu-img info own.qcow2 | grep '16 MiB'" resize own 16M
user qemu-io -f qcow2 -c 'write -q -P 0x33 0 64k' "disk/$data/student/disk.qcow2"
full reset "qemu-img compare $in/golden.qcow2 $data/student/disk.qcow2" reset student --to-base --yes
full delete "! [ -e $conf/student.conf ] && ! [ -e $data/student ]" delete student --disks --yes
full ssh-config "grep -l tapgate .ssh/config .ssh/tapgate.conf" ssh-config --install
full "lab up" "[ -e $runtime/tapgate/class-vm-1/vm.json ] && [ -e $runtime/tapgate/class-vm-2/vm.json ]" lab up "$in/class.conf" --helper="$LAB_HELPER"
for name in class-vm-1 class-vm-2; do
    on_disk kill $name
done

# shellcheck disable=SC2317 # full evaluates it
attached() { # disk|net: `runs' has one
    on_disk detach runs nothing # which says what there is
    grep -Eq "it has .*${1/net/nic}0" "$err"
}
for save in "" --save; do
    for device in "disk=$in/more.qcow2" net=bridge:br0; do
        full "attach $save ${device%%=*}" "attached ${device%%=*} && { [ -z '$save' ] || grep '^${device%%=*} = .*' $conf/runs.conf; }" \
            attach runs "$device" $save --helper="$LAB_HELPER"
        on_disk kill runs
        prepared start runs
    done
done
full_disk=$runtime
full "attach, no room for the record" "attached net" attach runs net=bridge:br0 --helper="$LAB_HELPER"
full "start, no room for the record" "[ -e $runtime/tapgate/web/vm.json ]" start web
on_disk kill web
on_disk kill runs
lab_no_tap_left
result "no tap is left"
summary
