#!/bin/bash
# attach and detach: disks, CDs and adapters of a running VM, with a real QEMU and a Linux guest that
# reports what it sees, on q35 and pc; what cannot be attached leaves nothing behind; what is written to
# the VM's file. And `events`, which follows all that.
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher guest -- busybox python3 ss
lab_bridge br0 192.0.2.1/24
lab_bridge br-no 198.51.100.1/24
lab_policy 'allow br0 queues=2'
lab_install "$helper" setuid

# --- the guest ----------------------------------------------------------------------------------

# What it sees of its PCI bus, a line whenever that changes; and its new adapter pings the bridge.
root=$LAB/root
mkdir -p "$root/test" "$root/host-modules"
: >"$root/host-modules/order"
cat >"$root/test/run" <<'EOT'
#!/bin/sh
last=
while :; do
    disks=0 nics=0
    for device in /sys/bus/pci/devices/*; do
        read -r class 2>/dev/null <"$device/class" || continue
        case $class in
        0x0100*) disks=$((disks + 1)) ;;
        0x0200*) nics=$((nics + 1)) ;;
        esac
    done
    if [ "$disks/$nics" != "$last" ]; then
        last=$disks/$nics
        echo "SEES disks=$disks nics=$nics"
    fi
    if [ "$nics" = 1 ] && [ -e /sys/class/net/eth0 ] && [ -z "${up:-}" ]; then
        up=1
        ip addr add 192.0.2.11/24 dev eth0
        ip link set eth0 up
        ping -c 3 -i 0.2 192.0.2.1 >/dev/null && echo "PINGS from $(cat /sys/class/net/eth0/address)"
    fi
    [ "$nics" != 0 ] || up=
    sleep 0.3
done
EOT
chmod 0755 "$root/test/run"
(cd "$root" && find . | busybox cpio -o -H newc -R 0:0) >$LAB/test.cpio 2>/dev/null
cat "$GUEST_DIR/initramfs.cpio" $LAB/test.cpio >$LAB/guest.cpio
chmod 0644 $LAB/guest.cpio
guest=(--kernel="$GUEST_DIR/kernel" --initrd="$LAB/guest.cpio" --memory=128M --accel=tcg --net=none
    --append="$GUEST_KERNEL")

# --- words of this test -------------------------------------------------------------------------

qmp() { # NAME COMMAND [ARGUMENTS]: the answer, as JSON
    (lab_exec /usr/bin/python3 - "$state/$1/qmp.sock" "$2" "${3:-null}") <<'EOT'
import json, socket, sys
qmp = socket.socket(socket.AF_UNIX)
qmp.connect(sys.argv[1])
stream = qmp.makefile("rw")
stream.readline()
for command, arguments in (("qmp_capabilities", None), (sys.argv[2], json.loads(sys.argv[3]))):
    stream.write(json.dumps({"execute": command, **({"arguments": arguments} if arguments else {})}) + "\n")
    stream.flush()
    while "event" in (answer := json.loads(stream.readline())): pass
print(json.dumps(answer))
EOT
}
# parts NAME: all that attaching makes in QEMU: devices, nodes, netdevs, taps; and its descriptors.
parts() {
    local pid
    pid=$(field "$1" process)
    qmp "$1" qom-list '{"path": "/machine/peripheral"}' | (grep -o '"name": "[a-z0-9]*"' || true) | sort
    qmp "$1" query-named-block-nodes '{"flat": true}' | (grep -o '"node-name": "[^"]*"' || true) | sort
    qmp "$1" human-monitor-command '{"command-line": "info network"}'
    find "/proc/$pid/fd" -lname '*tun' | wc -l
    find "/proc/$pid/fd" -lname '*vhost-net' | wc -l
    find "/proc/$pid/fd" -lname '*.qcow2' | wc -l
}
portless() { # BRIDGE
    [ -z "$(lab_ports "$1")" ]
}
# no_port BRIDGE WHAT: the kernel takes a contained tap's port away a moment after its last descriptor.
no_port() {
    lab_poll 5 portless "$1" || wrong "$2 leaves a port on $1"
}
image() { # FILE
    (lab_exec qemu-img create -q -f qcow2 "$1" 16M)
}
# unchanged NAME WHAT: nothing that the steps since `parts NAME >$LAB/log/parts` left.
unchanged() {
    no_port br0 "$2"
    parts "$1" >$LAB/log/parts.now
    cmp -s $LAB/log/parts $LAB/log/parts.now ||
        wrong "$2 leaves: $(diff $LAB/log/parts $LAB/log/parts.now)"
}
boots() { # NAME: and sees nothing yet
    guest_says "$1" '^SEES disks=0 nics=0'
}
last_seen() { # NAME WHAT
    [ "$(tr -d '\r' <"$state/$1/console.log" | grep -a '^SEES' | tail -n 1)" = "SEES $2" ]
}
sees() { # NAME WHAT
    lab_poll "$boot_limit" last_seen "$1" "$2" || wrong "the guest of $1 does not see $2"
}

# --- disks --------------------------------------------------------------------------------------

image one.qcow2
image two.qcow2
for machine in q35 pc; do
    did 0 create $machine "${guest[@]}" --machine=$machine
    did 0 start $machine --helper="$LAB_HELPER"
    boots $machine
    parts $machine >$LAB/log/parts
    did 0 attach $machine disk=one.qcow2
    says "$out" "^$machine has disk0$"
    sees $machine 'disks=1 nics=0'
    did 0 show $machine
    ! grep -q one.qcow2 "$out" || wrong "without --save it is in the VM's file"
    # What it has, and what others have.
    tg_refused "one.qcow2 is disk0 of $machine already" attach $machine disk=one.qcow2
    ln -f $LAB/home/one.qcow2 $LAB/home/same.qcow2
    tg_refused "is disk0 of $machine already" attach $machine disk=same.qcow2,readonly=on
    did 0 detach $machine disk0
    sees $machine 'disks=0 nics=0'
    unchanged $machine "attach and detach of a disk"
    # By its file; and again, at the place that is free again.
    did 0 attach $machine disk=one.qcow2
    did 0 detach $machine one.qcow2
    unchanged $machine "detach by the file's name"
    result "a disk comes and goes on $machine"

    did 0 attach $machine net=bridge:br0
    says "$out" "^$machine has nic0$"
    sees $machine 'disks=0 nics=1'
    guest_says $machine "^PINGS from $(mac_of $machine)"
    alias=$(cat "/sys/class/net/$(lab_ports br0)/ifalias" || true)
    [ "$alias" = "tapgate uid=$LAB_UID vm=$machine mac=$(mac_of $machine)" ] ||
        wrong "the port's alias is '$alias'"
    tg_refused "nic0 of $machine has the address $(mac_of $machine) already" attach $machine "net=bridge:br0,mac=$(mac_of $machine)"
    did 0 detach $machine nic0
    sees $machine 'disks=0 nics=0'
    unchanged $machine "attach and detach of an adapter"
    [ -z "$(mac_of $machine)" ] || wrong "status still has the adapter"
    did 0 attach $machine net=bridge:br0,queues=2
    did 0 detach $machine nic0
    unchanged $machine "attach and detach of an adapter with two queues"
    did 0 attach $machine net=user,hostfwd=tcp::0-:22
    did 0 ip $machine
    says "$out" '127.0.0.1'
    did 0 detach $machine nic0
    unchanged $machine "attach and detach of an adapter behind QEMU's NAT"
    result "an adapter comes, pings the bridge, and goes on $machine"
done

# --- what cannot be ------------------------------------------------------------------------------

parts q35 >$LAB/log/parts
did 0 attach pc disk=one.qcow2
tg_refused 'one.qcow2 is in use, by the VM pc' attach q35 disk=one.qcow2
did 0 detach pc disk0
did 3 attach q35 net=bridge:br-no
says "$err" 'no tap on br-no from tapgate-helper: access denied'
no_port br-no "a refused adapter"
tg_refused 'nothing.qcow2: there is no such image' attach q35 disk=nothing.qcow2
tg_refused 'nothing: there is no such image' attach q35 disk=nothing,bus=virtio
printf 'no image' >$LAB/home/bad.qcow2
chown "$LAB_UID" $LAB/home/bad.qcow2
tg_refused 'bad.qcow2 is no qcow2 image' attach q35 disk=bad.qcow2
tg_refused 'cannot be plugged in while q35 runs; bus=virtio' attach q35 disk=one.qcow2,bus=sata
tg_refused 'started without a SCSI controller' attach q35 disk=one.qcow2,bus=scsi
for i in 0 1 2 3; do
    image spare$i.qcow2
    did 0 attach q35 disk=spare$i.qcow2
done
parts q35 >$LAB/log/full
tg_refused 'all 4 free places of q35 are taken; take something out with tapgate detach' attach q35 disk=one.qcow2
tg_refused 'all 4 free places of q35 are taken' attach q35 net=bridge:br0
no_port br0 "an adapter without a place"
parts q35 | cmp -s - $LAB/log/full || wrong "an attach without a place leaves: $(parts q35 | diff $LAB/log/full -)"
for i in 3 1 2 0; do
    did 0 detach q35 disk$i
done
unchanged q35 "what cannot be attached"
did 2 attach q35 memory=2G
says "$err" 'what can be attached is disk=FILE, cdrom=FILE or net=bridge:NAME'
did 2 attach q35 disk
says "$err" 'a value is missing: disk='
tg_refused "q35 has no \`disk7'; it has neither disks nor adapters" detach q35 disk7
tg_refused 'started without a CD-ROM drive; give it one with: tapgate set q35 cdrom=' attach q35 cdrom=one.qcow2
tg_refused 'no VM is called q36 (did you mean' attach q36 disk=one.qcow2
result "what cannot be attached says why, and leaves nothing"

# A name that QEMU has already: of the netdev, and of the disk's image.
parts q35 >$LAB/log/parts
qmp q35 netdev_add '{"type": "user", "id": "net0"}' >/dev/null
tg_refused 'QEMU refuses netdev_add' attach q35 net=bridge:br0
no_port br0 "an adapter that QEMU refuses"
unchanged q35 "an attach that QEMU refuses"
qmp q35 blockdev-add '{"driver": "null-co", "node-name": "disk0-image"}' >/dev/null
tg_refused 'QEMU refuses blockdev-add' attach q35 disk=one.qcow2
# What was there under that name went with it: it is nobody's but a detach that gave up.
unchanged q35 "a disk that QEMU refuses"
result "what QEMU refuses in the middle leaves nothing"

# --- --save --------------------------------------------------------------------------------------

parts q35 >$LAB/log/parts
chmod 0500 "$config"
tg_refused 'q35.conf: Permission denied' attach q35 disk=one.qcow2 --save
tg_refused 'q35.conf: Permission denied' attach q35 net=bridge:br0 --save
chmod 0700 "$config"
unchanged q35 "a file that cannot be written"
did 0 status q35
! grep -q '^network' "$out" || wrong "status has an adapter that is not there"
did 0 attach q35 disk=one.qcow2 --save
parts q35 >$LAB/log/parts
chmod 0500 "$config"
tg_refused 'q35.conf: Permission denied' detach q35 one.qcow2 --save
chmod 0700 "$config"
unchanged q35 "a file that cannot be written"
did 0 detach q35 one.qcow2
did 0 attach q35 disk=one.qcow2 --save
[ "$(grep -c one.qcow2 "$config/q35.conf")" = 1 ] || wrong "the file has the disk twice"
did 0 detach q35 one.qcow2 --save
result "--save: both, or neither; and once"

did 0 attach q35 disk=one.qcow2 --save
did 0 attach q35 net=bridge:br0 --save
mac=$(mac_of q35)
did 0 show q35
says "$out" "disk = $LAB/home/one.qcow2"
says "$out" "net = bridge:br0,mac=$mac"
did 0 detach q35 nic0
did 0 detach q35 disk0 --save
tg_refused "q35 has no \`nic0'" detach q35 nic0 --save
did 0 show q35
! grep -q "one.qcow2" "$out" || wrong "detach --save leaves the disk in the VM's file"
says "$out" "net = bridge:br0,mac=$mac"
did 0 kill q35
did 0 start q35 --helper="$LAB_HELPER"
[ "$(mac_of q35)" = "$mac" ] || wrong "the adapter that was saved has another address: $(mac_of q35)"
sees q35 'disks=0 nics=1'
did 0 detach q35 nic0 --save
did 0 show q35
! grep -q "$mac" "$out" || wrong "detach --save leaves the adapter in the VM's file"
result "--save: in the VM's file, and out of it"

# --- the guest says no -----------------------------------------------------------------------------

# One that stands still cannot let go; what is asked is done when it goes on.
did 0 attach pc disk=two.qcow2
sees pc 'disks=1 nics=0'
did 0 pause pc
tg_refused 'has not let go of disk0 within 1 s' detach pc disk0 --timeout=1
did 0 resume pc
sees pc 'disks=0 nics=0'
qmp pc query-named-block-nodes '{"flat": true}' | matches disk0-image || wrong "the image went before the disk"
did 0 detach pc disk0
! qmp pc query-named-block-nodes '{"flat": true}' | matches disk0-image || wrong "the image is left"
(lab_exec qemu-img info two.qcow2) >/dev/null 2>"$err" || wrong "two.qcow2 is still locked: $(cat "$err")"
result "a guest that does not let go: said, and finished by a second detach"

# --- CDs --------------------------------------------------------------------------------------------

did 0 kill pc
truncate -s 1M $LAB/home/one.iso $LAB/home/two.iso
chown "$LAB_UID" $LAB/home/one.iso $LAB/home/two.iso
did 0 set pc cdrom=one.iso
did 0 start pc
tg_refused 'one.iso is cdrom0 of pc already' attach pc cdrom=one.iso
did 0 attach pc cdrom=two.iso --save
says "$out" '^pc has cdrom0$'
did 0 show pc
says "$out" "cdrom = $LAB/home/two.iso"
did 0 detach pc cdrom
tg_refused 'there is no CD in the drive of pc' detach pc cdrom0
tg_refused 'nothing.iso: No such file' attach pc cdrom=nothing.iso
did 0 kill pc
did 0 kill q35
result "a CD comes and goes"

# --- events -----------------------------------------------------------------------------------------

did 0 start pc
(lab_exec "$tapgate" events) </dev/null >$LAB/log/events 2>$LAB/log/events.err &
all=$!
evidence+=("$LAB/log/events" "$LAB/log/events.err" "$LAB/log/events.json")
told() { # FILE REGEX
    grep -Eq -- "$2" "$1"
}
tells() { # REGEX
    lab_poll 10 told $LAB/log/events "^[0-9]{2}:[0-9]{2}:[0-9]{2} $1\$" || wrong "events has no '$1'"
}
followed() { # FILE SOCKET: somebody is connected there
    ss -xH state connected | matches "$2"
}
lab_poll 10 followed x pc/events.sock || wrong "events does not follow pc"
tg_refused 'pc is followed by another tapgate events already' events pc
# QMP is everybody's meanwhile.
did 0 pause pc
tells 'pc paused'
did 0 resume pc
tells 'pc resumed'
did 0 attach pc disk=two.qcow2
tells 'pc device-added disk0'
sees pc 'disks=1 nics=0'
did 0 detach pc disk0
tells 'pc device-removed disk0'
did 0 reset pc
tells 'pc reset host-qmp-system-reset'
did 0 kill pc
tells 'pc ended (off|crashed)'
did 0 start q35 --helper="$LAB_HELPER"
tells 'q35 started'
did 0 kill q35
tells 'q35 ended (off|crashed)'
kill -INT "$all" 2>/dev/null || true
kill "$all" 2>/dev/null || true
wait "$all" 2>/dev/null || true
result "events of all VMs, with QMP free for the other verbs"

began=$(date +%s)
(lab_exec "$tapgate" events pc --json) </dev/null >$LAB/log/events.json 2>$LAB/log/events.err &
one=$!
lab_poll 5 told $LAB/log/events.err 'pc is off; what happens to it is told from its start on' || wrong "a VM that is off"
did 0 start pc
lab_poll 10 told $LAB/log/events.json '"event":"started"' || wrong "the start is not told"
did 0 pause pc
lab_poll 10 told $LAB/log/events.json '"event":"paused"' || wrong "the pause is not told"
did 0 kill pc
lab_poll 10 told $LAB/log/events.json '"event":"ended"' || wrong "the end is not told"
kill "$one"
wait "$one" 2>/dev/null || true
/usr/bin/python3 - $LAB/log/events.json "$began" >"$out" 2>&1 <<'EOT' || wrong "not JSON lines: $(cat "$out")"
import json, sys, time
began = int(sys.argv[2])
events = [json.loads(line) for line in open(sys.argv[1])]
for event in events:
    assert event["vm"] == "pc" and began <= event["time"] <= time.time(), event
paused = next(event for event in events if event["event"] == "paused")
assert paused["qemu"]["event"] == "STOP", paused
assert "qemu" not in events[0], events[0]
EOT
did 1 events nobody
says "$err" 'no VM is called nobody'
result "events of one VM as lines of JSON"

did 0 start pc
for words in "wait pc --for=agent --timeout=60" "events pc" "log pc --follow"; do
    # shellcheck disable=SC2086 # words of a command line
    (lab_exec env --default-signal=INT "$tapgate" $words) </dev/null >"$out" 2>"$err" &
    one=$!
    sleep 1
    kill -INT $one
    status=0
    wait $one || status=$?
    [ $status = 130 ] || wrong "Ctrl-C ends tapgate $words with $status"
done
is pc running || wrong "the VM does not go on"
did 0 kill pc
result "Ctrl-C: 130, and the VM goes on"

summary
