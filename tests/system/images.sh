#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Images for classrooms, with real guests that write to their disks: two clones of one base run at the
# same time, and neither sees the other nor changes the base; a base is protected; a clone goes back to
# it; snapshots of VMs that are off or run; disks that grow; seeds. And a base that was changed or
# replaced, an overlay that was altered, a name that is taken, a full disk.
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
verb_limit=120 boot_limit=60
begin helper launcher guest -- qemu-img python3 isoinfo

# The guest's program: does what comes in on its console.
cat >$LAB/commands <<'EOT'
#!/bin/sh
note=none
echo READY
while read -r what text; do
    case $what in
        note) note=$text; echo "NOTED $text" ;;
        notes) echo "NOTE <$note>" ;;
        write)
            printf '%-512s' "$text" | busybox dd of=/dev/vda bs=512 conv=notrunc,fsync 2>/dev/null
            echo "WROTE $text" ;;
        read)
            echo 3 >/proc/sys/vm/drop_caches
            echo "DISK <$(busybox head -c 5 /dev/vda)>" ;;
        label) echo "LABEL <$(busybox dd if=/dev/vdb bs=8 skip=4101 count=1 2>/dev/null)>" ;; # ISO 9660
        fill) busybox dd if=/dev/urandom of=/dev/vda bs=1M count="$text" conv=fsync 2>/dev/null
            echo "FILLED $text" ;;
        size) echo "SECTORS $(cat /sys/block/vda/size)" ;;
    esac
done
EOT
"$top/tests/guest/build" "$TAPGATE_GUEST" "$GUEST_DIR/images" $LAB/commands
lab_bridge br0 192.0.2.1/24
lab_policy 'allow br0'
lab_install "$helper" setuid

# --- words of this test -------------------------------------------------------------------------

user() { # COMMAND...: as the lab user
    (lab_exec "$@")
}
# ask NAME WORDS REGEX: types WORDS; its guest has to answer. Stays until then: what the guest has not
# read yet goes with the connection.
ask() {
    [ -z "$problem" ] || return 0
    user python3 - "$state/$1/console.sock" "$2" "$3" "$boot_limit" <<'EOT' || wrong "the guest of $1 did not answer '$2' with '$3'"
import re, socket, sys
path, words, answer, limit = sys.argv[1:]
console = socket.socket(socket.AF_UNIX)
console.settimeout(float(limit))
console.connect(path)
console.sendall(words.encode() + b"\n")
said = ""
while not re.search(answer, said, re.M):
    got = console.recv(4096)
    assert got, said
    said += got.decode(errors="replace").replace("\r", "")
EOT
}
starts() { # NAME
    did 0 start "$1" --helper="$LAB_HELPER"
    guest_says "$1" '^READY'
}
sum_of() {
    sha256sum <"$1"
}

# --- a base, and two clones ---------------------------------------------------------------------

base=$LAB/home/base.qcow2
user qemu-img create -q -f qcow2 "$base" 64M
did 0 create golden --disk="$base" --net=bridge:br0,mac=52:54:00:00:00:07 --accel=tcg --memory=128M \
    --kernel="$GUEST_DIR/kernel" --initrd="$GUEST_DIR/images" \
    --append="$GUEST_KERNEL"
starts golden
ask golden 'write first' '^WROTE first'
tg_refused "golden runs" clone golden c1
[ ! -e "$config/c1.conf" ] || wrong "the clone's VM file is there"
[ ! -e "$data/c1" ] || wrong "the clone's directory is there"
did 0 kill golden
result "a base that runs is not cloned"

did 0 clone golden c1
grep -q 'not 52:54:00:00:00:07' "$err" || wrong "it does not say that the MAC is another one"
grep -q 'is read-only from now on' "$err" || wrong "it does not say that the base is read-only"
did 0 clone golden c2 --cpus=2
before=$(sum_of "$base")
starts c1
starts c2
for clone in c1 c2; do
    ask $clone read '^DISK <first>'
    ask $clone "write $clone   " "^WROTE $clone"
done
for clone in c1 c2; do
    ask $clone read "^DISK <$clone   >"
done
[ "$(sum_of "$base")" = "$before" ] || wrong "the base has changed"
[ "$(user "$tapgate" status c1 | awk '$1 == "network" { print $3 }')" != \
    "$(user "$tapgate" status c2 | awk '$1 == "network" { print $3 }')" ] || wrong "they have one MAC"
