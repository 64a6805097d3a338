#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `tapgate import` of each image format, and of images that are hostile, damaged, too large or
# interrupted, which must leave nothing behind.
#
# Usage: import.sh TAPGATE.
set -euo pipefail

# shellcheck source=tests/system/home.sh
source "$(dirname "${BASH_SOURCE[0]}")/home.sh"
home_begin qemu-system-x86_64 qemu-img qemu-io
importer=
# shellcheck disable=SC2317 # called by home.sh
at_end() {
    [ -z "$importer" ] || kill -KILL "$importer" 2>/dev/null || true
}
mkdir "$XDG_DATA_HOME" "$work/images"
cd "$work/images"

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
        wrong "$(cat "$work/error")"
    else
        qemu-img compare -q -f raw -F qcow2 disk.raw "$XDG_DATA_HOME/tapgate/$name/disk.qcow2" ||
            wrong "the image differs"
        "$tapgate" show "$name" >"$work/shown" || wrong "it cannot be shown"
        says "$work/shown" "^disk = $XDG_DATA_HOME/tapgate/$name/disk.qcow2,format=qcow2,bus="
    fi
    result "$name"
}

# import_refused TEXT NAME FILE OPTION...: refused with TEXT, and nothing is left.
import_refused() {
    local text=$1 name=$2 file=$3
    shift 3
    refused "$text" "$tapgate" import "$file" "$name" "$@"
    nothing_left "$name" || wrong "something is left"
    result "$name: $text"
}

# A description whose only disk is in libvirt's own store.
cat >pool.xml <<'EOT'
<domain type='kvm'><name>pool</name><memory>262144</memory><vcpu>1</vcpu><os><type machine='pc'>hvm</type></os>
<devices><disk type='volume'><source pool='default' volume='a'/><target dev='vda' bus='virtio'/></disk></devices></domain>
EOT
"$tapgate" import pool.xml --yes >/dev/null 2>"$work/error" || wrong "$(cat "$work/error")"
says "$work/error" "^tapgate: pool has no disk, and boots from nothing: before you start it, add a line"
[ "$(tail -n 1 "$work/error" | cut -d: -f2)" = " pool has no disk, and boots from nothing" ] || wrong "it is not the last"
"$tapgate" import pool.xml pool2 --yes --disk="$PWD/disk.raw" >/dev/null 2>"$work/error" || wrong "$(cat "$work/error")"
! grep -q "boots from nothing" "$work/error" || wrong "it has a disk"
"$tapgate" translate --create=diskless -- qemu-kvm -m 64 -net none >/dev/null 2>"$work/error" || wrong "$(cat "$work/error")"
says "$work/error" "^tapgate: diskless has no disk, and boots from nothing: before you start it, add a line .*/diskless.conf"
result "a VM that boots from nothing"

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
says "$XDG_CONFIG_HOME/tapgate/virtio2.conf" 'bus=virtio'
result "virtio2 is on virtio"

# --- what is refused --------------------------------------------------------------------------------

import_refused "does not tell its format" img disk.img
echo 'scsi0:0.fileName = "lab.vmdk"' >lab.vmx
import_refused "import the .vmdk" vmx lab.vmx
printf '%s\n' '.encoding = "UTF-8"' 'config.version = "8"' >nameless
import_refused "it is VMware's description of a VM: import the .vmdk" nameless nameless
: >lab.nvram
import_refused "it is what VMware's firmware remembers" nvram lab.nvram
cp disk.raw cd.iso
import_refused "\`tapgate new NAME --from=$PWD/cd.iso' makes a VM with it" cdrom cd.iso
imported iso-disk cd.iso --format=raw
refused "a VM of this name already" "$tapgate" import disk.raw raw
result "twice"
import_refused "is not a vmdk image: it looks like qcow2" wrong-format disk.qcow2 --format=vmdk
import_refused "No such file" missing none.qcow2
qemu-img create -q -f qcow2 -F qcow2 -b disk.qcow2 overlay.qcow2
import_refused "its backing file is" backing overlay.qcow2
mkdir hostile
cp disk.raw secret.raw
for extent in ../secret.raw "$work/images/secret.raw" nbd:localhost:1; do
    printf '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 16384 FLAT "%s" 0\n' \
        "$extent" >hostile/d.vmdk
    import_refused "is no file beside the descriptor" outside hostile/d.vmdk
