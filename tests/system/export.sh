#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `tapgate export` to an appliance and to an archive: whether other programs can read them, whether
# `import` gives the same VM back, what is left after a failure, and archives that somebody has tampered
# with.
#
# Usage: export.sh TAPGATE.
set -euo pipefail

# shellcheck source=tests/system/home.sh
source "$(dirname "${BASH_SOURCE[0]}")/home.sh"
home_begin qemu-system-x86_64 qemu-img qemu-io python3 tar
background=
# shellcheck disable=SC2317 # called by home.sh
at_end() {
    [ -z "$background" ] || kill -KILL "$background" 2>/dev/null || true
}
mkdir "$work/out"
cd "$work"
out=$work/words
evidence=("$out")
data=$XDG_DATA_HOME/tapgate

# must COMMAND...
must() {
    "$@" >"$out" 2>&1 || wrong "this failed: $*"
}

# --- the VM: an overlay on an overlay, a raw disk and a vdi, each on another bus ----------------------

mkdir images
qemu-img create -q -f qcow2 images/golden.qcow2 16M
qemu-io -f qcow2 -c 'write -q -P 0x5a 1M 2M' images/golden.qcow2
truncate -s 3M images/second.raw
qemu-io -f raw -c 'write -q -P 0x33 0 64k' images/second.raw
qemu-img create -q -f vdi images/third.vdi 4M
qemu-io -f vdi -c 'write -q -P 0x77 2M 1M' images/third.vdi
must "$tapgate" create golden --disk=images/golden.qcow2 --net=none
must "$tapgate" clone golden web --memory=768M --cpus=4,sockets=2,cores=2,threads=1 --cpu=max --machine=q35 \
    --net=bridge:br-lab,model=e1000e,mac=52:54:00:12:34:56 --net=user --display=vnc --boot=disk:1,net
must "$tapgate" set web disk+=images/second.raw,bus=scsi,serial=S1,readonly=on disk+=images/third.vdi,bus=sata,cache=none
qemu-io -f qcow2 -c 'write -q -P 0x11 2M 1M' "$data/web/disk.qcow2"
# What its guest sees, in files of one format.
sources=("$data/web/disk.qcow2 qcow2" "images/second.raw raw" "images/third.vdi vdi")
"$tapgate" show web >shown.web
result "a VM"

# same_disk N FILE FORMAT: as the VM's disk N.
same_disk() {
    local source=${sources[$1]}
    must qemu-img compare -q -f "${source#* }" -F "$3" "${source% *}" "$2"
}

# --- an appliance -------------------------------------------------------------------------------------

must "$tapgate" export web web.ova
[ "$(stat -c %a web.ova)" = 600 ] || wrong "its mode is $(stat -c %a web.ova)"
[ "$(find . -maxdepth 1 -name 'web.ova*')" = ./web.ova ] || wrong "more than it is there"
[ "$(tar -tf web.ova | tr '\n' ' ')" = "web.ovf web.mf web.conf web-disk0.vmdk web-disk1.vmdk web-disk2.vmdk " ] ||
    wrong "in it: $(tar -tf web.ova)"
result "an appliance: its descriptor is the first"
python3 - >"$out" 2>&1 <<'END' || wrong "Python reads another archive"
import hashlib, re, tarfile
with tarfile.open("web.ova", "r:") as archive:
    members = archive.getmembers()
    assert all(member.isreg() and member.uid == 0 and not member.pax_headers for member in members)
    texts = {member.name: archive.extractfile(member).read() for member in members}
manifest = dict(re.findall(r"SHA256\(([^)]*)\)= ([0-9a-f]{64})\n", texts["web.mf"].decode()))
assert set(manifest) == set(texts) - {"web.mf"}, manifest
for name, digest in manifest.items():
    assert hashlib.sha256(texts[name]).hexdigest() == digest, name
import xml.etree.ElementTree as xml
ovf = "{http://schemas.dmtf.org/ovf/envelope/1}"
envelope = xml.fromstring(texts["web.ovf"])
for one in envelope.iter(ovf + "File"):
    assert int(one.get(ovf + "size")) == len(texts[one.get(ovf + "href")])
