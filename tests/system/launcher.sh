#!/bin/bash
# The life of VMs, from the launcher's command line to a real QEMU and back: an unprivileged user
# creates, starts, looks at, interrupts and ends them; they crash; two start at once; the helper refuses.
# (`run' is in foreground.sh, and `autostart' in autostart.sh.)
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher guest -- python3 strace
lab_bridge br0 192.0.2.1/24
lab_policy 'allow br0 queues=2'
lab_install "$helper" setuid

# --- words of this test -------------------------------------------------------------------------

tuns_of() { # PID: how many of its descriptors are taps
    local fd number=0
    for fd in "/proc/$1/fd"/*; do
        [ "$(readlink "$fd")" != /dev/net/tun ] || number=$((number + 1))
    done
    echo "$number"
}

linux=(--kernel="$GUEST_DIR/kernel" --initrd="$GUEST_DIR/initramfs.cpio" --memory=128M)
# Where the test's guest must mean the same: under TCG.
tcg=(--accel=tcg)
with_helper=(--helper="$LAB_HELPER")

# --- describing, starting, looking --------------------------------------------------------------

did 0 create lab "${linux[@]}" "${tcg[@]}" --append="$GUEST_APPEND tapgate.hold=300" --display=vnc
did 0 list
[ ! -s "$out" ] || wrong "list shows a VM that is off"
says "$err" 'no VM runs; those that are off: tapgate list --all'
did 0 list --all
says "$out" '^lab +off'
result "create, list --all"

(lab_exec "$tapgate" argv lab "${with_helper[@]}" --null) >$LAB/log/argv
did 0 start lab "${with_helper[@]}"
must_be lab running
qemu=$(field lab process)
supervisor=$(field lab supervisor)
cmp -s $LAB/log/argv <(cat "/proc/$qemu/cmdline") ||
    wrong "argv prints another command line than QEMU's: $(tr '\0' ' ' <"/proc/$qemu/cmdline")"
result "start returns when the guest runs, with the command line that argv prints"

[ "$(status_of "$qemu" NoNewPrivs)/$(status_of "$qemu" Seccomp)" = 1/2 ] || wrong "QEMU is not in its sandbox"
[ "$(readlink "/proc/$qemu/fd/3")" = /dev/net/tun ] || wrong "QEMU's descriptor 3 is no tap"
[ "$(tuns_of "$qemu")/$(tuns_of "$supervisor")" = 1/0 ] ||
    wrong "taps of QEMU and of the supervisor: $(tuns_of "$qemu")/$(tuns_of "$supervisor")"
result "QEMU in its sandbox has the tap, and nobody else"

alias=$(cat "/sys/class/net/$(lab_ports br0)/ifalias")
[ "$alias" = "tapgate uid=$LAB_UID vm=lab mac=$(mac_of lab)" ] || wrong "the port's alias is '$alias'"
[ -z "$(find "$state" ! -type l -perm /077)" ] || wrong "others can get at $(find "$state" ! -type l -perm /077)"
result "the port is tagged, and nobody else can get at the VM's files"

guest_says lab '^PASS'
mac=$(mac_of lab)
console_said lab "MAC $mac," || wrong "the guest's adapter has not the address that status tells: $mac"
did 0 log lab
says "$out" 'PASS'
did 0 list --json
says "$out" '"guest": "running"'
says "$out" "\"mac\": \"$mac\""
result "the guest pings the bridge; list, status and log tell so"

did 0 vnc lab
says "$out" "^$state/lab/vnc.sock$"
says "$err" "vncviewer $state/lab/vnc.sock; tapgate view lab starts one"
did 0 screenshot lab 'a, b.png'
[ "$(head -c 8 "$LAB/home/a, b.png" | od -An -tx1)" = " 89 50 4e 47 0d 0a 1a 0a" ] || wrong "no PNG file"
result "vnc, screenshot"

did 0 pause lab
must_be lab paused
did 0 resume lab
must_be lab running
result "pause, resume"

did 1 start lab "${with_helper[@]}"
says "$err" "lab is running already \(QEMU's process is $qemu\)"
result "a VM that runs is not started again"

# --- the console ----------------------------------------------------------------------------------

mkfifo $LAB/log/keys
exec {keys}<>$LAB/log/keys
(lab_exec "$tapgate" console lab) <&"$keys" >$LAB/log/console 2>&1 &
console=$!
attached() {
    # It opens the one after it has asked for the console, and the other for it.
    readlink "/proc/$console/fd"/* | sort | grep -c -e signalfd -e socket | matches -x 2
}
lab_poll 5 attached || wrong "the console is not attached"
did 1 console lab
says "$err" 'another terminal has the console'
printf '\035' >&"$keys"
lab_poll 5 gone $console || wrong "Ctrl-] does not leave the console"
kill -KILL $console 2>/dev/null || true
wait $console || wrong "console ends with $?"
must_be lab running
(lab_exec timeout 10 "$tapgate" console lab) </dev/null >$LAB/log/console 2>&1 ||
    wrong "console of no input ends with $?"
result "one console at a time; Ctrl-] leaves it, and the VM runs on"

# The guest goes on, to power off, when a line comes in.
(lab_exec "$tapgate" console lab) <&"$keys" >$LAB/log/console 2>&1 &
console=$!
echo >&"$keys"
must_be lab off
lab_poll 5 gone $console || wrong "the console does not end with its VM"
kill -KILL $console 2>/dev/null || true
wait $console || wrong "console ends with $?"
exec {keys}>&-
lab_no_tap_left
result "what is typed reaches the guest; its power-off ends VM, console and tap"

# --- the ends of a VM -----------------------------------------------------------------------------

did 0 start lab "${with_helper[@]}"
guest_says lab '^PASS'
did 0 stop lab
says "$state"/lab/console.log 'POWER BUTTON'
must_be lab off
lab_no_tap_left
result "stop presses the power button, and waits"

# A guest that looks at no power button: the firmware, which finds nothing to boot.
bare=(--memory=64M --accel=tcg --net=none)
did 0 create bare "${bare[@]}"
did 0 start bare
did 1 stop bare --timeout=1
says "$err" 'has not powered down within 1 s.*tapgate stop --force bare'
must_be bare running
did 0 stop bare --timeout=0 --force
must_be bare off
result "stop gives up in time, and says what to do; --force cuts the power"

did 0 start bare --memory=80M --cpus=2
before=$(field bare process)
did 0 restart bare --timeout=0 --force --cpus=1
must_be bare running
[ "$(field bare process)" != "$before" ] || wrong "the process is the same"
tr '\0' '\n' </proc/"$(field bare process)"/cmdline >"$LAB/log/words"
says "$LAB/log/words" '^(size=)?80M?$'
says "$LAB/log/words" '^(cpus=)?1(,|$)'
did 0 reset bare
tg_refused 'bare has no screen; give it one with: tapgate set bare display=vnc' screenshot bare now.png
did 0 kill bare
must_be bare off
did 1 reset bare
says "$err" 'bare does not run'
result "restart, reset, kill"

did 0 start bare
kill -STOP "$(field bare process)"
did 0 status bare
says "$out" '^problem +QEMU does not answer: .*tapgate kill bare'
tg_refused 'if that stays so, QEMU hangs, and its end is: tapgate kill bare' pause bare
tg_refused 'tapgate kill bare' stop bare
# One that has asked the guest goes on waiting for it.
kill -CONT "$(field bare process)"
(lab_exec "$tapgate" stop bare --timeout=15) </dev/null >"$out" 2>"$err" &
stop=$!
lab_poll 5 said "$err" 'waiting for bare to power down' || wrong "stop does not wait"
kill -STOP "$(field bare process)"
sleep 7
kill -CONT "$(field bare process)"
ends_with 1 $stop
says "$err" 'bare has not powered down within 15 s'
kill -STOP "$(field bare process)"
# Those that ask its guest, too.
echo text >$LAB/home/text
for words in 'ssh bare' 'exec bare -- true' 'exec --via=agent bare -- true' 'cp text bare:/tmp' 'ssh-config bare' \
    'wait bare --timeout=1' 'ip bare'; do
    # shellcheck disable=SC2086 # words
    tg_refused 'its end is: tapgate kill bare' $words
done
did 0 doctor bare
says "$out" '^warn +guest +.*its end is: tapgate kill bare'
did 0 kill bare
must_be bare off
result "a QEMU that hangs is said to, with the way out"

did 0 start bare
kill -KILL "$(field bare process)"
must_be bare crashed
did 0 start bare
must_be bare running
result "QEMU killed: listed as crashed, and starts again at once"

kill -KILL "$(field bare supervisor)"
must_be bare running
did 1 start bare
says "$err" 'bare is running already, without its supervisor'
did 0 stop bare --timeout=0 --force
must_be bare off
result "the supervisor killed: the VM goes on, and stop ends it"

did 0 start bare
qemu=$(field bare process)
rm -rf "${state:?}/bare" # as logind does it at the last logout, with all that is there
did 0 list
says "$out" '^bare +lost'
says "$err" "process is $qemu"
reach="bare runs \(QEMU's process is $qemu\), but out of tapgate's reach: .*: tapgate kill bare"
for verb in "start bare" "stop bare" "ssh bare" "rename bare other" "delete bare --yes" "log bare"; do
    # shellcheck disable=SC2086 # its words
    did 1 $verb
    says "$err" "$reach"
done
did 1 stop --all
did 0 set bare memory=64M
says "$err" 'bare is running; the change counts from its next start on'
did 0 kill bare
# A process that nobody has waited for yet has a number, and no program.
[ ! -e "/proc/$qemu/exe" ] || wrong "QEMU runs after kill"
must_be bare off
did 0 start bare
rm -rf "${state:?}/bare"
did 0 stop bare --force
must_be bare off
result "its directory removed under it: listed as lost, not started again, and kill ends it"

did 0 start bare
supervisor=$(field bare supervisor)
kill -KILL "$supervisor" "$(field bare process)"
lab_poll 5 gone "$supervisor" || wrong "the supervisor does not die"
must_be bare crashed
did 0 start bare
did 0 kill bare
result "both killed: listed as crashed, and starts again at once"

did 0 start bare
kill -TERM "$(field bare process)"
sleep 0.3
must_be bare running
result "QEMU does not end for the SIGTERM that a batch system sends to everybody"
did 0 kill bare

# --- who uses what, and what changes ---------------------------------------------------------------

did 0 usage
says "$err" 'no VM runs'
did 0 start bare
did 0 usage
says "$out" "^$LAB_USER +bare +0m [0-9]+s +0:00:[0-9]+ +[0-9]+M +64M +0M$"
did 0 usage --json
says "$out" '"memory_mib": 64'
did 0 top
says "$out" '^USER +VM +UP +CPU TIME +%CPU +MEMORY'
# Another user's: his name and his VM are seen by root alone.
"$tapgate" usage >"$out" 2>"$err" || wrong "usage of root ends with $?"
says "$out" "^$LAB_USER +bare .*-$"
"$tapgate" usage --mine >"$out" 2>"$err" || wrong "usage --mine ends with $?"
says "$err" 'no VM runs'
setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all -- \
    env -i HOME=/nonexistent XDG_RUNTIME_DIR=/nonexistent PATH=/usr/bin:/bin "$tapgate" usage >"$out" 2>"$err" ||
    wrong "usage of another user ends with $?"
says "$err" 'no VM runs'
! grep -q bare "$out" || wrong "another user sees it"
(lab_exec timeout 20 "$tapgate" log -f --qemu bare) </dev/null >"$LAB/log/follow" 2>&1 &
follower=$!
(lab_exec timeout 3 "$tapgate" list --watch) </dev/null >"$LAB/log/watch" 2>&1 || true
[ "$(grep -c '^bare  *running' "$LAB/log/watch")" = 2 ] || wrong "list --watch: $(cat "$LAB/log/watch")"
echo 'QEMU says this' >>"$state/bare/qemu.log"
lab_poll 5 said "$LAB/log/follow" 'QEMU says this' || wrong "log -f does not follow"
did 0 kill bare
lab_poll 5 gone $follower || wrong "log -f does not end with the VM"
wait $follower || wrong "log -f ends with $?"
result "usage, top, list --watch and log -f"

did 0 set bare memory=72M cpus=2
did 0 start bare
tg_refused 'bare is running already' rename bare other-name
did 0 set bare cpus=
says "$err" 'counts from its next start on'
did 0 kill bare
did 0 rename bare renamed
did 0 start renamed
tr '\0' '\n' </proc/"$(field renamed process)"/cmdline >"$LAB/log/words"
says "$LAB/log/words" '^(size=)?72M?$'
did 0 kill renamed
did 0 rename renamed bare
did 0 set bare memory=64M
# Of two at once no change is lost that was not refused: by strace one takes long to put the new file there.
(lab_exec strace -qq -o trace -e trace=rename -e inject=rename:delay_enter=1500000 "$tapgate" set bare memory=66M) \
    </dev/null >/dev/null 2>&1 &
slow=$!
sleep 0.7
tg set bare cpus=2
wait $slow || wrong "set ends with $?"
[ "$(grep -c -e '^memory = 66M' -e '^cpus = 2' "$config/bare.conf")" = $((2 - status)) ] ||
    wrong "with exit code $status the second change is lost: $(cat "$config/bare.conf")"
[ "$status" = 0 ] || says "$err" 'was changed meanwhile; try again'
did 0 set bare memory=64M
tg set bare cpus=
result "set, rename"

# A share is in QEMU's sandbox.
user_directory=$LAB/home/shared
install -d -o "$LAB_UID" -g "$LAB_UID" "$user_directory"
did 0 start bare --share="$user_directory,tag=notes"
says "$err" 'mount -t 9p -o trans=virtio,version=9p2000.L notes /mnt'
[ "$(status_of "$(field bare process)" Seccomp)" = 2 ] || wrong "QEMU with a share is not in its sandbox"
did 0 restart bare --timeout=0 --force --quiet
! grep -q 'mount -t 9p' "$err" || wrong "--quiet is not quiet"
did 0 kill bare
tg_refused 'share: /nothing: No such file or directory; make it with: mkdir -p /nothing' start bare --share=/nothing
tg_refused 'share: you may not write to /etc; readonly=on would do without' start bare --share=/etc
tg_refused 'share: you may not read /root; see: ls -ld /root' start bare --share=/root,readonly=on
did 0 start bare --share=/etc,readonly=on
did 0 kill bare
result "a shared directory, in the sandbox; and what cannot be one"

# The CD: as QEMU says what is in the drive.
in_drive() { # NAME
    (lab_exec timeout 10 /usr/bin/python3 - "$state/$1/qmp.sock") <<'EOT'
import json, socket, sys
qmp = socket.socket(socket.AF_UNIX)
qmp.connect(sys.argv[1])
stream = qmp.makefile("rw")
stream.readline()
for command in ("qmp_capabilities", "query-block"):
    stream.write(json.dumps({"execute": command}) + "\n")
    stream.flush()
    while "return" not in (answer := json.loads(stream.readline())): pass
for device in answer["return"]:
    if device.get("qdev", "").endswith("cdrom0"):
        print(device["inserted"]["file"] if "inserted" in device else "nothing")
EOT
}
truncate -s 1M $LAB/home/one.iso $LAB/home/two.iso
chown "$LAB_UID" $LAB/home/one.iso $LAB/home/two.iso
did 0 start bare
tg_refused 'without a CD-ROM drive; give it one with: tapgate set bare cdrom=FILE.iso' eject bare
did 0 kill bare
(lab_exec qemu-img create -q -f qcow2 own.qcow2 8M)
did 0 start bare --cdrom=one.iso --disk=own.qcow2
tg_refused "$LAB/home/own.qcow2 is in use, by the VM bare" eject bare own.qcow2
did 0 create sharer --disk=own.qcow2
for verb in stop kill; do
    did 0 $verb sharer
    says "$err" 'sharer does not run$'
done
did 0 delete sharer --yes
[ "$(in_drive bare)" = $LAB/home/one.iso ] || wrong "in the drive: $(in_drive bare)"
did 0 eject bare
[ "$(in_drive bare)" = nothing ] || wrong "in the drive after eject: $(in_drive bare)"
tg_refused 'there is no CD in the drive of bare' eject bare
did 0 eject bare two.iso
[ "$(in_drive bare)" = $LAB/home/two.iso ] || wrong "in the drive: $(in_drive bare)"
tg_refused 'nothing.iso: No such file' eject bare nothing.iso
(lab_exec mkfifo pipe.iso)
tg_refused 'pipe.iso: neither a file nor a block device' eject bare pipe.iso
tg_refused 'neither a file nor a block device' eject bare .
must_be bare running
[ "$(in_drive bare)" = $LAB/home/two.iso ] || wrong "a CD that there is not took the other's place"
# Two ways to have QEMU open something else than that very file.
printf 'QFI\373' >$LAB/home/trap.iso
did 0 eject bare trap.iso
[ "$(in_drive bare)" = $LAB/home/trap.iso ] || wrong "in the drive: $(in_drive bare)"
tg_refused 'No such file' eject bare json:{}
did 0 kill bare
result "eject: out, another in, and what is not there leaves the CD where it is"

# What cannot be written is called what its user called it, and nothing is left.
(lab_exec qemu-img create -q -f qcow2 own.qcow2 1M)
did 0 create owner --disk=own.qcow2 --net=none
(lab_exec mkdir -m 0555 read-only)
for ending in ova tar xml; do
    did 1 export owner read-only/vm.$ending
    says "$err" "^tapgate: $LAB/home/read-only/vm.$ending: Permission denied"
done
[ -z "$(ls $LAB/home/read-only)" ] || wrong "left: $(ls $LAB/home/read-only)"
did 0 delete owner --yes
result "export to where nothing can be written"

mkdir $LAB/home/small
mount -t tmpfs -o size=64k,mode=0700,uid="$LAB_UID",gid="$LAB_UID" lab $LAB/home/small
(lab_exec env XDG_DATA_HOME=$LAB/home/small "$tapgate" clone own.qcow2 cut) </dev/null >"$out" 2>"$err" &&
    wrong "a clone where there is no room"
says "$err" '^tapgate: cannot make an overlay of .*/own.qcow2: .*No space left on device'
! grep 'Permission denied' "$err" || wrong "it says what is not wrong"
[ -z "$(find $LAB/home/small -type f)$(find "$config" -name 'cut*')" ] || wrong "left: $(find $LAB/home/small -type f)"
umount $LAB/home/small
result "a clone where there is no room"

# Started with another environment, as by cron: found all the same, and once only.
(cd / && lab_exec env -u XDG_RUNTIME_DIR HOME=$LAB/home "$tapgate" start bare) </dev/null >"$out" 2>"$err" ||
    wrong "start without XDG_RUNTIME_DIR: $(cat "$err")"
must_be bare running
did 0 kill bare
mkdir -m 0700 $LAB/other-run
chown "$LAB_UID" $LAB/other-run
(lab_exec env XDG_RUNTIME_DIR=$LAB/other-run "$tapgate" start bare) </dev/null >"$out" 2>"$err" ||
    wrong "start in another directory: $(cat "$err")"
(lab_exec env XDG_RUNTIME_DIR=/root "$tapgate" list) >"$out" 2>"$err" || wrong "behind su: list ends with $?"
(lab_exec env XDG_RUNTIME_DIR=$LAB/other-run "$tapgate" kill bare) </dev/null >"$out" 2>"$err" || wrong "kill: $(cat "$err")"
# The other way round: what was started in /run/user is found from elsewhere.
did 0 start bare
(lab_exec env XDG_RUNTIME_DIR=$LAB/other-run "$tapgate" list) >"$out" 2>"$err" || wrong "list ends with $?"
says "$out" '^bare +running'
(lab_exec env XDG_RUNTIME_DIR=/root "$tapgate" kill bare) </dev/null >"$out" 2>"$err" || wrong "kill: $(cat "$err")"
must_be bare off
result "a VM is found from another environment: another XDG_RUNTIME_DIR, a foreign one, and none"

# Lost in one environment, and started in another in which it has run before: as by cron, without a login.
elsewhere() { # ARGS...
    status=0
    (lab_exec env XDG_RUNTIME_DIR=/root _CONDOR_SCRATCH_DIR=/tmp timeout -k 1 "$verb_limit" "$tapgate" "$@") \
        </dev/null >"$out" 2>"$err" || status=$?
}
elsewhere start bare
[ "$status" = 0 ] || wrong "start in a job: $(cat "$err")"
elsewhere kill bare
did 0 start bare
qemu=$(field bare process)
rm -rf "${state:?}/bare"
elsewhere start bare
[ "$status" = 1 ] || wrong "it is started a second time"
says "$err" "bare runs \(QEMU's process is $qemu\), but out of tapgate's reach"
did 0 kill bare
elsewhere kill bare
must_be bare off
rm -r "$LAB/home/.cache/tapgate/run"
result "a VM that is lost is not started in another environment"

did 0 start bare
supervisor=$(field bare supervisor)
qemu=$(field bare process)
rm -rf "${state:?}/bare"
kill -TERM "$supervisor"
lab_poll 5 gone "$qemu" || wrong "QEMU outlives the SIGTERM to its supervisor"
lab_poll 5 gone "$supervisor" || wrong "the supervisor does not end at SIGTERM"
must_be bare off
result "SIGTERM to the supervisor of a lost VM ends it at once"

# A Slurm that does not answer.
mkdir $LAB/silent
printf '#!/bin/sh\necho "slurm_load_jobs error: Unable to contact slurm controller" >&2\nexit 1\n' >$LAB/silent/squeue
chmod 0755 $LAB/silent $LAB/silent/squeue
silently() { # STATUS ARGS...: as did
    status=0
    (lab_exec env PATH="$LAB/silent:$PATH" "$tapgate" "${@:2}") </dev/null >"$out" 2>"$err" || status=$?
    [ $status = "$1" ] || wrong "tapgate ${*:2} ends with $status, not $1: $(tail -n 3 "$err")"
}
did 0 create far "${bare[@]}" --on=slurm
did 0 start bare
silently 0 start far --on=here
silently 0 kill far
silently 1 stop far
silently 1 stop --all --timeout=0 --force
says "$err" 'Slurm does not answer'
must_be bare off
silently 1 kill --all
! said "$err" 'no VM runs' || wrong "it says that nothing runs, and does not know"
rm "$config"/far.conf
result "where Slurm is silent, what runs here is ended all the same, and the silence told"

# --- several ------------------------------------------------------------------------------------

did 0 create more "${bare[@]}"
did 0 start bare more --memory=72M
says "$out" '^bare runs$'
says "$out" '^more runs$'
must_be bare running
must_be more running
tr '\0' '\n' </proc/"$(field more process)"/cmdline >"$LAB/log/words"
says "$LAB/log/words" '^(size=)?72M?$'
did 0 pause --all
must_be bare paused
must_be more paused
did 0 resume more bare
must_be bare running
did 1 stop bare nobody more --timeout=0 --force
says "$err" '^tapgate: nobody: no VM is called nobody'
says "$err" '^tapgate: 1 of 3 failed$'
must_be bare off
must_be more off
did 2 stop
says "$err" 'or --all for all that run'
did 2 stop bare --all
did 2 kill bare bare
did 0 kill --all
says "$err" 'no VM runs'
did 0 start more bare
did 0 stop --all --timeout=0 --force
must_be bare off
must_be more off
did 0 delete more --yes
result "start, pause, resume and stop of several, or of all that run; and which of them failed"

# --- at the same moment ---------------------------------------------------------------------------

starts=()
for i in 1 2 3 4 5 6; do
    (lab_exec "$tapgate" start bare) </dev/null >/dev/null 2>"$LAB/log/start.$i" &
    starts+=($!)
done
won=0
for i in 1 2 3 4 5 6; do
    if wait "${starts[i - 1]}"; then
        won=$((won + 1))
    else
        says "$LAB/log/start.$i" 'bare is (running already|being started, or changed, by another tapgate)'
    fi
done
[ $won = 1 ] || wrong "$won of six starts won"
must_be bare running
did 0 kill bare
result "of six starts at the same moment one wins, and the others say so"

# --- no ---------------------------------------------------------------------------------------------

lab_policy 'allow br0' 'deny br0'
did 3 start lab "${with_helper[@]}"
says "$err" 'access denied by acl file: /etc/qemu/bridge.conf:2: deny br0$'
did 3 run lab "${with_helper[@]}"
must_be lab off
lab_no_tap_left
lab_policy 'allow br0 queues=2'
result "refused: exit code 3, with the helper's words"

did 1 start bare --qemu-arg=-nonsense
says "$err" 'QEMU does not start \(exit code 1\): .*-nonsense: invalid option'
must_be bare off
did 1 run bare --qemu-arg=-nonsense
result "QEMU fails: exit code 1, with QEMU's words"

did 0 start lab "${with_helper[@]}"
did 1 run other "${bare[@]}" --net="bridge:br0,mac=$mac" "${with_helper[@]}"
says "$err" "the tap $(lab_ports br0) on br0 has the MAC address $mac already"
did 0 kill lab
result "a MAC address that another VM of the bridge has is refused"

# Not there a moment later either, when its helper has come so far.
cat >$LAB/slow-helper <<EOT
#!/bin/sh
sleep 2
exec $LAB_HELPER "\$@"
EOT
chmod 0755 $LAB/slow-helper
(lab_exec "$tapgate" start lab --helper=$LAB/slow-helper) </dev/null >"$out" 2>"$err" &
start=$!
lab_poll 5 is lab starting || wrong "it does not start"
kill -TERM $start
ends_with 143 $start
says "$err" '^tapgate: SIGTERM: lab was not started$'
sleep 3
must_be lab off
lab_no_tap_left
result "a start that a signal ends has started nothing"

# --- queues, and QEMU's own way to the helper -----------------------------------------------------

did 0 start lab "${with_helper[@]}" --net=bridge:br0,queues=2 --cpus=2
[ "$(tuns_of "$(field lab process)")" = 2 ] || wrong "QEMU has $(tuns_of "$(field lab process)") descriptors of taps"
guest_says lab '^PASS'
did 0 stop lab
lab_no_tap_left
result "a tap of two queues"

did 0 start lab "${with_helper[@]}" --plain-bridge
[ "$(status_of "$(field lab process)" NoNewPrivs)" = 0 ] || wrong "QEMU is in its sandbox"
guest_says lab '^PASS'
did 0 stop lab
lab_no_tap_left
result "--plain-bridge: QEMU starts the helper"

# --- hosts that are not as they should be ---------------------------------------------------------

# The ways in which KVM can fail are too many, and each machine has its own (FakeKvm in
# tests/unit/qemu/probe_test.cc makes them on all). What has to hold is the same for all of them:
# the guest runs, it is said that it does without KVM and why, and KVM is not tried a second time.
kvm_or_not() { # DEVICE WHAT
    [ -e /dev/kvm ] || lab_own_dev
    [ -e /dev/kvm ] || : >/dev/kvm
    mount --bind "$1" /dev/kvm
    did 0 start lab "${with_helper[@]}" --accel=auto
    guest_says lab '^PASS'
    case $(field lab accelerator) in
    kvm) ! grep -q 'without KVM' "$err" || wrong "it says that there is no KVM, and uses it" ;;
    tcg) says "$err" 'without KVM, so more slowly: [^ ]' ;;
    *) wrong "the accelerator is '$(field lab accelerator)'" ;;
    esac
    did 0 stop lab
    known=$(ls -i $LAB/home/.cache/tapgate)
    [ -n "$known" ] || wrong "it remembers nothing of it"
    did 0 start lab "${with_helper[@]}" --accel=auto
    [ "$(ls -i $LAB/home/.cache/tapgate)" = "$known" ] || wrong "it has tried KVM a second time"
    did 0 kill lab
    umount /dev/kvm
    rm -f $LAB/home/.cache/tapgate/*
    result "$2: the guest runs, and KVM is tried once"
}
# Opens, and QEMU then cannot do anything with it.
kvm_or_not /dev/null "a /dev/kvm that is of no use"
if [ -c /dev/kvm ]; then
    mknod -m 0666 $LAB/dev/kvm c 10 232
    kvm_or_not $LAB/dev/kvm "this host's /dev/kvm"
else
    echo "# this host has no /dev/kvm of its own"
fi

# What insists on it fails.
mount --bind /dev/null /dev/kvm
did 1 run bare --accel=kvm
says "$err" 'accel=kvm: .*; with accel=auto it runs without KVM'
result "accel=kvm where there is none is an error"

rm /etc/machine-id
did 0 start lab "${with_helper[@]}"
first=$(mac_of lab)
did 0 kill lab
did 0 start lab "${with_helper[@]}"
[ "$(mac_of lab)" = "$first" ] || wrong "its MAC address is another each time"
[ "$first" != "$mac" ] || wrong "its MAC address is that of the host's id"
[ "$(stat -c %a $LAB/home/.config/tapgate/machine-id)" = 600 ] || wrong "no id of the user's"
did 0 kill lab
result "a host without a machine-id"

summary