done
ln -s ../secret.raw hostile/link.raw
sed -i 's/"nbd:.*"/"link.raw"/' hostile/d.vmdk
import_refused "is not a regular file" symlink hostile/d.vmdk
printf '# Disk DescriptorFile\nRW 16384 FLAT "none-flat.vmdk" 0\n' >hostile/e.vmdk
import_refused "extents lie beside the descriptor" extent hostile/e.vmdk
printf '# Disk DescriptorFile\nRW\n16384 FLAT "../secret.raw" 0\n' >hostile/f.vmdk
import_refused "line 2 of the descriptor" sly hostile/f.vmdk
for format in vdi vhdx qcow2 vhd; do
    head -c 300 disk.$format >truncated.$format
    import_refused "truncated.$format is damaged: " truncated-$format truncated.$format
done
head -c 70000 monolithicSparse/*.vmdk >truncated.vmdk
import_refused "truncated.vmdk is damaged: " truncated-vmdk truncated.vmdk
mkfifo fifo.raw
import_refused "neither a file nor a block device" fifo fifo.raw

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
says "$XDG_CONFIG_HOME/tapgate/ova-pax.conf" '^memory = 512M$'
result "an appliance's memory"
# With a manifest each checksum has to be right; gzip, of a member or of all, is unpacked.
(cd appliance && for file in lab.ovf lab-disk1.vmdk; do
    echo "SHA256($file)= $(sha256sum "$file" | cut -d' ' -f1)"
done) >appliance/lab.mf
imported manifest appliance/lab.ovf
tar -C appliance -cf lab-manifest.ova lab.ovf lab.mf lab-disk1.vmdk
imported ova-manifest lab-manifest.ova
sed -i 's/^SHA256/sha256/' appliance/lab.mf
imported manifest-in-small-letters appliance/lab.ovf
sed -i '2s/= ./= x/' appliance/lab.mf
import_refused "does not match the manifest" wrong-manifest appliance/lab.ovf
tar -C appliance -cf lab-wrong.ova lab.ovf lab.mf lab-disk1.vmdk
import_refused "does not match the manifest" wrong-ova lab-wrong.ova
rm appliance/lab.mf
gzip -c lab-ustar.ova >lab-whole.ova
imported ova-gzip lab-whole.ova
gzip -c appliance/lab-disk1.vmdk >appliance/packed.vmdk.gz
ovf 'ovf:href="packed.vmdk.gz" ovf:compression="gzip"' >appliance/packed.ovf
imported gzip-member appliance/packed.ovf
head -c $(($(stat -c %s appliance/packed.vmdk.gz) / 2)) appliance/packed.vmdk.gz >appliance/cut.gz
ovf 'ovf:href="cut.gz" ovf:compression="gzip"' >appliance/cut.ovf
import_refused "cannot be unpacked as gzip" cut-gzip appliance/cut.ovf
# Of several VMs, and of several configurations, the one that is wished for.
{
    ovf 'ovf:href="lab-disk1.vmdk"' | sed '/<VirtualSystem /,$d'
    cat <<EOT
  <DeploymentOptionSection><Configuration ovf:id="big"/><Configuration ovf:id="few"/></DeploymentOptionSection>
  <VirtualSystemCollection ovf:id="both">
  <VirtualSystem ovf:id="other one"><VirtualHardwareSection/></VirtualSystem>
EOT
    ovf 'ovf:href="lab-disk1.vmdk"' | sed -e '1,/<DiskSection/d' -e '/<Envelope/d' -e '/<\/Envelope/d' \
        -e 's/<Item>\(<rasd:ResourceType>3<\)/<Item ovf:configuration="few">\1/'
    echo '</VirtualSystemCollection></Envelope>'
} >appliance/two.ovf
import_refused "\`other one', \`lab'; choose one, for example with '--vm=other one'" several appliance/two.ovf
import_refused "no configuration" no-configuration appliance/two.ovf --vm=lab --configuration=many
import_refused "only appliances" no-appliance disk.raw --vm=lab
imported default-configuration appliance/two.ovf --vm=lab
! grep -q '^cpus' "$XDG_CONFIG_HOME/tapgate/default-configuration.conf" || wrong "another configuration's CPUs"
imported one-of-two appliance/two.ovf --vm=lab --configuration=few
says "$XDG_CONFIG_HOME/tapgate/one-of-two.conf" '^cpus = 2$'
result "the configuration that was wished for"
# What a vendor has to say besides does not hide what is said of the VM.
ovf 'ovf:href="lab-disk1.vmdk"' | sed "s,<VirtualSystem ,<EulaSection><License>$(printf 'all rights %.0s' {1..500})</License></EulaSection>&," \
    >appliance/license.ovf
imported license appliance/license.ovf
says "$work/error" '^tapgate: <EulaSection><License>all rights .*\.\.\.  ->  dropped: tapgate has no setting for it$'
says "$work/error" "^tapgate: notes that end in ... are complete in $XDG_CONFIG_HOME/tapgate/license.conf$"
[ "$(wc -L <"$work/error")" -lt 500 ] || wrong "a line of $(wc -L <"$work/error") characters"
[ "$(grep -o 'all rights' "$XDG_CONFIG_HOME/tapgate/license.conf" | wc -l)" = 500 ] || wrong "the file has not all of it"
result "long notes"
mkdir appliance/below
cp appliance/lab-disk1.vmdk appliance/below/
ovf 'ovf:href="./below/lab-disk1.vmdk"' >appliance/below.ovf
imported subfolder appliance/below.ovf
cp appliance/lab-disk1.vmdk 'appliance/of two words.vmdk'
ovf 'ovf:href="of%20two%20words.vmdk"' >appliance/escaped.ovf
imported escaped-name appliance/escaped.ovf
# oVirt names no format but in its own words, and its guests have no driver but virtio's.
cp disk.qcow2 appliance/volume
ovf 'ovf:href="volume"' | sed 's/fileRef="f1"/fileRef="volume" volume-format="COW" disk-interface="VirtIO"/' \
    >appliance/ovirt.ovf
imported ovirt appliance/ovirt.ovf
says "$XDG_CONFIG_HOME/tapgate/ovirt.conf" '^disk = .*bus=virtio'
result "oVirt's disk stays on virtio"
cp appliance/lab-disk1.vmdk appliance/as%20written.vmdk
ovf 'ovf:href="as%20written.vmdk"' >appliance/written.ovf
imported name-as-written appliance/written.ovf
mkdir -p packed/lab
cp appliance/lab.ovf appliance/lab-disk1.vmdk packed/lab/
for file in lab.ovf lab-disk1.vmdk; do
    echo "SHA1($file)= $(sha1sum "packed/lab/$file" | cut -d' ' -f1)" >"packed/lab/$file.mf"
done
touch packed/lab/._lab.ovf
tar -C packed -cf lab-folder.ova lab
imported all-in-a-folder lab-folder.ova
sed -i 's/= ./= x/' packed/lab/lab-disk1.vmdk.mf
tar -C packed -cf lab-second.ova lab
import_refused "does not match the manifest" second-manifest lab-second.ova
cp appliance/lab.ovf appliance/another.ovf
tar -C appliance -cf lab-several.ova lab.ovf another.ovf lab-disk1.vmdk
import_refused "several descriptors are in the archive, \`lab.ovf' and \`another.ovf': unpack it" descriptors lab-several.ova
iconv -t UTF-16 appliance/lab.ovf >appliance/utf16.ovf
import_refused "it is in UTF-16" utf-16 appliance/utf16.ovf
touch appliance/signed.cert
cp appliance/lab.ovf appliance/signed.ovf
"$tapgate" import appliance/signed.ovf signed >/dev/null 2>"$work/error" || wrong "$(cat "$work/error")"
says "$work/error" "^tapgate: its signature \(.cert\) is not checked: who has made it is not known$"
result "a signature"
# An appliance of many configurations has more to say than a VM file may be long.
for i in {1..600}; do
    printf '<Item ovf:configuration="other"><rasd:ElementName>CPUs for the configuration %s</rasd:ElementName><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>%s</rasd:VirtualQuantity></Item>\n' "$i" "$i"
done >many-items
ovf 'ovf:href="lab-disk1.vmdk"' | sed -e '/<VirtualHardwareSection>/r many-items' \
    -e 's,<DiskSection>,<DeploymentOptionSection><Configuration ovf:id="this"/><Configuration ovf:id="other"/></DeploymentOptionSection>&,' >appliance/many.ovf
imported many-notes appliance/many.ovf
says "$work/error" "^tapgate: 600 parts are for other configurations: see $XDG_CONFIG_HOME/tapgate/many-notes.conf$"
[ "$(wc -l <"$work/error")" -lt 30 ] || wrong "$(wc -l <"$work/error") lines"
result "parts for other configurations are one line"
long=$(printf 'n%.0s' {1..120}).vmdk
cp appliance/lab-disk1.vmdk "appliance/$long"
ovf "ovf:href=\"$long\"" >appliance/long.ovf
for format in gnu pax; do
    tar -C appliance --format=$format -cf long-$format.ova long.ovf "$long"
    imported long-name-$format long-$format.ova
done
# A download that broke off, unless a checksum says otherwise.
cp disk.raw appliance/short.img
truncate -s -1M appliance/short.img
ovf "ovf:href=\"short.img\" ovf:size=\"8388608\"" >appliance/short.ovf
import_refused "\`short.img' has only 7340032 bytes, and the descriptor says 8388608: most likely it was not downloaded" \
    short appliance/short.ovf
tar -C appliance -cf short.ova short.ovf short.img
import_refused "(unpack the archive for that, and import the .ovf)" short-ova short.ova
size=$(stat -c %s appliance/lab-disk1.vmdk)
said=$((size + 3000000))
ovf "ovf:href=\"lab-disk1.vmdk\" ovf:size=\"$said\"" >appliance/complete.ovf
imported short-but-complete appliance/complete.ovf
says "$work/error" "lab-disk1.vmdk of $said bytes  ->  dropped: the file has only $size bytes, but as an image"
result "a size that is not the file's"
(cd appliance && sha256sum complete.ovf lab-disk1.vmdk >complete.mf)
imported short-with-checksum appliance/complete.ovf
says "$work/error" "^tapgate: 2 checksums in its manifest are right$"
says "$work/error" "the file has only $size bytes, but its checksum in the manifest is right"
result "checksums of sha256sum"
# Less is missing than a grain.
for format in vmdk vdi; do
    qemu-img convert -f raw -O $format disk.raw appliance/full.$format
    full=$(stat -c %s appliance/full.$format)
    ovf "ovf:href=\"full.$format\" ovf:size=\"$((full + 1000))\"" >appliance/full-$format.ovf
    imported full-$format appliance/full-$format.ovf
    truncate -s -1000 appliance/full.$format
    import_refused "damaged: a part of its data is missing; the file has only $((full - 1000)) bytes" \
        cut-$format appliance/full-$format.ovf
done
head -c 40000 appliance/lab-disk1.vmdk >appliance/cut.vmdk
ovf "ovf:href=\"cut.vmdk\" ovf:size=\"$said\"" >appliance/cut-vmdk.ovf
import_refused "; the file has only 40000 bytes, and the descriptor says $said" cut-vmdk-more appliance/cut-vmdk.ovf
ovf "ovf:href=\"lab-disk1.vmdk\" ovf:size=\"$((size - 1))\"" >appliance/long-file.ovf
imported longer appliance/long-file.ovf
says "$work/error" "the file has $size bytes: it was changed after the descriptor had been written"
says "$work/error" "<VirtualSystem ovf:id='lab'>  ->  VM longer: as the command calls it"
result "a file longer than the descriptor says"
split -a 9 -d -b 20000 appliance/lab-disk1.vmdk appliance/piece.vmdk.
ovf 'ovf:href="piece.vmdk"' >appliance/piece.ovf
tar -C appliance -cf pieces.ova piece.ovf piece.vmdk.000000000 piece.vmdk.000000001
import_refused "if they are snapshots, the last one is the disk" pieces pieces.ova
import_refused "join them with cat, in their order, as \`piece.vmdk'" pieces-outside appliance/piece.ovf
# The descriptor may say that they are pieces.
size=$(stat -c %s appliance/lab-disk1.vmdk)
ovf "ovf:href=\"piece.vmdk\" ovf:chunkSize=\"20000\" ovf:size=\"$size\"" >appliance/said.ovf
imported pieces-said appliance/said.ovf
(cd appliance && tar -cf ../said.ova said.ovf piece.vmdk.0*)
imported pieces-said-ova said.ova
[ -z "$(find "$XDG_DATA_HOME" -name '.import.*')" ] || wrong "the joined pieces are still there"
result "the joined pieces are gone"
last=$(find appliance -name 'piece.vmdk.0*' | sort | tail -n 1)
mv "$last" last
import_refused "one is missing (\`$(basename "$last")' would be the next), or damaged" piece-missing appliance/said.ovf
mv last "$last"
ovf 'ovf:href="piece.vmdk" ovf:chunkSize="19999"' >appliance/small.ovf
import_refused "is in pieces of 19999 bytes, and one of those is larger: \`piece.vmdk.000000000'" piece-larger appliance/small.ovf
truncate -s 100 appliance/piece.vmdk.000000000
import_refused "and one of those before \`piece.vmdk.000000001' is smaller" piece-smaller appliance/said.ovf
split -a 9 -d -b 20000 appliance/lab-disk1.vmdk appliance/piece.vmdk.
cat appliance/piece.vmdk.00000000* >appliance/piece.vmdk
imported pieces-joined appliance/piece.ovf
cp appliance/lab-disk1.vmdk appliance/whole.vmdk.000000000
ovf 'ovf:href="whole.vmdk" ovf:chunkSize="2000000000"' >appliance/whole.ovf
imported one-piece appliance/whole.ovf
tar -C appliance -cf one-piece.ova whole.ovf whole.vmdk.000000000
imported one-piece-ova one-piece.ova
ovf 'ovf:href="none.vmdk"' >appliance/none.ovf
import_refused "No such file" missing appliance/none.ovf
# A disk has the room that the appliance gives it.
ovf 'ovf:href="lab-disk1.vmdk"' | sed 's/capacity="8388608"/capacity="20" ovf:capacityAllocationUnits="byte * 2^30"/' \
    >appliance/larger.ovf
imported larger appliance/larger.ovf
says "$work/error" '^tapgate: lab-disk1.vmdk  ->  a disk of 20480 MiB: as large as .*; the file has 8 MiB$'
says "$XDG_CONFIG_HOME/tapgate/larger.conf" '# .*a disk of 20480 MiB'
qemu-img info "$XDG_DATA_HOME/tapgate/larger/disk.qcow2" | grep -q '(21474836480 bytes)' || wrong "it is as large as its file"
result "a disk that is larger than its file"
ovf 'ovf:href="lab-disk1.vmdk"' | sed 's/capacity="8388608"/capacity="4194304"/' >appliance/smaller.ovf
imported smaller appliance/smaller.ovf
says "$work/error" '^tapgate: lab-disk1.vmdk  ->  a disk of 8 MiB: as large as the file is; the appliance says 4 MiB$'
result "a disk that is smaller than its file"
# Some name the file by the disk's id only: the guest gets its disk, and no blank one.
ovf 'ovf:href="lab-disk1.vmdk"' | sed -e 's/id="f1"/id="d1"/' -e 's/ ovf:fileRef="f1"//' >appliance/by-id.ovf
imported file-of-the-disks-id appliance/by-id.ovf
# A number that the appliance leaves open, and the command says.
# shellcheck disable=SC2016 # the appliance's own
ovf 'ovf:href="lab-disk1.vmdk"' | sed -e 's/>2</>${cpus}</' -e 's/>512</>${mib}</' >appliance/open.ovf
import_refused "or use --cpus=N" open appliance/open.ovf --memory=256M
imported said-with-the-command appliance/open.ovf --memory=256M --cpus=3
says "$XDG_CONFIG_HOME/tapgate/said-with-the-command.conf" '^cpus = 3$'
# What a file is, where its name does not say it, or says it in capitals.
gzip -c lab-ustar.ova >lab.tar.gz
imported tar-gz lab.tar.gz
cp lab-gnu.ova lab-archive
imported archive-by-content lab-archive
mkdir capitals
cp appliance/lab-disk1.vmdk capitals/
cp appliance/lab.ovf capitals/LAB.OVF
imported capitals capitals/LAB.OVF
{ echo '<!-- <domain> -->' && sed 1d appliance/lab.ovf; } >capitals/lab-descriptor
imported descriptor-by-content capitals/lab-descriptor
echo "SHA256(LAB.OVF)= $(sha256sum appliance/packed.ovf | cut -d' ' -f1)" >capitals/LAB.MF
import_refused "does not match the manifest" manifest-in-capitals capitals/LAB.OVF
# The name comes first: checksums of large disks take minutes.
[ ! -e "$XDG_CONFIG_HOME/tapgate/lab.conf" ] || wrong "there is a VM lab"
: >"$XDG_CONFIG_HOME/tapgate/lab.conf"
refused "lab.conf: there is a VM of this name already" "$tapgate" import capitals/LAB.OVF
rm "$XDG_CONFIG_HOME/tapgate/lab.conf"
result "a name that is taken, before the checksums"
tar -C capitals -cf LAB.OVA LAB.OVF LAB.MF lab-disk1.vmdk
import_refused "does not match the manifest" ova-in-capitals LAB.OVA
gzip -c disk.raw >disk.gz
import_refused "disk.gz is compressed; unpack it" gzip-of-no-archive disk.gz
cp disk.raw odd
import_refused "the name of $PWD/odd does not tell its format" no-format odd
"$tapgate" import lab-archive looks-so --format=raw >/dev/null 2>&1 || wrong "it is not imported"
qemu-img compare -q -f raw -F qcow2 lab-archive "$XDG_DATA_HOME/tapgate/looks-so/disk.qcow2" ||
    wrong "the image differs"
result "an image that begins as an archive does"
printf '\3757zXZ\0\0\4' >lab-xz.ova # how such a file begins
import_refused "packed with xz: unpack it" xz lab-xz.ova
ln -s "$work/images" appliance/out
ovf 'ovf:href="out/disk.raw"' >appliance/out.ovf
import_refused "leads out of the appliance's directory: put the file beside the descriptor" link-out appliance/out.ovf
[ -z "$(find "$XDG_DATA_HOME" -name '.import.*')" ] || wrong "what was unpacked is still there"
result "what was unpacked is gone"
cp disk.raw evil.vmdk
ovf 'ovf:href="../evil.vmdk"' >appliance/evil.ovf
import_refused "not a file beside the descriptor: put it there" traversal appliance/evil.ovf
tar -C appliance --transform 's,^,../,' -P -cf evil.ova lab.ovf lab-disk1.vmdk
import_refused "is not in the archive" traversal-ova evil.ova
head -c 20000 lab-ustar.ova >cut.ova
import_refused "cut off" cut-ova cut.ova
cp disk.qcow2 none.ova
import_refused "none.ova: not a tar archive" no-tar none.ova
cat >domain.xml <<EOT
<domain type='kvm'><name>old</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='file' device='disk'><driver type='qcow2'/><source file='$PWD/disk.qcow2'/><target bus='ide'/></disk>
<interface type='user'/></devices></domain>
EOT
cp domain.xml DOMAIN.XML
cp domain.xml domain
for file in domain.xml DOMAIN.XML domain; do
    "$tapgate" delete old --yes >/dev/null 2>&1 || true
    "$tapgate" import "$file" old --yes >/dev/null 2>"$work/error" || wrong "$file: $(cat "$work/error")"
done
if [ -z "$problem" ]; then
    says "$XDG_CONFIG_HOME/tapgate/old.conf" "^disk = $PWD/disk.qcow2,format=qcow2,bus=ide$"
    [ -e disk.qcow2 ] || wrong "its disk is gone"
    [ ! -e "$XDG_DATA_HOME/tapgate/old" ] || wrong "its disk was copied"
else
    wrong "$(cat "$work/error")"
fi
result "domain"
sed "s,<driver type='qcow2'/>,," domain.xml >probed.xml
"$tapgate" import probed.xml probed --yes >/dev/null 2>"$work/error" || wrong "$(cat "$work/error")"
says "$work/error" "looks like qcow2, which libvirt took it for"
sed "s,$PWD/disk.qcow2,$PWD/disk.raw," probed.xml >raw.xml
"$tapgate" import raw.xml as-said --yes >/dev/null 2>"$work/error" || wrong "$(cat "$work/error")"
! grep -q "looks like" "$work/error" || wrong "a raw image looks like: $(cat "$work/error")"
result "domain-without-format"
{
    echo '<!DOCTYPE d [<!ENTITY a "ha">'
    for i in {b..j}; do echo "<!ENTITY $i \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"; done
    echo ']><domain type="kvm"><name>&j;</name></domain>'
} >laughs.xml
import_refused "DOCTYPE" laughs laughs.xml

# --- no room, and an interruption ----------------------------------------------------------------------

if unshare --user --map-root-user --mount true 2>/dev/null; then
    mkdir -p "$XDG_DATA_HOME/tapgate"
    # shellcheck disable=SC2016 # the inner shell's
    full=$(unshare --user --map-root-user --mount sh -c '
        mount -t tmpfs -o size=1M none "$XDG_DATA_HOME/tapgate" && ! "$1" import disk.raw full 2>&1 &&
            [ -z "$(ls "$XDG_DATA_HOME/tapgate")" ]' sh "$tapgate") || full="$full (it did not fail, or left something)"
    [[ $full == *"MiB needed, "*" MiB free" ]] || wrong "$full"
    result "no room: $full"
else
    not_here "no room" "no user namespaces"
fi
# A disk that is full after all: no file may grow beyond 512 KiB.
if (ulimit -f 512 && exec "$tapgate" import disk.raw full >/dev/null 2>"$work/error"); then
    wrong "it was taken"
fi
nothing_left full || wrong "something is left"
says "$work/error" 'File too large'
result "a write that fails: $(tail -n 1 "$work/error")"
# Slow enough to be met half way: much data, and a throttle is not at hand.
truncate -s 512M large.raw
for i in {0..127}; do
    printf 'x%s' "$i" | dd of=large.raw bs=1M seek=$((i * 4)) conv=notrunc status=none
done
for signal in INT TERM HUP; do
    "$tapgate" import large.raw "interrupted-$signal" >/dev/null 2>"$work/error" &
    importer=$!
    read_uptime
    end=$((uptime + 20))
    until compgen -G "$XDG_DATA_HOME/tapgate/interrupted-$signal/*.part.*" >/dev/null; do
        kill -0 $importer 2>/dev/null || break
        read_uptime
        [ "$uptime" -le "$end" ] || break
    done
    kill -"$signal" $importer 2>/dev/null || true
    status=0
    wait $importer || status=$?
    importer=
    if [ "$status" = 0 ] || [ -e "$XDG_CONFIG_HOME/tapgate/interrupted-$signal.conf" ]; then
        echo "# it was faster than the signal: the VM is there, whole"
        continue
    fi
    [ "$status" = $((128 + $(kill -l "$signal"))) ] || wrong "SIG$signal ends it with $status"
    nothing_left "interrupted-$signal" ||
        wrong "something is left: $(ls "$XDG_DATA_HOME/tapgate/interrupted-$signal")"
    result "SIG$signal leaves nothing"
done

[ "$passed" -ge 40 ] || die "only $passed results"
summary
