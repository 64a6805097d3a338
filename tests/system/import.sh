#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `tapgate import` of each image format, and of images that are hostile, damaged, too large or
# interrupted: then nothing is left behind.
#
# Usage: import.sh TAPGATE. Exit code 77: cannot run here; with MUST_WORK=1 that fails.
set -euo pipefail

tapgate=$1
skip() {
    echo "skipped: $1"
    [ "${MUST_WORK:-0}" = 1 ] && exit 1
    exit 77
}
for program in qemu-system-x86_64 qemu-img qemu-io; do
    command -v "$program" >/dev/null || skip "no $program"
done

work=$(mktemp -d)
importer=
cleanup() {
    [ -z "$importer" ] || kill -KILL "$importer" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
umask 077
export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_RUNTIME_DIR=$work/run XDG_DATA_HOME=$work/data
mkdir -p "$HOME" "$XDG_RUNTIME_DIR" "$XDG_DATA_HOME" "$work/images"
cd "$work/images"

passed=0 failed=0
ok() {
    passed=$((passed + 1))
    echo "ok - $1"
}
not_ok() {
    failed=$((failed + 1))
    echo "not ok - $1: $2"
}

# nothing_left NAME: neither VM file nor image, nor a part of one.
nothing_left() {
    [ ! -e "$XDG_CONFIG_HOME/tapgate/$1.conf" ] && [ ! -e "$XDG_DATA_HOME/tapgate/$1" ]
}

qemu-img create -q -f raw disk.raw 8M
qemu-io -f raw -c 'write -q -P 0x5a 1M 2M' -c 'write -q -P 0x17 7M 64k' disk.raw

# imported NAME FILE OPTION...: the same bytes, and a VM that is described.
imported() {
    local name=$1 file=$2
    shift 2
    if ! "$tapgate" import "$file" "$name" "$@" >/dev/null 2>"$work/error"; then
        not_ok "$name" "$(cat "$work/error")"
    elif ! qemu-img compare -q -f raw -F qcow2 disk.raw "$XDG_DATA_HOME/tapgate/$name/disk.qcow2"; then
        not_ok "$name" "the image differs"
    elif ! "$tapgate" show "$name" >"$work/shown" ||
        ! grep -q "^disk = $XDG_DATA_HOME/tapgate/$name/disk.qcow2,format=qcow2,bus=" "$work/shown"; then
        not_ok "$name" "$(cat "$work/shown")"
    else
        ok "$name"
    fi
}

# refused NAME TEXT FILE OPTION...
refused() {
    local name=$1 text=$2
    shift 2
    if "$tapgate" import "$1" "$name" "${@:2}" >/dev/null 2>"$work/error"; then
        not_ok "$name" "it was taken"
    elif ! grep -qF -- "$text" "$work/error"; then
        not_ok "$name" "it said: $(cat "$work/error")"
    elif ! nothing_left "$name"; then
        not_ok "$name" "something is left"
    else
        ok "$name: $text"
    fi
}

# --- every format -----------------------------------------------------------------------------------

for subformat in monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat streamOptimized; do
    mkdir $subformat
    qemu-img convert -f raw -O vmdk -o subformat=$subformat disk.raw "$subformat/a disk.vmdk"
    imported "vmdk-$subformat" "$subformat/a disk.vmdk"
done
for format in vdi vhdx qcow2; do
    qemu-img convert -f raw -O $format disk.raw disk.$format
    imported $format disk.$format
done
qemu-img convert -f raw -O vpc -o force_size=on disk.raw disk.vhd
imported vhd disk.vhd
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on disk.raw fixed.vhd
imported vhd-fixed fixed.vhd
imported raw disk.raw
cp disk.raw disk.img
imported raw-by-option disk.img --format=raw
cp disk.qcow2 'comma,one.qcow2'
imported comma 'comma,one.qcow2'
imported virtio2 disk.qcow2 --virtio --memory=2G
grep -q 'bus=virtio' "$XDG_CONFIG_HOME/tapgate/virtio2.conf" || not_ok virtio2 "not on virtio"

# --- what is refused --------------------------------------------------------------------------------

refused img "does not tell its format" disk.img
if "$tapgate" import disk.raw raw >/dev/null 2>"$work/error"; then not_ok twice "it was taken"; fi
grep -q "a VM of this name already" "$work/error" || not_ok twice "it said: $(cat "$work/error")"
refused wrong-format "is no vmdk image: it looks like qcow2" disk.qcow2 --format=vmdk
refused missing "No such file" none.qcow2
qemu-img create -q -f qcow2 -F qcow2 -b disk.qcow2 overlay.qcow2
refused backing "its backing file is" overlay.qcow2
mkdir hostile
cp disk.raw secret.raw
for extent in ../secret.raw "$work/images/secret.raw" nbd:localhost:1; do
    printf '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 16384 FLAT "%s" 0\n' \
        "$extent" >hostile/d.vmdk
    refused outside "is no file beside the descriptor" hostile/d.vmdk
done
ln -s ../secret.raw hostile/link.raw
sed -i 's/"nbd:.*"/"link.raw"/' hostile/d.vmdk
refused symlink "is not a regular file" hostile/d.vmdk
printf '# Disk DescriptorFile\nRW 16384 FLAT "none-flat.vmdk" 0\n' >hostile/e.vmdk
refused extent "extents lie beside the descriptor" hostile/e.vmdk
printf '# Disk DescriptorFile\nRW\n16384 FLAT "../secret.raw" 0\n' >hostile/f.vmdk
refused sly "line 2 of the descriptor" hostile/f.vmdk
for format in vdi vhdx qcow2 vhd; do
    head -c 300 disk.$format >truncated.$format
    refused truncated-$format "truncated.$format" truncated.$format
done
head -c 70000 monolithicSparse/*.vmdk >truncated.vmdk
refused truncated-vmdk "truncated.vmdk" truncated.vmdk
mkfifo fifo.raw
refused fifo "neither a file nor a block device" fifo.raw

# --- appliances and domains -----------------------------------------------------------------------------

mkdir appliance
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw appliance/lab-disk1.vmdk
# ovf FILE-ATTRIBUTES: a descriptor of a VM with that disk.
ovf() {
    cat <<EOT
<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="r">
  <References><File ovf:id="f1" $1/></References>
  <DiskSection><Disk ovf:capacity="8388608" ovf:diskId="d1" ovf:fileRef="f1"/></DiskSection>
  <VirtualSystem ovf:id="lab"><VirtualHardwareSection>
    <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ResourceType>4</rasd:ResourceType>
      <rasd:VirtualQuantity>512</rasd:VirtualQuantity></Item>
    <Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
    <Item><rasd:ResourceSubType>E1000</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType></Item>
    <Item><rasd:HostResource>/disk/d1</rasd:HostResource><rasd:ResourceType>17</rasd:ResourceType></Item>
  </VirtualHardwareSection></VirtualSystem>
</Envelope>
EOT
}
ovf 'ovf:href="lab-disk1.vmdk"' >appliance/lab.ovf
imported ovf appliance/lab.ovf
for format in ustar gnu pax; do
    tar -C appliance --format=$format -cf lab-$format.ova lab.ovf lab-disk1.vmdk
    imported ova-$format lab-$format.ova
done
grep -qx 'memory = 512M' "$XDG_CONFIG_HOME/tapgate/ova-pax.conf" || not_ok ova "its memory is not 512M"
# With a manifest each checksum has to be right; gzip, of a member or of all, is unpacked.
(cd appliance && for file in lab.ovf lab-disk1.vmdk; do
    echo "SHA256($file)= $(sha256sum "$file" | cut -d' ' -f1)"
done) >appliance/lab.mf
imported manifest appliance/lab.ovf
tar -C appliance -cf lab-manifest.ova lab.ovf lab.mf lab-disk1.vmdk
imported ova-manifest lab-manifest.ova
sed -i '2s/= ./= x/' appliance/lab.mf
refused wrong-manifest "not what the manifest says" appliance/lab.ovf
tar -C appliance -cf lab-wrong.ova lab.ovf lab.mf lab-disk1.vmdk
refused wrong-ova "not what the manifest says" lab-wrong.ova
rm appliance/lab.mf
gzip -c lab-ustar.ova >lab-whole.ova
imported ova-gzip lab-whole.ova
gzip -c appliance/lab-disk1.vmdk >appliance/packed.vmdk.gz
ovf 'ovf:href="packed.vmdk.gz" ovf:compression="gzip"' >appliance/packed.ovf
imported gzip-member appliance/packed.ovf
head -c 3000 appliance/packed.vmdk.gz >appliance/cut.gz
ovf 'ovf:href="cut.gz" ovf:compression="gzip"' >appliance/cut.ovf
refused cut-gzip "no gzip" appliance/cut.ovf
mkdir appliance/below
cp appliance/lab-disk1.vmdk appliance/below/
ovf 'ovf:href="./below/lab-disk1.vmdk"' >appliance/below.ovf
imported subfolder appliance/below.ovf
ln -s "$work/images" appliance/out
ovf 'ovf:href="out/disk.raw"' >appliance/out.ovf
refused link-out "leads out of" appliance/out.ovf
[ -z "$(find "$XDG_DATA_HOME" -name '.import.*')" ] || not_ok unpacked "what was unpacked is still there"
cp disk.raw evil.vmdk
ovf 'ovf:href="../evil.vmdk"' >appliance/evil.ovf
refused traversal "no file beside the descriptor" appliance/evil.ovf
tar -C appliance --transform 's,^,../,' -P -cf evil.ova lab.ovf lab-disk1.vmdk
refused traversal-ova "is not in the archive" evil.ova
head -c 20000 lab-ustar.ova >cut.ova
refused cut-ova "cut off" cut.ova
cp disk.qcow2 none.ova
refused no-tar "none.ova" none.ova
cat >domain.xml <<EOT
<domain type='kvm'><name>old</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='file' device='disk'><driver type='qcow2'/><source file='$PWD/disk.qcow2'/><target bus='ide'/></disk>
<interface type='user'/></devices></domain>
EOT
if "$tapgate" import domain.xml old --yes >/dev/null 2>"$work/error" &&
    grep -qx "disk = $PWD/disk.qcow2,format=qcow2,bus=ide" "$XDG_CONFIG_HOME/tapgate/old.conf" &&
    [ -e disk.qcow2 ] && [ ! -e "$XDG_DATA_HOME/tapgate/old" ]; then
    ok domain
else
    not_ok domain "$(cat "$work/error")"
fi
{
    echo '<!DOCTYPE d [<!ENTITY a "ha">'
    for i in {b..j}; do echo "<!ENTITY $i \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"; done
    echo ']><domain type="kvm"><name>&j;</name></domain>'
} >laughs.xml
refused laughs "DOCTYPE" laughs.xml

# --- no room, and an interruption ----------------------------------------------------------------------

if unshare --user --map-root-user --mount true 2>/dev/null; then
    mkdir -p "$XDG_DATA_HOME/tapgate"
    # shellcheck disable=SC2016 # the inner shell's
    full=$(unshare --user --map-root-user --mount sh -c '
        mount -t tmpfs -o size=1M none "$XDG_DATA_HOME/tapgate" && ! "$1" import disk.raw full 2>&1 &&
            [ -z "$(ls "$XDG_DATA_HOME/tapgate")" ]' sh "$tapgate") || full="$full (it did not fail, or left something)"
    if [[ $full == *"MiB needed, "*" MiB free" ]]; then ok "no room: $full"; else not_ok "no room" "$full"; fi
fi
# A disk that is full after all: no file may grow beyond 512 KiB.
if (ulimit -f 512 && exec "$tapgate" import disk.raw full >/dev/null 2>"$work/error"); then
    not_ok "a write that fails" "it was taken"
elif nothing_left full; then
    ok "a write that fails: $(cat "$work/error")"
else
    not_ok "a write that fails" "something is left"
fi
# Slow enough to be met half way: much data, and a throttle is not at hand.
truncate -s 512M large.raw
for i in {0..127}; do
    printf 'x%s' "$i" | dd of=large.raw bs=1M seek=$((i * 4)) conv=notrunc status=none
done
for signal in INT TERM HUP; do
    "$tapgate" import large.raw "interrupted-$signal" >/dev/null 2>"$work/error" &
    importer=$!
    end=$((SECONDS + 20))
    until compgen -G "$XDG_DATA_HOME/tapgate/interrupted-$signal/*.part.*" >/dev/null; do
        kill -0 $importer 2>/dev/null || break
        [ "$SECONDS" -le "$end" ] || break
    done
    kill -"$signal" $importer 2>/dev/null || true
    status=0
    wait $importer || status=$?
    importer=
    if [ "$status" = 0 ]; then
        echo "# it was faster than the signal"
    elif nothing_left "interrupted-$signal"; then
        ok "SIG$signal leaves nothing"
    else
        not_ok "SIG$signal" "something is left: $(ls "$XDG_DATA_HOME/tapgate/interrupted-$signal")"
    fi
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -ge 40 ]