result "two clones run at once, each with its own disk, and the base stays what it was"

# --- what protects the base ---------------------------------------------------------------------

tg_refused "c1, c2" start golden --helper="$LAB_HELPER"
tg_refused "c1, c2" delete golden --disks --yes
tg_refused "c1, c2" delete golden --yes
tg_refused "c1, c2" resize golden 128M
tg_refused "c1, c2" snapshot save golden x
tg_refused "c1 runs" clone c1 c3
[ "$(stat -c %a "$base")" = 444 ] || wrong "the base is $(stat -c %a "$base")"
did 0 start golden --helper="$LAB_HELPER" --snapshot=on
guest_says golden '^READY'
ask golden 'write thrown' '^WROTE thrown'
did 0 kill golden
[ "$(sum_of "$base")" = "$before" ] || wrong "the base has changed"
result "a base is not started, deleted, resized; but runs with --snapshot"

# --- back to the base ---------------------------------------------------------------------------

tg_refused "c1 runs" reset c1 --to-base
# As ssh learns them: by tapgate's verbs, and by itself.
learnt=("$data/c1/known_hosts" "$data/.known_hosts/tapgate-c1")
(lab_exec mkdir -p "$data/.known_hosts")
(lab_exec touch "${learnt[@]}")
did 0 reset c1 --to-base --force
for file in "${learnt[@]}"; do
    [ ! -e "$file" ] || wrong "ssh would refuse the keys that the guest makes anew: $file"
done
starts c1
ask c1 read '^DISK <first>'
did 0 kill c1
tg_refused "is not a clone" reset golden --to-base
result "reset --to-base brings the base's content back"

# --- snapshots ----------------------------------------------------------------------------------

did 0 snapshot save c1 off
starts c1
ask c1 'write later' '^WROTE later'
ask c1 'note paper' '^NOTED paper'
did 0 snapshot save c1 live
ask c1 'write wrong' '^WROTE wrong'
ask c1 'note stone' '^NOTED stone'
did 0 snapshot restore c1 live
ask c1 notes '^NOTE <paper>'
ask c1 read '^DISK <later>'
tg_refused "was made while the guest was off" snapshot restore c1 off
tg_refused "c1 has a snapshot \`live' already" snapshot save c1 live
did 0 snapshot list c1 --json
python3 - "$out" <<'EOT' || wrong "snapshot list --json is not as expected"
import json, sys
tags = {one["tag"]: one["ram"] for one in json.load(open(sys.argv[1]))}
assert tags == {"off": False, "live": True}, tags
EOT
did 0 kill c1
tg_refused "is of a running guest, with its RAM" snapshot restore c1 live
did 0 snapshot restore c1 off
starts c1
ask c1 read '^DISK <first>'
did 0 snapshot restore c1 live
ask c1 notes '^NOTE <paper>'
did 0 snapshot delete c1 live
did 0 snapshot delete c1 off
did 0 snapshot list c1
[ ! -s "$out" ] || wrong "a snapshot is left: $(cat "$out")"
result "snapshots of a VM that is off, and of one that runs, with its RAM"

user qemu-img create -q -f raw "$LAB/home/raw.raw" 1M
did 0 create raw --disk="$LAB/home/raw.raw" --net=none
tg_refused "is a raw image" snapshot save raw x
did 2 snapshot save c1 1
did 2 snapshot frobnicate c1 x
result "what cannot have snapshots is refused"

# --- a disk that grows --------------------------------------------------------------------------

ask c1 size '^SECTORS 131072'
did 0 resize c1 96M
ask c1 size '^SECTORS 196608'
tg_refused "can only grow" resize c1 64M
did 0 kill c1
did 0 resize c1 128M
tg_refused "can only grow" resize c1 64M
starts c1
ask c1 size '^SECTORS 262144'
did 0 kill c1
did 0 kill c2
tg_refused "no disk 7" resize c1 1G 7
result "a disk grows, while its VM runs or not, and never shrinks"

# --- a seed -------------------------------------------------------------------------------------

