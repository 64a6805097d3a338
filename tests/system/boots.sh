#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest boots from the same disk as before: boot sectors print on the serial line which disk they are
# on, in VMs that tapgate makes from old command lines and a libvirt domain. And disks that are block
# devices: what boots, and what is refused. That part needs root, for loop devices.
#
# Usage: boots.sh TAPGATE.
set -euo pipefail

# shellcheck source=tests/system/home.sh
source "$(dirname "${BASH_SOURCE[0]}")/home.sh"
home_begin qemu-system-x86_64 qemu-img
vm='' loop=''
# shellcheck disable=SC2317 # called by home.sh
at_end() {
    [ -z "$vm" ] || kill "$vm" 2>/dev/null || true
    [ -z "$loop" ] || losetup -d "$loop" || true
}
mkdir "$XDG_CONFIG_HOME" "$XDG_DATA_HOME" "$work/images"
cd "$work/images"
export TAPGATE_ACCEL=tcg TAPGATE_MEMORY=64M

# A boot sector: its letter goes to the serial line (0x3f8), framed, and the CPU stops.
sector() { # LETTER FILE
    local code='\xba\xf8\x03' c
    for c in '<' "$1" '>'; do
        code+=$(printf '\\xb0\\x%02x\\xee' "'$c")
    done
    truncate -s 1440K "$2"
    printf '%b' "$code"'\xfa\xf4\xeb\xfd' | dd of="$2" conv=notrunc status=none
    printf '\x55\xaa' | dd of="$2" bs=1 seek=510 conv=notrunc status=none
}
sector A a.raw
sector B b.raw
sector F floppy.raw

# boots WHAT LETTER: the VM `lab' comes to the boot sector with this letter.
boots() {
    local uptime end log=$XDG_RUNTIME_DIR/tapgate/lab/console.log got=
    read_uptime
    end=$((uptime + 60))
    rm -f "$log"
    "$tapgate" run lab >"$work/out" 2>&1 </dev/null &
    vm=$!
    while [ "$uptime" -le "$end" ] && kill -0 "$vm" 2>/dev/null; do
        got=$(grep -aoE '<[A-Z]>' "$log" 2>/dev/null | head -1) && break
        sleep 0.2
        read_uptime
    done
    "$tapgate" kill lab >/dev/null 2>&1 || kill "$vm" 2>/dev/null || true
    wait "$vm" 2>/dev/null || true
    vm=
    [ "$got" = "<$2>" ] || wrong "got '$got': $(tail -5 "$work/out")"
    result "$1"
}

# translated WHAT LETTER QEMU-ARGUMENT...
translated() {
    local what=$1 letter=$2
    shift 2
    rm -f "$XDG_CONFIG_HOME/tapgate/lab.conf"
    if "$tapgate" translate --create=lab -- qemu-system-x86_64 -net none -display none "$@" >/dev/null 2>"$work/error"; then
        boots "$what" "$letter"
    else
        not_ok "$what" "$(cat "$work/error")"
    fi
}

translated "the first of two disks" A -hda a.raw -hdb b.raw
translated "drives by index" B -drive file=a.raw,format=raw,index=1 -drive file=b.raw,format=raw,index=0
translated "bootindex" B -drive file=a.raw,format=raw,if=none,id=x -device virtio-blk-pci,drive=x,bootindex=2 \
    -drive file=b.raw,format=raw,if=none,id=y -device virtio-blk-pci,drive=y,bootindex=1
translated "drives by the port that they are on" B -M q35 -drive file=a.raw,format=raw,if=none,id=x \
    -device ide-hd,bus=ide.2,drive=x -drive file=b.raw,format=raw,if=none,id=y -device ide-hd,bus=ide.0,drive=y
translated "devices in another order than their drives" B -drive file=a.raw,format=raw,if=none,id=x \
    -drive file=b.raw,format=raw,if=none,id=y -device virtio-blk-pci,drive=y -device virtio-blk-pci,drive=x
translated "a device before the drives that QEMU makes one for" B -drive file=a.raw,format=raw,if=virtio \
    -drive file=b.raw,format=raw,if=none,id=x -device virtio-blk-pci,drive=x
translated "the board's own IDE drive before a device" B -drive file=a.raw,format=raw,if=none,id=x \
    -device ide-hd,drive=x -drive file=b.raw,format=raw
