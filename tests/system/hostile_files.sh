#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Files that others made to attack the launcher's user: images that name his files, a domain's XML that
# uses his files as disks, and another user who was first to take the name of his runtime directory. As
# an unprivileged user, with the host's QEMU; qemu-img alone shows that each image does what it is made
# for.
# shellcheck disable=SC2016,SC2317 # what check() evaluates; the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin launcher -- qemu-system-x86_64 qemu-img python3 script
home=$LAB/home
mount -t tmpfs -o mode=1777 hostile /tmp

# user COMMAND...: as the lab user, in his home.
user() {
    (lab_exec "$@") >"$out" 2>&1
}
# another COMMAND...: as somebody else.
another() {
    setpriv --reuid=$((LAB_UID + 1)) --regid=$((LAB_UID + 1)) --clear-groups --inh-caps=-all -- \
        env PATH=/usr/bin:/bin "$@"
}
check() { # NAME COMMAND...
    "${@:2}" || wrong "$(cat "$out")"
    result "$1"
}

key=$home/.ssh/id_ed25519
user mkdir -m 0700 .ssh
(
    echo "-----BEGIN OPENSSH PRIVATE KEY-----"
    head -c 600 /dev/zero | tr '\0' k
) >"$key"
chmod 0600 "$key"
chown "$LAB_UID:$LAB_UID" "$key"

# --- images that name another file ----------------------------------------------------------------

cat >$LAB/images.py <<'EOT'
# The images of an attacker who knows where his victim's key is, and an image of his victim's.
import re, struct, subprocess, sys
key = sys.argv[1].encode()
private = sys.argv[2].encode()
with open(private, "rb") as file:
    private_cid = re.search(rb"\nCID=([0-9a-f]+)", file.read(4096)).group(1)

def header(capacity, descriptor_size):
    fields = (1, 3, capacity, 128, 1, descriptor_size, 512, 0, 21, 128)
    return (b"KDMV" + struct.pack("<IIQQQQIQQQ", *fields)).ljust(512, b"\0")

def text(kind="monolithicFlat"):
    return (b'# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="%s"\n'
            % kind.encode())

def write(name, data):
    with open(name, "wb") as file:
        file.write(data)

extent = b'RW 8 FLAT "%s" 0\n' % key
# The header says that it holds nothing, and that its descriptor is one sector; QEMU reads on.
first = text() + b"#" * (511 - len(text())) + b"\n"
second_sector = (header(0, 1) + (first + extent).ljust(20 * 512, b"\0")).ljust(65536, b"\0")
write("second-sector.vmdk", second_sector)
write("no-capacity.vmdk", (header(0, 20) + (text() + extent).ljust(20 * 512, b"\0")).ljust(65536, b"\0"))
# The same as an extent of another.
write("inner.vmdk", second_sector)
write("extent.vmdk", text("twoGbMaxExtentSparse") + b'RW 8 SPARSE "inner.vmdk"\n')
# A sound image of one file, with a parent in a comment of its descriptor. (It has to be a vmdk itself.)
def of_private(descriptor):
    return descriptor.replace(b"parentCID=ffffffff", b"parentCID=" + private_cid)

subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", "comment.vmdk", "1M"], check=True)
with open("comment.vmdk", "r+b") as file:
    file.seek(512)
    descriptor = of_private(file.read(20 * 512).rstrip(b"\0")) + b'# parentFileNameHint="%s"\n' % private
    file.seek(512)
    file.write(descriptor.ljust(20 * 512, b"\0"))
# And in the descriptor's usual place, when the header says that it is elsewhere.
subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", "elsewhere.vmdk", "1M"], check=True)
with open("elsewhere.vmdk", "r+b") as file:
    data = bytearray(file.read())
    named = of_private(text("monolithicSparse")) + b'parentFileNameHint="%s"\n' % private
    data[512:512 * 21] = named.ljust(20 * 512, b"\0")
    innocent = text("monolithicSparse")
    data[28:36] = struct.pack("<Q", 100)
    data[100 * 512:100 * 512 + len(innocent)] = innocent
    file.seek(0)
    file.write(data)
write("plain.vmdk", text() + extent)
EOT
install -d -m 0755 -o "$LAB_UID" -g "$LAB_UID" "$home/images"
private=$home/private.vmdk
user qemu-img convert -f raw -O vmdk "$key" "$private"
user sh -c "cd images && python3 $LAB/images.py $key $private" || die "no images: $(cat "$out")"
cat >$LAB/appliance.ovf <<'EOT'
<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="r">
  <References><File ovf:id="f1" ovf:href="second-sector.vmdk"/></References>
  <DiskSection><Disk ovf:capacity="4096" ovf:diskId="d1" ovf:fileRef="f1"/></DiskSection>
  <VirtualSystem ovf:id="lab"><VirtualHardwareSection>
    <Item><rasd:HostResource>/disk/d1</rasd:HostResource><rasd:ResourceType>17</rasd:ResourceType></Item>
  </VirtualHardwareSection></VirtualSystem>