echo 'ssh-ed25519 AAAA me: [x]' >"$LAB/home/key.pub"
chmod 0644 "$LAB/home/key.pub"
did 0 seed c2 --user=no --ssh-key="$LAB/home/key.pub"
isoinfo -d -i "$data/c2/seed.iso" | matches -i '^Volume id: cidata' || wrong "its label is another one"
isoinfo -R -x /user-data -i "$data/c2/seed.iso" >"$LAB/log/user-data"
isoinfo -R -x /meta-data -i "$data/c2/seed.iso" >"$LAB/log/meta-data"
python3 - "$LAB/log" <<'EOT' || wrong "the seed is not as expected: $(cat "$LAB/log/user-data")"
import json, sys
first, rest = open(sys.argv[1] + "/user-data").read().split("\n", 1)
user = json.loads(rest)["users"][0]
assert first == "#cloud-config", first
assert user["name"] == "no" and user["ssh_authorized_keys"] == ["ssh-ed25519 AAAA me: [x]"], user
assert json.load(open(sys.argv[1] + "/meta-data"))["local-hostname"] == "c2"
try:
    import yaml
except ImportError:
    sys.exit()  # another Python than Debian's
assert yaml.safe_load(rest) == json.loads(rest)
EOT
did 0 seed c2 --user=other --ssh-key="$LAB/home/key.pub"
[ "$(grep -c '/seed.iso,' "$config/c2.conf")" = 1 ] || wrong "the seed is not attached once"
starts c2
ask c2 label 'LABEL <CIDATA  >'
did 0 kill c2
did 0 clone c2 c2-again
! grep -q seed "$config/c2-again.conf" || wrong "a clone has its base's seed"
did 0 delete c2-again --disks --yes
result "a guest can read its seed, and a clone does not have it"

# --- of an image that is nobody's VM --------------------------------------------------------------

golden=$LAB/golden.qcow2 # root's, as on a teacher's share
qemu-img create -q -f qcow2 "$golden" 64M
chmod 0444 "$golden"
small=(--net=none --accel=tcg --memory=128M --kernel="$GUEST_DIR/kernel" --initrd="$GUEST_DIR/images"
    --append="$GUEST_KERNEL")
tg_refused "tapgate new NAME --from=$golden" start "$golden" "${small[@]}"
user sh -c 'mkdir -p ~/.ssh; echo "ssh-ed25519 AAAA me" >~/.ssh/id_ed25519.pub'
did 0 new n1 --from="$golden" --size=96M --seed "${small[@]}"
says "$err" 'next: tapgate start n1 && tapgate wait n1 && tapgate ssh n1'
did 0 clone "$golden" n2 "${small[@]}"
starts n1
starts n2
for vm in n1 n2; do
    ask $vm "write $vm   " "^WROTE $vm"
done
ask n1 read '^DISK <n1   >'
ask n1 size "^SECTORS $((96 * 2048))"
ask n1 label 'LABEL <CIDATA  >'
isoinfo -R -x /meta-data -i "$data/n1/seed.iso" | matches '"local-hostname": "n1"' ||
    wrong "the seed has not the VM's name"
did 0 kill n1
did 0 kill n2
did 0 delete n1 --disks --yes
did 0 delete n2 --disks --yes
tg_refused "none.iso: No such file" new n3 --from="$LAB/home/none.iso"
result "new: two VMs over an image that is root's, larger, and seeded"

# --- what goes wrong ----------------------------------------------------------------------------

tg_refused "of this name already" clone golden c1
user touch "$base"
tg_refused "has changed: it was written to" start c1 --helper="$LAB_HELPER"
did 0 status c1 --verify
grep -q '^same' "$out" || wrong "--verify says: $(cat "$out")"
starts c1
did 0 kill c1
result "a base of another time and the same content is found to be the same"

user cp "$base" "$LAB/home/copy"
chmod 0644 "$base"
user qemu-io -f qcow2 -c 'write -q -P 0x41 0 512' "$base"
tg_refused "has changed" start c1 --helper="$LAB_HELPER"
did 1 status c1 --verify
grep -q '^CHANGED' "$out" || wrong "--verify says: $(cat "$out")"
tg_refused "has changed" start c2 --helper="$LAB_HELPER"
user mv -f "$LAB/home/copy" "$base"
tg_refused "another file has come in its place" start c2 --helper="$LAB_HELPER"
did 0 status c2 --verify
did 0 status c1 --verify
starts c2
did 0 kill c2
result "a base that was changed is refused, and one that was put back is taken"

user mv "$base" "$base.away"
tg_refused "No such file" start c1 --helper="$LAB_HELPER"
user mv "$base.away" "$base"
user sh -c "echo secret >'$LAB/home/secret'"
user qemu-img rebase -u -F raw -b "$LAB/home/secret" "$data/c1/disk.qcow2"
tg_refused "has another base than" start c1 --helper="$LAB_HELPER"
did 0 reset c1 --to-base
starts c1
ask c1 read '^DISK <first>'
did 0 kill c1
result "an overlay that was altered is refused, and reset --to-base mends it"