translated "an NVMe disk, which a BIOS finds last" B -M q35 -drive file=a.raw,format=raw,if=none,id=x \
    -device nvme,serial=1,drive=x -drive file=b.raw,format=raw,if=virtio
translated "a kept drive, first" B -drive file=a.raw,format=raw,if=none,id=x \
    -device virtio-blk-pci,drive=x,bootindex=2 -drive file=b.raw,format=raw,if=none,id=y,snapshot=on \
    -device virtio-blk-pci,drive=y,bootindex=1
translated "a kept drive, second" A -drive file=a.raw,format=raw,if=none,id=x \
    -device virtio-blk-pci,drive=x,bootindex=1 -drive file=b.raw,format=raw,if=none,id=y,snapshot=on \
    -device virtio-blk-pci,drive=y,bootindex=2
translated "a disk on USB" B -hda a.raw -drive file=b.raw,format=raw,if=none,id=y -usb \
    -device usb-storage,drive=y,bootindex=0
translated "a floppy" F -hda a.raw -fda floppy.raw -boot a
translated "a disk, and a floppy that is in" A -hda a.raw -fda floppy.raw
# node LETTER NUMBER: a disk's nodes as Proxmox has them, with a throttle that limits nothing.
node() {
    local file="{\"driver\":\"file\",\"filename\":\"$PWD/$1.raw\",\"node-name\":\"e$2\"}"
    echo "{\"driver\":\"throttle\",\"file\":{\"driver\":\"raw\",\"file\":$file,\"node-name\":\"f$2\"},\"node-name\":\"drive-scsi$2\",\"throttle-group\":\"t$2\"}"
}
of_proxmox=(-id 100 -nodefaults -boot "menu=on,strict=on,reboot-timeout=1000" -device "lsi,id=scsihw0,bus=pci.0,addr=0x5"
    -object '{"id":"t0","limits":{},"qom-type":"throttle-group"}' -object '{"id":"t1","limits":{},"qom-type":"throttle-group"}'
    -blockdev "$(node a 0)" -blockdev "$(node b 1)" -machine type=pc+pve0)
translated "Proxmox' disks, of which the second is first" B "${of_proxmox[@]}" \
    -device "scsi-hd,bus=scsihw0.0,scsi-id=0,drive=drive-scsi0,id=scsi0,device_id=drive-scsi0,bootindex=101" \
    -device "scsi-hd,bus=scsihw0.0,scsi-id=1,drive=drive-scsi1,id=scsi1,device_id=drive-scsi1,bootindex=100"
translated "Proxmox' disks, of which the second is an SSD and the only one to boot from" B "${of_proxmox[@]}" \
    -device "scsi-hd,bus=scsihw0.0,scsi-id=0,drive=drive-scsi0,id=scsi0,rotation_rate=1" \
    -device "scsi-hd,bus=scsihw0.0,scsi-id=1,drive=drive-scsi1,id=scsi1,rotation_rate=1,bootindex=100"
says "$XDG_CONFIG_HOME/tapgate/lab.conf" "^disk = .*/b.raw,.*,ssd=on"
result "it is described as an SSD"
cat >qemu.cfg <<EOT
[memory]
  size = "96"
[drive "d"]
  file = "$PWD/b.raw"
  if = "none"
  format = "raw"
[device "v"]
  driver = "virtio-blk-pci"
  drive = "d"
  bootindex = "1"
EOT
translated "a configuration file of QEMU's" B -M q35 -readconfig qemu.cfg
says "$XDG_CONFIG_HOME/tapgate/lab.conf" '^memory = 96M$'
result "its memory"
translated "an option that nobody knows" A -id 100 -hda a.raw