assert [disk.get(ovf + "capacity") for disk in envelope.iter(ovf + "Disk")] == [str(mib << 20) for mib in (16, 3, 4)]
END
result "and Python's tarfile, hashlib and XML parser agree with it"
tar -C out -xf web.ova
for i in 0 1 2; do
    must qemu-img check -q -f vmdk out/web-disk$i.vmdk
    must qemu-img info -f vmdk out/web-disk$i.vmdk
    says "$out" 'create type: streamOptimized'
    ! grep -q backing "$out" || wrong "disk $i stands on another"
    same_disk $i out/web-disk$i.vmdk vmdk
done
result "its disks are whole streamOptimized images"
if command -v virt-v2v >/dev/null; then
    must env LIBGUESTFS_BACKEND=direct virt-v2v -i ova web.ova -o null --print-source
    says "$out" '^ *memory: 805306368'
    says "$out" '^ *nr vCPUs: 4'
    says "$out" '52:54:00:12:34:56'
    [ "$(grep -cE '^\s+[0-2] \[(sata|scsi)\]' "$out")" = 3 ] || wrong "not its disks"
    result "virt-v2v reads it"
else
    # It comes with a whole virtual machine of its own, which tests/run does not install.
    echo "# not run: virt-v2v reads it (no virt-v2v)"
fi