# Two VMs of one image, and one image twice.
did 0 new n1 --from="$golden" "${small[@]}"
starts n1
tg_refused "is in use, by the VM n1, process $(field n1 process) of this host" start twice "${small[@]}" \
    --disk="$data/n1/disk.qcow2,backing=$golden"
did 0 kill n1
user qemu-img create -q -f qcow2 "$LAB/home/one.qcow2" 8M
user ln "$LAB/home/one.qcow2" "$LAB/home/same.qcow2"
tg_refused "same.qcow2 is disk 0 of twice and disk 1" start twice "${small[@]}" \
    --disk="$LAB/home/one.qcow2" --disk="$LAB/home/same.qcow2"
result "a disk that is in use: by whom; and one file twice in a VM"

# A host's disk that the guest fills.
mkdir "$LAB/full"
mount -t tmpfs -o "size=24m,uid=$LAB_UID,gid=$LAB_UID,mode=0700" full "$LAB/full"
user qemu-img create -q -f qcow2 "$LAB/full/disk.qcow2" 64M
did 0 create full --disk="$LAB/full/disk.qcow2" "${small[@]}"
starts full
before=$(du -k "$LAB/full/disk.qcow2")
tg_refused "no room for the snapshot live with the guest's RAM: $LAB/full, where" snapshot save full live
[ "$(du -k "$LAB/full/disk.qcow2")" = "$before" ] || wrong "the refused snapshot left something"
user python3 - "$state/full/console.sock" <<'EOT'
import socket, sys
console = socket.socket(socket.AF_UNIX)
console.connect(sys.argv[1])
console.settimeout(60)
console.sendall(b"fill 48\n")
echo = b""
while b"fill" not in echo: echo += console.recv(4096)
EOT
must_be full io-error
did 0 list
says "$err" "full: its guest stands still, since the file system $LAB/full is full, where $LAB/full/disk.qcow2 grows"
did 0 status full
says "$out" "^problem .*is full"
for verb in resume stop ssh ip 'wait --timeout=1'; do
    # shellcheck disable=SC2086 # two words
    tg_refused "the file system $LAB/full is full" $verb full
    says "$err" 'tapgate resume full'
done
must_be full io-error
mount -o remount,size=96m "$LAB/full"
did 0 resume full
must_be full running
guest_says full '^FILLED 48'
did 0 pause full
tg_refused 'its guest is paused; it goes on with: tapgate resume full' ssh full
did 0 resume full
did 0 kill full
did 0 delete full --yes
umount "$LAB/full"
result "a guest that fills the host's disk: every verb says so, and what to do"

# A data directory that is full: nothing is left, and the base is what it was.
mount -t tmpfs -o "size=600k,uid=$LAB_UID,gid=$LAB_UID,mode=0700" small "$LAB/home/.local/share"
user qemu-img create -q -f qcow2 "$LAB/home/other.qcow2" 1G
user mkdir -p "$LAB/home/.local/share/tapgate"
user dd if=/dev/zero of="$LAB/home/.local/share/fill" bs=4k status=none 2>/dev/null || true
did 0 create other --disk="$LAB/home/other.qcow2" --net=none
did 1 clone other full
says "$err" 'No space left on device'
[ ! -e "$config/full.conf" ] || wrong "the VM file is left"
[ -z "$(ls -A "$LAB/home/.local/share/tapgate")" ] || wrong "left: $(ls -A "$LAB/home/.local/share/tapgate")"
[ "$(stat -c %a "$LAB/home/other.qcow2")" = 644 ] ||
    wrong "the base is $(stat -c %a "$LAB/home/other.qcow2")"
umount "$LAB/home/.local/share"
result "on a full disk nothing is left of a clone"

# --- the end ------------------------------------------------------------------------------------

did 0 delete c1 --disks --yes
tg_refused "is the base of c2;" start golden --helper="$LAB_HELPER"
did 0 delete c2 --disks --yes
grep -q 'has no clones any more' "$err" || wrong "it does not say that the base can be written to"
starts golden
ask golden 'write again' '^WROTE again'
did 0 kill golden
did 0 delete golden --disks --yes
[ -e "$base" ] || wrong "an image outside of the VM's directory is gone"
result "with its last clone gone, a base is a VM again"

summary