domain() { # WHAT LETTER DISKS
    rm -f "$XDG_CONFIG_HOME/tapgate/lab.conf"
    cat >lab.xml <<EOT
<domain type='kvm'><name>lab</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type>${4:-}</os><features><acpi/></features><devices>$3</devices></domain>
EOT
    if "$tapgate" import lab.xml lab --yes >/dev/null 2>"$work/error"; then
        boots "$1" "$2"
    else
        not_ok "$1" "$(cat "$work/error")"
    fi
}
disk() { # PATH TARGET MORE
    echo "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$PWD/$1'/><target dev='$2' bus='virtio'/>${3:-}</disk>"
}
domain "<boot order>" B "$(disk a.raw vda "<boot order='2'/>")$(disk b.raw vdb "<boot order='1'/>")"
domain "<boot dev='hd'>" A "$(disk b.raw vdb)$(disk a.raw vda)" "<boot dev='hd'/>"
domain "a kept disk with <boot order>" B \
    "$(disk a.raw vda "<boot order='2'/>")$(disk b.raw vdb "<boot order='1'/><shareable/>")"

# An appliance with a disk on IDE, as Windows XP needs it: a BIOS comes to that first.
for letter in a b; do
    qemu-img convert -f raw -O vmdk $letter.raw $letter.vmdk
done
appliance_disk() { # ID CONTROLLER
    echo "<Item><rasd:HostResource>ovf:/disk/$1</rasd:HostResource><rasd:Parent>$2</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>"
}
cat >lab.ovf <<EOT
<Envelope xmlns:ovf="o" xmlns:rasd="r"><References><File ovf:id="a" ovf:href="a.vmdk"/><File ovf:id="b" ovf:href="b.vmdk"/></References>
<DiskSection><Disk ovf:diskId="a" ovf:fileRef="a"/><Disk ovf:diskId="b" ovf:fileRef="b"/></DiskSection>
<VirtualSystem ovf:id="lab"><VirtualHardwareSection>
<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>5</rasd:ResourceType></Item>
<Item><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceSubType>AHCI</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></Item>
$(appliance_disk a 2)$(appliance_disk b 1)</VirtualHardwareSection></VirtualSystem></Envelope>
EOT
rm -f "$XDG_CONFIG_HOME/tapgate/lab.conf"
"$tapgate" import lab.ovf lab >/dev/null 2>"$work/error" || wrong "$(cat "$work/error")"
says "$XDG_CONFIG_HOME/tapgate/lab.conf" '^machine = pc-i440fx'
says "$XDG_CONFIG_HOME/tapgate/lab.conf" '^disk = .*bus=ide'
says "$XDG_CONFIG_HOME/tapgate/lab.conf" '^disk = .*bus=sata'
boots "an appliance's disk on IDE" B
rm -r "$XDG_DATA_HOME/tapgate/lab"

if [ "$(id -u)" != 0 ] || ! loop=$(losetup --find --show b.raw 2>/dev/null); then
    loop=
    [ "${MUST_WORK:-0}" = 0 ] || die "no loop devices, and MUST_WORK=1"
    echo "without loop devices: block devices are not tried"
    summary
fi
translated "a block device of a command line" B -drive "file=$loop,format=raw,if=virtio"
translated "a block device that is kept" B -drive "file=$loop,format=raw,if=none,id=x,snapshot=on" \
    -device virtio-blk-pci,drive=x,bootindex=3 -drive file=a.raw,format=raw,if=none,id=y \
    -device virtio-blk-pci,drive=y,bootindex=9
domain "a block device of a domain" B \
    "<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='$loop'/><target dev='vda' bus='virtio'/></disk>"
"$tapgate" argv lab >"$work/out"
says "$work/out" '"driver":"host_device"'
result "its driver is host_device"
"$tapgate" doctor lab >"$work/out" 2>&1 || true
says "$work/out" "$loop: a block device, free"
result "doctor knows it"
refused lvextend "$tapgate" resize lab 1G
result "a device is not made larger"

truncate -s 8M fs.raw
losetup -d "$loop"
loop=$(losetup --find --show fs.raw)
mkfs.ext4 -q "$loop"
mkdir mounted
sed -i "s:^disk = /dev/loop[0-9]*:disk = $loop:" "$XDG_CONFIG_HOME/tapgate/lab.conf"
with_mount() { # COMMAND...: in a mount namespace in which the device is mounted
    # shellcheck disable=SC2016,SC2317 # its own arguments; refused calls it
    unshare -m bash -c 'mount "$0" mounted && exec "$@"' "$loop" "$@"
}
refused "is in use by this host, mounted on" with_mount "$tapgate" run lab
result "a device that is mounted is refused"
refused "is in use by this host" with_mount "$tapgate" doctor lab
result "doctor says so"

summary
