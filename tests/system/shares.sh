#!/bin/bash
# Directories of the host in a guest by virtiofs (share=DIR,via=virtiofs): a real guest mounts one, and
# reads and writes there; who owns the files, what virtiofsd may see, and that it lives exactly as long
# as QEMU, whichever way that, the supervisor or itself ends. With whatever virtiofsd this host has:
# Debian 12 has QEMU's own in C, Debian 13 the one in Rust. (9p is in launcher.sh, as Debian's cloud
# kernel has none.)
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher guest -- newuidmap qemu-img
server=
for file in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do
    [ -n "$server" ] || [ ! -x $file ] || server=$file
done
[ -n "$server" ] || skip "no virtiofsd (Debian 13: apt-get install virtiofsd)"

"$top/tests/guest/build" "$TAPGATE_GUEST" $LAB/share.cpio "$top/tests/guest/share"
mount --bind $LAB/share.cpio "$GUEST_DIR/initramfs.cpio"
evidence+=("$state/*/virtiofsd.log")
sed -i "/^$LAB_USER:/d" /etc/subuid /etc/subgid
echo "$LAB_USER:200000:65536" | tee -a /etc/subuid >>/etc/subgid

in_c=0
"$server" --help 2>&1 | matches -e '-o source=' && in_c=1

# --- words of this test -------------------------------------------------------------------------

directory=$LAB/home/of-host
linux=(--kernel="$GUEST_DIR/kernel" --initrd="$GUEST_DIR/initramfs.cpio" --memory=192M --accel=tcg --net=none)
append="$GUEST_KERNEL tapgate.hold=60 tapgate.args="

new_directory() {
    rm -rf "$directory"
    install -d -o "$LAB_UID" -g "$LAB_UID" "$directory"
    echo "words of the host" >"$directory/from-host"
    chown "$LAB_UID:$LAB_UID" "$directory/from-host"
}
servers() { # their pids: they are in no process's environment but the lab's
    local process
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/exe")" != "$(readlink -f "$server")" ] || echo "${process##*/}"
    done
}
no_server() {
    [ -z "$(servers)" ]
}
said_ended() {
    grep -q 'the virtiofsd of the share share0 has ended (signal 9 (SIGKILL)), .* tapgate restart shared' "$state/shared/qemu.log"
}
none_is_left() {
    lab_poll 5 no_server || wrong "a virtiofsd is left: $(servers)"
}

# --- a guest reads and writes -------------------------------------------------------------------

new_directory
(lab_exec qemu-img create -q -f qcow2 disk.qcow2 8M)
did 0 create shared "${linux[@]}" --disk=$LAB/home/disk.qcow2 --share="$directory,tag=notes,via=virtiofs" --append="${append}notes"
did 0 start shared
says "$err" 'in the guest, as root: mount -t virtiofs notes /mnt'
guest_says shared '^READ words of the host'
guest_says shared '^PASS'
[ "$(cat "$directory/from-guest")" = "of the guest" ] || wrong "what the guest wrote is not here"
[ "$(stat -c %s "$directory/big")" = 4194304 ] || wrong "not all of the guest's 4 MiB is here"
[ "$(stat -c %u:%g "$directory/from-guest")" = "$LAB_UID:$LAB_UID" ] || wrong "it is not the user's"
[ "$(readlink "$directory/link")" = /etc/hostname ] || wrong "the guest's link is none"
[ "$(cat "$directory/directory/from-other")" = "of another" ] || wrong "another user of the guest cannot write"
# In Rust, all is the user's; in C, a subordinate id's.
owner=$(stat -c %u "$directory/directory/from-other") || true
if [ $in_c = 0 ]; then
    [ "$owner" = "$LAB_UID" ] || wrong "the file of another of the guest's users is $owner's"
else
    [ "$owner" = $((200000 + 1233)) ] || wrong "the file of another of the guest's users is $owner's"
fi
result "a guest mounts it, reads what the host wrote there, and writes"

qemu=$(field shared process)
[ "$(status_of "$qemu" Seccomp)" = 2 ] || wrong "QEMU is not in its sandbox"
confined=0
for process in $(servers); do
    [ "$(status_of "$process" Uid)" = "$LAB_UID" ] || wrong "a virtiofsd is not the user's process"
    [ "$(status_of "$process" Seccomp)" = 2 ] || continue
    confined=$((confined + 1))
    [ -e "/proc/$process/root/from-host" ] || wrong "the root of virtiofsd is not the directory"
    [ ! -e "/proc/$process/root/etc" ] || wrong "virtiofsd sees the host's /etc"
    [ "$(readlink "/proc/$process/ns/net")" != "$(readlink /proc/self/ns/net)" ] || wrong "virtiofsd has the host's network"
done
[ $confined = 1 ] || wrong "$confined processes of virtiofsd are confined, not one"
[ -z "$(find "$state/shared" -name 'share*.sock')" ] || wrong "the socket is still there"
result "virtiofsd sees the directory and nothing else, and nobody can connect to it"

if [ $in_c = 1 ]; then
    tg_refused "vhost-user-fs'; leave the RAM out: tapgate stop shared && tapgate snapshot save shared one" snapshot save shared one
    is shared running || wrong "it does not run after that"
    result "a snapshot with RAM is refused, and it goes on"