# same_vm NAME: all is as it is described, but for where the disks are.
same_vm() {
    local i suffix
    "$tapgate" show "$1" >shown.back 2>"$out" || wrong "it cannot be shown"
    # shellcheck disable=SC2016
    diff <(sed -E 's/ *# .*//; s/^disk = [^,]*(,format=[a-z0-9]*)?/disk = D/; s/,backing=[^,]*//g' shown.web) \
        <(sed -E 's/ *# .*//; s/^disk = [^,]*(,format=[a-z0-9]*)?/disk = D/' shown.back) >"$out" || wrong "it is another VM"
    for i in 0 1 2; do
        suffix=${i#0}
        same_disk $i "$data/$1/disk$suffix.qcow2" qcow2
    done
}
must "$tapgate" import web.ova back
same_vm back
result "import gives the same VM back"
# Whatever the archive is called.
must "$tapgate" export web '10:30 "\web".ova'
must "$tapgate" import '10:30 "\web".ova' odd-name
same_disk 0 "$data/odd-name/disk.qcow2" qcow2
must "$tapgate" delete odd-name --disks --yes
result "an archive whose name an image's description could not hold"
# Other hypervisors see what the descriptor says.
tar -cf foreign.ova -C out web.ovf web-disk0.vmdk web-disk1.vmdk web-disk2.vmdk
must "$tapgate" import foreign.ova foreign
for line in 'memory = 768M' 'cpus = 4' 'net = bridge:br0,model=e1000e,mac=52:54:00:12:34:56' 'net = bridge:br0,model=e1000'; do
    says "$XDG_CONFIG_HOME/tapgate/foreign.conf" "^$line"
done
same_disk 2 "$data/foreign/disk2.qcow2" qcow2
result "what a reader of the descriptor alone gets"
must "$tapgate" create uefi --firmware=uefi --net=none --disk=images/golden.qcow2,readonly=on
must "$tapgate" export uefi uefi.ova
[ "$(tar -tf uefi.ova | tr '\n' ' ')" = "uefi.ovf uefi.mf uefi.conf uefi-disk0.vmdk " ] || wrong "in it: $(tar -tf uefi.ova)"
tar -xf uefi.ova -C out uefi.ovf uefi-disk0.vmdk
must "$tapgate" import out/uefi.ovf uefi2
says "$XDG_CONFIG_HOME/tapgate/uefi2.conf" '^firmware = uefi$'
result "and of firmware"

# What the firmware has written: its own boot entries, once it ran.
variables=$data/uefi/uefi-variables.qcow2
has_entries() { # the firmware has come to its boot menu: it names what it can boot from
    qemu-img convert -U -f qcow2 -O raw "$variables" now.raw && grep -aq 'B.o.o.t.O.r.d.e.r' now.raw
}
must "$tapgate" set uefi accel=tcg memory=128M
must "$tapgate" start uefi --quiet
for ((i = 0; i < 300; i++)); do
    has_entries 2>/dev/null && break
    sleep 0.2
done
must "$tapgate" kill uefi
has_entries || wrong "its firmware wrote no boot entries"
cp "$variables" before.qcow2
must "$tapgate" export uefi remembers.ova
! grep -q UEFI "$out" || wrong "something is not in it: $(cat "$out")"
tar -xOf remembers.ova uefi.ovf >out/remembers.ovf
says out/remembers.ovf 'ovf:href="uefi-uefi-variables.qcow2"'
must "$tapgate" export uefi remembers.tar
must "$tapgate" export uefi remembers.xml
says remembers.xml "<nvram>$work/remembers_VARS.fd</nvram>"
refused 'remembers_VARS.fd is there already' sh -c "rm remembers.xml; exec '$tapgate' export uefi remembers.xml"
rm remembers_VARS.fd
must "$tapgate" export uefi remembers.xml
cp remembers_VARS.fd whole_VARS.fd
for kind in ova tar xml; do
    must "$tapgate" import remembers.$kind of-$kind --yes
    must qemu-img compare -q -f qcow2 -F qcow2 "$data/of-$kind/uefi-variables.qcow2" before.qcow2
    [ "$(stat -c %a "$data/of-$kind/uefi-variables.qcow2")" = 600 ] || wrong "others can read them"
    must "$tapgate" start of-$kind --quiet --accel=tcg
    must "$tapgate" kill of-$kind
done
result "what its firmware remembers goes along, in each kind"

# Variables of OVMF of 2 MiB, as old domains have them; Debian has that until 12.
small=/usr/share/OVMF/OVMF_VARS.fd
if [ -e $small ]; then
    cp $small remembers_VARS.fd
    must "$tapgate" import remembers.xml small --yes
    must qemu-img compare -q -f qcow2 -F raw "$data/small/uefi-variables.qcow2" $small
    must "$tapgate" start small --quiet --accel=tcg
    tr '\0' '\n' <"/proc/$("$tapgate" status small | awk '$1 == "process" { print $2 }')/cmdline" >words
    says words 'file(name)?[=:"]+/usr/share/OVMF/OVMF_CODE.fd'
    must "$tapgate" kill small
    result "variables of 128 KiB have the firmware of that size"
fi
truncate -s 64K remembers_VARS.fd
must "$tapgate" import remembers.xml odd --yes
says "$out" 'its UEFI variables.* of 64 KiB, and the firmware of this host has [0-9]+ \(.*; it has new ones'
[ ! -e "$data/odd/uefi-variables.qcow2" ] || wrong "they are taken over"
must "$tapgate" start odd --quiet --accel=tcg
must "$tapgate" kill odd
must qemu-img create -q -f qcow2 "$data/odd/uefi-variables.qcow2" 64K
refused 'uefi-variables.qcow2 are of 64 KiB, and the firmware of this host has ' "$tapgate" start odd --accel=tcg
result "variables that no firmware here can take"

# Who wrote the description chose the file that is read.
cp whole_VARS.fd remembers_VARS.fd
if "$tapgate" import remembers.xml asked </dev/null >"$out" 2>&1; then wrong "nobody was asked"; fi
says "$out" "$work/remembers_VARS.fd \(read\)"
chmod 0 remembers_VARS.fd
must heeding_modes "$tapgate" import remembers.xml asked --yes
[ ! -e "$data/asked/uefi-variables.qcow2" ] || wrong "from where?"
chmod 0600 remembers_VARS.fd
# One that stands on another file is no member that is taken.
mkdir tampered
tar -xf remembers.tar -C tampered
rm tampered/uefi.mf tampered/uefi-uefi-variables.qcow2
echo secret >secret
qemu-img create -q -f qcow2 -b "$work/secret" -F raw tampered/uefi-uefi-variables.qcow2 528K
tar -cf tampered.tar -C tampered uefi.conf uefi-disk0.qcow2 uefi-uefi-variables.qcow2
if "$tapgate" import tampered.tar tampered --yes >"$out" 2>&1; then wrong "it is taken"; fi
says "$out" 'secret|names|backing'
[ ! -e "$data/tampered" ] || wrong "something is left: $(ls "$data/tampered")"
[ ! -e "$XDG_CONFIG_HOME/tapgate/tampered.conf" ] || wrong "a VM is left"
result "UEFI variables that somebody has tampered with"

# --- an archive ---------------------------------------------------------------------------------------

qemu-img snapshot -c before "$data/web/disk.qcow2"
must "$tapgate" export web web.tar
says "$out" "not in it: the snapshot before of $data/web/disk.qcow2"
[ "$(tar -tf web.tar | tr '\n' ' ')" = "web.mf web.conf web-disk0.qcow2 web-disk1.qcow2 web-disk2.qcow2 " ] ||
    wrong "in it: $(tar -tf web.tar)"
must "$tapgate" import web.tar again
same_vm again
result "a .tar, and the same VM back"
must "$tapgate" delete web --disks --yes
must "$tapgate" import web.tar
[ -e "$XDG_CONFIG_HOME/tapgate/web.conf" ] || wrong "another name"
must qemu-img compare -q -f qcow2 -F qcow2 "$data/web/disk.qcow2" "$data/again/disk.qcow2"
result "under its own name, when no other is said"

qemu-img create -q -f qcow2 blank.qcow2 1G
[ $(($(stat -c %s blank.qcow2) % 512)) != 0 ] || echo "# a blank qcow2 is of whole sectors here"
must "$tapgate" create blank --disk=blank.qcow2 --net=none
for ending in ova tar; do
    must "$tapgate" export blank "blank.$ending"
    must "$tapgate" import "blank.$ending" "blank-$ending"
    must qemu-img compare -q -f qcow2 -F qcow2 blank.qcow2 "$data/blank-$ending/disk.qcow2"
done
result "a blank disk, whose file does not end with a sector"

# --- what is refused ------------------------------------------------------------------------------------

# nothing_left FILE
nothing_left() {
    [ -z "$(find . -maxdepth 1 -name "$1*" -o -name '*.part.*')" ] || wrong "left: $(ls -A)"
}
refused 'is there already' "$tapgate" export web web.ova
refused 'is neither a file.ova' "$tapgate" export web web.zip
refused 'no VM is called nobody' "$tapgate" export nobody nobody.ova
result "what is there, another ending, no VM"
must "$tapgate" start web --net=none --accel=tcg --quiet
refused 'tapgate stop web' "$tapgate" export web runs.ova
must "$tapgate" kill web
nothing_left runs.ova
result "a VM that runs"
mkfifo hold
qemu-io -f qcow2 "$data/web/disk.qcow2" <hold >/dev/null 2>&1 &
background=$!
exec 7>hold
inode=$(stat -c %i "$data/web/disk.qcow2")
for _ in {1..200}; do # until it has QEMU's locks: who opens the disk before would keep it from them
    ! grep -q ":$inode " /proc/locks || break
    sleep 0.1
done
said=$("$tapgate" export web used.tar 2>&1) || true
[[ $said == *"process $background"* ]] || wrong "it says: $said"
exec 7>&-
wait $background || true
background=
nothing_left used.tar
result "a disk that another program writes to"
if unshare --user --map-root-user --mount true 2>/dev/null; then
    mkdir small
    # shellcheck disable=SC2016 # the inner shell's
    full=$(unshare --user --map-root-user --mount sh -c '
        mount -t tmpfs -o size=3M none small && ! "$1" export web small/web.ova 2>&1 && [ -z "$(ls small)" ]' sh "$tapgate") ||
        full="$full (it did not fail, or left something)"
    [[ $full == *"MiB needed, "*" MiB free" ]] || wrong "$full"
    result "no room: $full"
    # Room for the variables' file, and not for the one that names it: a root, a file, and that by its two names.
    # shellcheck disable=SC2016
    full=$(unshare --user --map-root-user --mount sh -c '
        mount -t tmpfs -o nr_inodes=3 none small && ! "$1" export uefi small/uefi.xml 2>&1 && [ -z "$(ls -A small)" ]' sh "$tapgate") ||
        full="$full (it did not fail, or left something)"
    [[ $full == *"uefi.xml: No space left on device" ]] || wrong "$full"
    result "nor is there half of a domain: $full"
else
    not_here "no room" "no user namespaces"
fi
if (ulimit -f 512 && exec "$tapgate" export web full.tar >"$out" 2>&1); then
    wrong "it was written"
fi
nothing_left full.tar
says "$out" 'File too large'
result "a write that fails: $(tail -n 1 "$out")"
qemu-img create -q -f raw large.raw 512M
for i in {0..127}; do
    printf 'x%s' "$i" | dd of=large.raw bs=1M seek=$((i * 4)) conv=notrunc status=none
done
must "$tapgate" create large --disk=large.raw --net=none
for signal in INT TERM HUP; do
    "$tapgate" export large "cut-$signal.tar" >"$out" 2>&1 &
    background=$!
    read_uptime
    end=$((uptime + 20))
    until compgen -G "cut-$signal.tar*.part.*" >/dev/null; do
        kill -0 $background 2>/dev/null || break
        read_uptime
        [ "$uptime" -le "$end" ] || break
    done
    kill -"$signal" $background 2>/dev/null || true
    status=0
    wait $background || status=$?
    background=
    if [ "$status" = 0 ]; then
        echo "# it was faster than the signal"
        continue
    fi
    [ "$status" = $((128 + $(kill -l "$signal"))) ] || wrong "SIG$signal ends it with $status"
    nothing_left "cut-$signal.tar"
    result "SIG$signal leaves nothing"
done

# --- archives of others ---------------------------------------------------------------------------------

rm -rf out
mkdir out
tar -C out -xf web.tar
# pack NAME: with what is in out, and no manifest.
pack() {
    rm -f out/*.mf
    tar -C out -cf "$1" web.conf "${@:2}"
}
cp out/web.conf sound.conf
tampered() { # TEXT LINE: an archive with that line is refused with TEXT
    { cat sound.conf; echo "$2"; } >out/web.conf
    pack evil.tar web-disk0.qcow2 web-disk1.qcow2 web-disk2.qcow2
    refused "$1" "$tapgate" import evil.tar evil
    if [ -e "$XDG_CONFIG_HOME/tapgate/evil.conf" ] || [ -e "$data/evil" ]; then wrong "something is left"; fi
    result "$2: $1"
}
echo secret >secret.raw
for line in "share = $work,tag=all" "qemu-arg = -drive" "cdrom = $work/secret.raw" "kernel = $work/secret.raw" \
    "vnc-password-file = $work/secret.raw" "on = slurm,partition=vms" "net = user,hostfwd=tcp:0.0.0.0:2222-:22"; do
    tampered '--yes agrees to it' "$line"
done
for disk in "$work/secret.raw,format=raw" ../secret.qcow2 "$work/images/golden.qcow2"; do
    tampered 'has to be a qcow2 or vmdk image inside it' "disk = $disk"
done
tampered 'is not in the archive' 'disk = other.qcow2'
tampered 'evil.tar:web.conf:' 'memory = much'
cp sound.conf out/web.conf
qemu-img create -q -f qcow2 -F raw -b "$work/secret.raw" out/web-disk0.qcow2
pack evil.tar web-disk0.qcow2 web-disk1.qcow2 web-disk2.qcow2
refused 'its backing file is' "$tapgate" import evil.tar evil
qemu-img create -q -f qcow2 -o data_file="$work/outside" out/web-disk0.qcow2 1M
pack evil.tar web-disk0.qcow2 web-disk1.qcow2 web-disk2.qcow2
refused 'its data are in another file' "$tapgate" import evil.tar evil
[ ! -e "$data/evil" ] || wrong "something is left"
result "a disk that stands on a file of the reader's"
tar -C out -xf web.tar
sed -i 's/^memory = .*/memory = 2G/' out/web.conf
tar -C out -cf evil.tar web.mf web.conf web-disk0.qcow2 web-disk1.qcow2 web-disk2.qcow2
refused 'does not match the manifest' "$tapgate" import evil.tar evil
head -c 300000 web.tar >cut.tar
refused 'cut off' "$tapgate" import cut.tar evil
tar -C out -cf none.tar web-disk0.qcow2
refused 'neither an .ovf nor a VM file from tapgate export' "$tapgate" import none.tar evil
result "one that was changed, cut off, or is none"

[ "$passed" -ge 25 ] || die "only $passed results"
summary