</Envelope>
EOT
cp $LAB/appliance.ovf "$home/images/appliance.ovf"
tar -C "$home/images" -cf "$home/images/appliance.ova" appliance.ovf second-sector.vmdk

# leaked FILE...: the key is in one of them.
leaked() {
    grep -rqas "BEGIN OPENSSH PRIVATE KEY" "$@"
}
# Raw, since a qcow2 may be compressed.
leaked_to_vm() {
    local image
    for image in "$home/.local/share/tapgate/$1"/*; do
        [ -e "$image" ] || continue
        qemu-img convert -f qcow2 -O raw "$image" "$LAB/raw" && leaked "$LAB/raw" && return 0
    done
    return 1
}
works_on_qemu() {
    user qemu-img convert -O raw --image-opts \
        "driver=vmdk,file.driver=file,file.filename=$home/images/$1" "$home/leak" && leaked "$home/leak"
}
refused() { # TEXT VERB...: with TEXT, and no VM is made
    if user "$tapgate" "${@:2}"; then return 1; fi
    grep -qF -- "$1" "$out" && [ ! -e "$home/.config/tapgate/vm.conf" ]
}
# What `create` writes it says will not start; and so it does not.
no_disk() { # TEXT FILE
    local failed=0
    user "$tapgate" create vm --net=none --memory=64M --display=none \
        --disk="$2,format=vmdk,readonly=on" || failed=1
    if user "$tapgate" start vm; then
        user "$tapgate" kill vm || true
        failed=1
    fi
    rm -f "$home/.config/tapgate/vm.conf"
    [ "$failed" = 0 ] && grep -q "$2" "$out" && grep -qF -- "$1" "$out"
}
for image in second-sector no-capacity extent comment elsewhere plain; do
    case $image in
    comment | elsewhere) why='the image only has what differs from another one' ;;
    plain) why="the extent \`$key' is no file beside the descriptor" ;;
    *) why='its header says that it holds nothing' ;;
    esac
    rm -f "$home/leak"
    check "$image.vmdk gives the key to qemu-img alone" works_on_qemu $image.vmdk
    rm -f "$home/leak"
    check "$image.vmdk is not imported" refused "$why" import images/$image.vmdk vm
    check "$image.vmdk: no VM has the key" eval '! leaked_to_vm vm'
    check "$image.vmdk is no VM's disk" no_disk "$why" images/$image.vmdk
done
for file in appliance.ovf appliance.ova; do
    check "$file is not imported" refused 'its header says that it holds nothing' import images/$file vm
    check "$file: no VM has the key" eval '! leaked_to_vm vm'
done

# An extent that is a FIFO: nobody may open it, or its writer goes on.
user mkfifo images/pipe
printf '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 8 FLAT "pipe" 0\n' \
    >"$home/images/fifo.vmdk"
(
    echo >"$home/images/pipe"
    touch $LAB/opened
) 2>/dev/null &
writer=$!
check "a FIFO is not imported" refused "images/pipe' is not a regular file" import images/fifo.vmdk vm
check "nor a VM's disk" no_disk "images/pipe' is not a regular file" images/fifo.vmdk
check "a FIFO is not even opened" [ ! -e $LAB/opened ]
kill $writer 2>/dev/null || true
check "a FIFO is not waited for, whatever it may be" refused 'does not tell its format' import images/pipe vm

# --- a domain's XML -------------------------------------------------------------------------------

cat >"$home/domain.xml" <<EOT
<domain type='kvm'><name>vm</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='file' device='disk'><driver type='raw'/><source file='$key'/><target bus='ide'/></disk>
<disk type='file' device='cdrom'><source file='/etc/passwd'/></disk></devices></domain>
EOT
# on_terminal ANSWER: the import with a terminal on which that is typed.
on_terminal() {
    (lab_exec sh -c "echo $1 | script -qec '$tapgate import domain.xml vm' /dev/null") >"$out" 2>&1
}
check "a domain's disk needs a word of the user's" refused 'gives these of this host to the guest' import domain.xml vm
check "and is named" grep -q "$key (read and written)" "$out"
check "a CD-ROM too" grep -q "/etc/passwd (read)" "$out"
check "asked, and answered no" eval '! on_terminal n && [ ! -e "$home/.config/tapgate/vm.conf" ]'
check "it was a question" grep -q 'May it have them? \[y/N\]' "$out"
check "asked, and answered yes" eval 'on_terminal y && [ -e "$home/.config/tapgate/vm.conf" ]'
rm -f "$home/.config/tapgate/vm.conf"
check "with --yes" eval 'user "$tapgate" import domain.xml vm --yes && [ -e "$home/.config/tapgate/vm.conf" ]'
rm -f "$home/.config/tapgate/vm.conf"

# --- another user who comes first -----------------------------------------------------------------

# A host without logind: su, cron, a batch job.
rm -rf "/run/user/$LAB_UID"
without() {
    user env -u XDG_RUNTIME_DIR "$@"
}
(lab_exec sleep 600) &
victim=$!
fake=/tmp/tapgate-$LAB_UID
cat >$LAB/squat.py <<'EOT'
# A runtime directory in which a VM runs whose QEMU is a process of the victim's.
import fcntl, os, socket, struct, sys, time
directory, victim = sys.argv[1:]
os.makedirs(directory + "/vm", 0o777)
os.chmod(directory, 0o777)
os.chmod(directory + "/vm", 0o777)
pid = open(directory + "/vm/qemu.pid", "w+")
pid.write(victim + "\n")
pid.flush()
F_OFD_SETLK = 37
fcntl.fcntl(pid, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
sockets = []
for name in ("console", "qmp"):
    one = socket.socket(socket.AF_UNIX)
    one.bind(f"{directory}/vm/{name}.sock")
    os.chmod(f"{directory}/vm/{name}.sock", 0o777)
    one.listen()
    sockets.append(one)
print("ready", flush=True)
while True:
    connection, _ = sockets[0].accept()
    with open(directory + "/taken", "w"):
        pass
EOT
another python3 $LAB/squat.py "$fake" $victim >$LAB/squat &
squatter=$!
lab_poll 10 grep -q ready $LAB/squat || die "no second user"
without "$tapgate" create vm --net=none --memory=64M --display=none || die "no VM: $(cat "$out")"
status() {
    without "$tapgate" status vm && grep -q "^state *$1" "$out"
}
check "another's directory says nothing of a VM" status off
check "kill finds no VM" eval 'without "$tapgate" kill vm && grep -q "vm does not run" "$out"'
check "and kills nothing that another chose" kill -0 $victim
check "console goes to nobody else" eval '! without "$tapgate" console vm </dev/null && [ ! -e $fake/taken ]'
if without "$tapgate" start vm; then
    ok "the VM starts"
    run=$home/.cache/tapgate/run/$(uname -n)
    check "its sockets are below the home" test -S "$run/tapgate/vm/qmp.sock"
    check "which nobody else can enter" eval '! another ls "$run/tapgate"'
    check "and it is found again" status running
    chmod 0777 "$run"
    check "a directory that others can write to is refused" eval '! without "$tapgate" status vm'
    check "and said" grep -q "others can write to it" "$out"
    chmod 0700 "$run"
    check "it is killed" eval 'without "$tapgate" kill vm && status off'
else
    not_ok "the VM starts" "$(cat "$out")"
fi
kill $squatter $victim 2>/dev/null || true
# And where a directory of another's is named.
another mkdir -m 0777 /tmp/others
named() {
    user env XDG_RUNTIME_DIR=/tmp/others "$tapgate" status vm
}
# As `su' leaves it: what the user has himself is used, and nothing comes into the other's.
check "XDG_RUNTIME_DIR of another's is not used" eval 'named && [ -z "$(ls -A /tmp/others)" ]'
user env XDG_RUNTIME_DIR=/tmp/others "$tapgate" start vm || wrong "it does not start: $(cat "$out")"
check "nor for a VM's sockets" eval '[ -z "$(ls -A /tmp/others)" ] && user "$tapgate" kill vm'
check "and one for all neither" eval 'user env XDG_RUNTIME_DIR=/tmp "$tapgate" status vm && [ ! -e /tmp/tapgate ]'

# --- what QEMU says ---------------------------------------------------------------------------------

# Its answer to "where is the screen" is the socket's path, and has what a terminal obeys.
raw=/tmp/$'a\e[31mb'
spoken() { # VERB: QEMU's words are there, and no byte of them is a terminal's command
    user env XDG_RUNTIME_DIR="$raw" "$tapgate" "$1" seen && grep -q '/tmp/a.*31mb/tapgate/seen' "$out" &&
        ! grep -q $'\e' "$out"
}
user mkdir -m 0700 "$raw"
user "$tapgate" create seen --net=none --memory=64M --accel=tcg --display=vnc || die "no VM: $(cat "$out")"
if user env XDG_RUNTIME_DIR="$raw" "$tapgate" start seen; then
    check "vnc prints nothing raw that QEMU says" spoken vnc
    check "nor does status" spoken status
    user env XDG_RUNTIME_DIR="$raw" "$tapgate" kill seen
else
    not_ok "a VM starts whose runtime directory has an escape sequence" "$(cat "$out")"
fi

summary