else
    did 0 snapshot save shared one
    is shared running || wrong "it does not run after that"
    did 0 snapshot restore shared one --yes
    must_be shared running
    result "a snapshot with RAM, and back to it"
fi

did 0 kill shared
none_is_left
rm "$config/shared.conf"
result "virtiofsd ends with QEMU"

# --- read only ----------------------------------------------------------------------------------

new_directory
if [ $in_c = 1 ]; then
    tg_refused "$server can share nothing readonly=on; via=9p can" start shared "${linux[@]}" \
        --share="$directory,readonly=on,via=virtiofs"
else
    did 0 start shared "${linux[@]}" --share="$directory,readonly=on,via=virtiofs" --append="${append}share0,readonly"
    guest_says shared '^NOT WRITTEN'
    [ ! -e "$directory/from-guest" ] || wrong "it was written to"
    did 0 kill shared
fi
none_is_left
result "readonly=on"

# --- how else it ends ---------------------------------------------------------------------------

new_directory
second=$LAB/home/second
install -d -o "$LAB_UID" -g "$LAB_UID" "$second"
did 0 start shared "${linux[@]}" --share="$directory,via=virtiofs" --share="$second,tag=second,via=virtiofs" \
    --append="${append}share0"
guest_says shared '^PASS'
supervisor=$(awk -F'[:,]' '{ for (i = 1; i < NF; i++) if ($i ~ /"supervisor"/) print $(i + 1) }' "$state/shared/vm.json")
qemu=$(field shared process)
# The first that was started: the first share's.
kill -KILL "$(servers | head -n 1)"
lab_poll 5 said_ended || wrong "its end is not said: $(cat "$state/shared/qemu.log")"
kill -0 "$qemu" 2>/dev/null || wrong "QEMU went with it"
is shared running || wrong "the VM does not run any more"
result "a virtiofsd that crashes: QEMU goes on, and its log says what mends it"

kill -KILL "$supervisor"
lab_poll 5 gone "$supervisor" || wrong "the supervisor does not die"
kill -0 "$qemu" 2>/dev/null || wrong "QEMU went with its supervisor"
! no_server || wrong "the other virtiofsd went with the supervisor"
did 0 kill shared
none_is_left
result "a supervisor that crashes takes none along, and QEMU's end does"

# --- what does not start ------------------------------------------------------------------------

tg_refused 'QEMU does not start' start shared "${linux[@]}" --share="$directory,via=virtiofs" --qemu-arg=-nonsense
none_is_left
result "QEMU does not start: nobody is left waiting for it"

tg_refused "none of 9p, virtiofs" start shared "${linux[@]}" --share="$directory,via=nfs"
stubs=$LAB/stubs
mkdir $stubs
with_stub() { # TEXT WORDS...: a virtiofsd that is first in PATH is as said on stdin; the start is refused so
    local text=$1 status=0
    shift
    cat >$stubs/virtiofsd
    chmod 0755 $stubs/virtiofsd
    (lab_exec env PATH="$stubs:$PATH" timeout 60 "$tapgate" start shared "${linux[@]}" "$@") </dev/null >"$out" 2>"$err" ||
        status=$?
    [ $status = 1 ] || wrong "with that stub start ends with $status: $(cat "$err")"
    says "$err" "$text"
}
with_stub 'the virtiofsd of the share share0 does not start \(exit code 3\): out of sorts; via=9p does without' \
    --share="$directory,via=virtiofs" <<'EOT'
#!/bin/sh
[ "$1" != --help ] || { echo "--shared-dir <SHARED_DIR>"; exit 0; }
echo "out of sorts" >&2
exit 3
EOT
# Its words are the command line, one by one.
# shellcheck disable=SC2016 # the stub's
printf '#!/bin/sh\n[ "$1" != --help ] || { echo "--shared-dir --readonly --translate-uid"; exit 0; }\nprintf "<%%s>" "$@" >&2\nexit 3\n' |
    with_stub "<--fd=3><--shared-dir=$LAB/home/a,b><--sandbox=namespace><--translate-uid=squash-guest:0:$LAB_UID:4294967295><--translate-gid=squash-guest:0:$LAB_UID:4294967295><--readonly>" \
        --share="$(install -d -o "$LAB_UID" "$LAB/home/a,b" && echo "$LAB/home/a,,b"),readonly=on,via=virtiofs"
result "a virtiofsd that fails is quoted, and 9p is the way out"

if [ $in_c = 1 ]; then
    sed -i "/^$LAB_USER:/d" /etc/subuid /etc/subgid
    tg_refused "QEMU's own virtiofsd needs subordinate ids, which you cannot use" start shared "${linux[@]}" \
        --share="$directory,via=virtiofs"
    says "$err" 'usermod --add-subuids .* via=9p does without virtiofsd'
    none_is_left
    result "without subordinate ids: who gives them"
fi
mount --bind $LAB/dev /usr/libexec
[ ! -e /usr/lib/qemu/virtiofsd ] || mount --bind /dev/null /usr/lib/qemu/virtiofsd
tg_refused 'share: via=virtiofs needs the program virtiofsd, which is not here' start shared "${linux[@]}" \
    --share="$directory,via=virtiofs"
result "without virtiofsd: where it is"

summary
