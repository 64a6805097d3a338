#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A snapshot with the guest's RAM that fails half way, since the file system fills up while QEMU writes:
# the image is as before, the guest goes on, and once there is room it works.
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher guest -- qemu-img qemu-io python3 strace
verb_limit=120

# Room for the RAM, as it is asked for before, and no room when it comes to it.
(lab_exec mkdir -p "$data")
mount -t tmpfs -o "size=420m,uid=$LAB_UID,gid=$LAB_UID,mode=0700" small "$data"
disk=$data/vm/disk.qcow2

# allocated: the clusters of the image that its own tables know, and what it takes of the file system.
# What QEMU has not written back of its tables yet looks like a leak for a moment.
allocated() {
    python3 - "$disk" <<'END'
import json, os, subprocess, sys, time
words = ["qemu-img", "check", "-U", "-f", "qcow2", "--output=json", sys.argv[1]]
for attempt in range(40):
    check = json.loads(subprocess.run(words, capture_output=True).stdout)
    if not check.get("leaks") and not check.get("corruptions"):
        break
    time.sleep(0.25)
else:
    sys.exit(f"damaged: {check}")
print(check.get("allocated-clusters"), os.stat(sys.argv[1]).st_blocks // 128)
END
}

# is_as_before: but for a table that a snapshot had shared, or two.
is_as_before() {
    local now
    now=$(allocated)
    if [ "${now% *}" != "${before% *}" ] || [ "${now#* }" -gt $((${before#* } + 2)) ]; then
        wrong "before: $before, and now $now"
    fi
}
# shellcheck disable=SC2317 # lab_poll calls it
stopped() {
    grep -qs 'stopped by SIGSTOP' "$LAB/home/trace"
}
# begin_to_save STRACE-OPTIONS...: a snapshot that QEMU has room for 8 MiB of. tapgate stands still once it
# has seen how much there is, and the rest is taken meanwhile. $saving is strace, then.
begin_to_save() {
    local free
    rm -f "$data/fill" "$LAB/home/trace"
    (lab_exec strace -qq -s 300 -o "$LAB/home/trace" -e trace=statfs,sendmsg -e inject=statfs:signal=SIGSTOP:when=1 \
        "$@" "$tapgate" snapshot save vm live) </dev/null >"$out" 2>"$err" &
    saving=$!
    lab_poll 20 stopped || wrong "it did not look how much room there is: $(cat "$err")"
    free=$(($(stat -f -c '%a * %S' "$data")))
    fallocate -l $((free - (8 << 20))) "$data/fill"
    to_tapgate CONT || wrong "it has not waited: $(cat "$err")"
}
to_tapgate() { # SIGNAL
    # shellcheck disable=SC2046 # one, and with a blank behind
    kill -"$1" $(cat "/proc/$saving/task/$saving/children")
}
saved() { # sets $status
    status=0
    wait $saving 2>/dev/null || status=$?
}
fails_half_way() {
    begin_to_save
    saved
    [ $status = 1 ] || wrong "it ends with $status"
    says "$err" 'QEMU fails at saving the snapshot'
}

for kind in plain "with a snapshot" "of small clusters"; do
    options=cluster_size=64k
    [ "$kind" != "of small clusters" ] || options=cluster_size=4k # 2 MiB an entry of L1: the RAM takes many
    (lab_exec mkdir -m 0700 -p "$data/vm")
    (lab_exec qemu-img create -q -f qcow2 -o $options "$disk" 72M)
    (lab_exec qemu-io -f qcow2 -c 'write -q -P 0x5a 0 5M' "$disk")
    did 0 create vm --disk="$disk" --net=none --accel=tcg --memory=128M --kernel="$GUEST_DIR/kernel" \
        --initrd="$GUEST_DIR/initramfs.cpio" --append="$GUEST_KERNEL tapgate.hold=600"
    [ "$kind" != "with a snapshot" ] || did 0 snapshot save vm before
    did 0 start vm --quiet
    guest_says vm '^(PASS|FAIL)'
    before=$(allocated)
    fails_half_way
    says "$err" 'nothing of it is left; .*/tapgate has [0-9]+ MiB free: make room there'
    must_be vm running
    is_as_before
    did 0 snapshot list vm
    ! grep -q live "$out" || wrong "it is in the list"
    result "image $kind: a failed snapshot with RAM leaves nothing"
    # A guest that stands still, still does.
    did 0 pause vm
    fails_half_way
    must_be vm paused
    is_as_before
    did 0 resume vm
    result "image $kind: and a guest that is paused stays so"
    rm -f "$data/fill"
    did 0 snapshot save vm live
    did 0 snapshot list vm
    says "$out" '^live .*with'
    (lab_exec touch "$data/vm/known_hosts")
    did 0 snapshot restore vm live --yes
    [ ! -e "$data/vm/known_hosts" ] || wrong "ssh would refuse the keys that the guest has made since"
    must_be vm running
    did 0 kill vm
    (lab_exec qemu-img check -q -f qcow2 "$disk") >"$out" 2>&1 || wrong "the image is damaged"
    (lab_exec qemu-img info -f qcow2 --output=json "$disk") >"$out"
    says "$out" '"virtual-size": 75497472,'
    (lab_exec qemu-io -f qcow2 -c 'read -q -P 0x5a 0 5M' "$disk") >"$out" 2>&1 || wrong "its content is another"
    did 0 delete vm --yes
    rm -f "$disk"
    result "image $kind: with room it is saved, and the disk is what it was"
done

# The RAM of a VM that has more of it now.
(lab_exec mkdir -m 0700 -p "$data/vm")
(lab_exec qemu-img create -q -f qcow2 "$disk" 72M)
did 0 create vm --disk="$disk" --net=none --accel=tcg --memory=128M --kernel="$GUEST_DIR/kernel" \
    --initrd="$GUEST_DIR/initramfs.cpio" --append="console=ttyS0 quiet panic=-1 tapgate.hold=600"
did 0 start vm --quiet
guest_says vm '^(PASS|FAIL)'
did 0 snapshot save vm live
did 0 attach vm net=user
tg_refused 'does not fit vm as it is now: nic0 (virtio-net-pci) was not there; nothing was done' \
    snapshot restore vm live --yes
must_be vm running
did 0 detach vm nic0
did 0 snapshot restore vm live --yes
must_be vm running
did 0 kill vm
did 0 set vm memory=144M cpus=2
did 0 start vm --quiet
written=$(sha256sum <"$disk")
tg_refused 'cpus was 1 and is 2, memory was 128M and is 144M;' \
    snapshot restore vm live --yes
must_be vm running
[ "$written" = "$(sha256sum <"$disk")" ] || wrong "the disk was written to"
mending=$(grep -o 'tapgate stop vm && .* && tapgate start vm' "$err") || wrong "it names no way out"
mending=${mending#*&& tapgate }
did 0 kill vm # its guest does not hear the power button
# shellcheck disable=SC2086 # the words of its command
did 0 ${mending% && *}
did 0 start vm --quiet
did 0 snapshot restore vm live --yes
must_be vm running
did 0 kill vm
result "RAM that does not fit is refused before anything is changed, with what mends it"

# It belongs to that snapshot, goes with it, and with its VM to another name.
did 0 rename vm other
disk=$data/other/disk.qcow2
[ -e "$data/other/hardware-live.json" ] || wrong "it is lost when its VM is renamed"
did 0 rename other vm
disk=$data/vm/disk.qcow2
did 0 start vm --quiet
did 0 snapshot save vm more
did 0 snapshot delete vm more --yes
[ ! -e "$data/vm/hardware-more.json" ] || wrong "it stays when its snapshot goes"
did 0 kill vm
(lab_exec cp "$data/vm/hardware-live.json" hardware)
(lab_exec qemu-img snapshot -d live "$disk")
did 0 set vm memory=144M
did 0 start vm --quiet
did 0 snapshot save vm live
(lab_exec cp hardware "$data/vm/hardware-live.json")
did 0 snapshot restore vm live --yes
must_be vm running
did 0 snapshot delete vm live --yes
did 0 kill vm
did 0 set vm memory=128M
result "and what is written down of a snapshot counts for no other"

# Its guest ends as soon as its RAM is saved: between tapgate and QEMU is a program that ends QEMU then.
did 0 start vm --quiet
(lab_exec mv "$state/vm/qmp.sock" "$state/vm/real.sock")
(lab_exec python3 - "$state/vm" "$(field vm process)" <<'END') >$LAB/between 2>&1 &
import os, select, signal, socket, sys
directory, qemu = sys.argv[1], int(sys.argv[2])
server = socket.socket(socket.AF_UNIX)
server.bind(directory + "/qmp.sock")
server.listen()
tapgate, _ = server.accept()
real = socket.socket(socket.AF_UNIX)
real.connect(directory + "/real.sock")
dismissed = False
while True:
    for one in select.select([tapgate, real], [], [])[0]:
        words = one.recv(1 << 20)
        if not words:
            sys.exit()
        dismissed = dismissed or (one is tapgate and b"job-dismiss" in words)
        (real if one is tapgate else tapgate).sendall(words)
        if dismissed and one is real and b'"return"' in words:
            os.kill(qemu, signal.SIGKILL)
            sys.exit()
END
between=$!
lab_poll 10 test -S "$state/vm/qmp.sock" || wrong "there is nothing between them"
did 0 snapshot save vm live
! grep -q 'but not what vm is like' "$err" || wrong "it is not written down: $(cat "$err")"
wait $between || wrong "between them: $(cat $LAB/between)"
lab_poll 10 is vm crashed || wrong "the VM has not ended"
did 0 set vm memory=144M
did 0 start vm --quiet
tg_refused 'memory was 128M and is 144M;' snapshot restore vm live --yes
did 0 kill vm
did 0 set vm memory=128M
did 0 start vm --quiet
did 0 snapshot restore vm live --yes
did 0 snapshot delete vm live --yes
did 0 kill vm
result "and it is written down, too, where the guest ends at once"

# Where nothing is written down, as by an older tapgate.
did 0 start vm --quiet
did 0 snapshot save vm live
rm "$data/vm/hardware-live.json"
did 0 kill vm
did 0 set vm memory=144M
did 0 start vm --quiet
tg_refused 'had the VM other memory, processors or devices when it was saved?' snapshot restore vm live --yes
says "$err" 'its guest cannot go on, since half of its state is a snapshot.s; end it with: tapgate kill vm$'
must_be vm restore-vm
tg_refused 'its guest cannot go on' resume vm
must_be vm restore-vm
did 0 kill vm
did 0 set vm memory=128M
did 0 start vm --quiet
did 0 snapshot restore vm live --yes
must_be vm running
did 0 kill vm
did 0 delete vm --yes
rm -f "$disk"
result "RAM that does not fit, and nothing to compare with: it is told why, and the guest does not go on with half of it"

# tapgate is killed between the two steps: by strace each of its words to QEMU takes long, from the one with
# which QEMU begins to save.
size_is() { # BYTES
    (lab_exec qemu-img info -U -f qcow2 --output=json "$disk") 2>/dev/null | matches "\"virtual-size\": $1,"
}
has_grown() {
    ! size_is 75497472
}
# killed_half_way SIGNAL: sets $status to that of the verb.
killed_half_way() {
    begin_to_save -e inject=sendmsg:delay_exit=2500000:when="$first_word"+
    lab_poll 60 has_grown || wrong "the disk did not grow: $(cat "$err")"
    to_tapgate "$1" || wrong "it is over already: $(cat "$err")"
    saved
}
(lab_exec mkdir -m 0700 -p "$data/vm")
(lab_exec qemu-img create -q -f qcow2 -o cluster_size=64k "$disk" 72M)
did 0 create vm --disk="$disk" --net=none --accel=tcg --memory=128M --kernel="$GUEST_DIR/kernel" \
    --initrd="$GUEST_DIR/initramfs.cpio" --append="$GUEST_KERNEL tapgate.hold=600"
did 0 start vm --quiet
guest_says vm '^(PASS|FAIL)'
fails_half_way
first_word=$(grep sendmsg "$LAB/home/trace" | grep -n snapshot-save | cut -d: -f1)
before=$(allocated)
killed_half_way TERM
[ $status = 143 ] || wrong "it ends with $status"
size_is 75497472 || wrong "the disk has another size"
must_be vm running
is_as_before
result "SIGTERM meanwhile: it is done first"

killed_half_way KILL
must_be vm paused
has_grown || wrong "the disk has its size, and so this test nothing to see"
did 0 resume vm
says "$err" 'had grown, since tapgate was killed after a snapshot that failed; it has its size again, and the guest goes on'
size_is 75497472 || wrong "the disk has another size"
must_be vm running
is_as_before
did 0 resume vm
! grep -q grown "$err" || wrong "it says that twice"
result "SIGKILL meanwhile: resume mends it"

killed_half_way KILL
rm -f "$data/fill"
did 0 snapshot save vm live
says "$err" 'it has its size again, and the guest goes on'
size_is 75497472 || wrong "the disk has another size"
tg snapshot delete vm live --yes --timeout=0
[ "$status" = 0 ] || says "$err" 'QEMU has not ended deleting .* within 0 s, and goes on with it; see tapgate snapshot list vm'
# shellcheck disable=SC2317 # lab_poll calls it
is_deleted() {
    did 0 snapshot list vm
    ! grep -q '^live ' "$out"
}
lab_poll 10 is_deleted || wrong "it does not go on with it"
result "SIGKILL meanwhile: so does the next snapshot"

killed_half_way KILL
did 0 kill vm
did 0 rename vm other # a disk in the VM's directory goes with it
disk=$data/other/disk.qcow2
did 0 start other
says "$err" "the disk $disk is larger than its 75497472 bytes, since tapgate was killed"
did 0 kill other
did 0 rename other vm
disk=$data/vm/disk.qcow2
did 0 start vm
says "$err" "the disk $disk is larger than its 75497472 bytes, since tapgate was killed"
command=$(grep -o 'qemu-img resize .*' "$err") || true
did 0 kill vm
# shellcheck disable=SC2086 # a command line
(lab_exec ${command:-false}) || wrong "its command does not work: $command"
did 0 start vm
! grep -q larger "$err" || wrong "it says so still"
size_is 75497472 || wrong "the disk has another size"
did 0 kill vm
(lab_exec qemu-img check -q -f qcow2 "$disk") >"$out" 2>&1 || wrong "the image is damaged"
result "and where QEMU was ended, too, start says what mends it"
summary
