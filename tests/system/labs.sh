#!/bin/bash
# Labs from the launcher's command line to real guests and back: an unprivileged user's `tapgate lab'
# brings VMs up, looks at them, takes them down and destroys them; a quota, a VM that fails, another VM
# that takes its place on the bridge, and Ctrl-C each undo what was begun. With 3 guests, or 20 with TAPGATE_LONG
# set.
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher guest -- qemu-img jq
lab_bridge br0 192.0.2.1/24
lab_install "$helper" setuid

count=3
if [ -n "${TAPGATE_LONG:-}" ]; then
    count=20
fi
verb_limit=900 # for all guests together, without KVM, on a host that has more to do
lab_policy "allow br0 max-taps=$count"

# --- words of this test -------------------------------------------------------------------------

qemus() {
    local exe number=0
    for exe in /proc/[0-9]*/exe; do
        [[ $(readlink "$exe") != */qemu-system-* ]] || number=$((number + 1))
    done
    echo "$number"
}
# one_tap: all but one are gone.
one_tap() {
    [ "$(lab_taps | wc -l)" = 1 ]
}
# nothing_runs: neither a tap, nor QEMU, nor a socket, nor a record that says so.
nothing_runs() {
    lab_poll 5 lab_no_taps || wrong "taps are left over: $(lab_taps)"
    [ "$(qemus)" = 0 ] || wrong "$(qemus) QEMUs are left over"
    [ -z "$(find "$state" -name '*.sock' -o -name vm.json -o -name qemu.pid)" ] ||
        wrong "left over: $(find "$state" -name '*.sock' -o -name vm.json -o -name qemu.pid)"
}
# nothing_of LAB: no VM file, no directory.
nothing_of() {
    local left
    left=$(find "$config" "$state" "$data" -mindepth 1 -name "$1-*" 2>/dev/null) || true
    [ -z "$left" ] || wrong "left over: $left"
}
process_of() { # NAME
    (lab_exec "$tapgate" status "$1" --json) 2>/dev/null | jq -r .qemu_pid
}
write_lab() { # NAME: from stdin
    cat >"$LAB/home/$1.conf"
    chown "$LAB_UID" "$LAB/home/$1.conf"
}
linux="accel = tcg
kernel = $GUEST_DIR/kernel
initrd = $GUEST_DIR/initramfs.cpio
memory = 96M"
append="$GUEST_KERNEL tapgate.ping=192.0.2.1 tapgate.hold=3600"

# --- a class ------------------------------------------------------------------------------------

write_lab class <<END
# A class of $count, the server first
$linux

[server]
append = $append tapgate.ip=192.0.2.10/24

[client]
count = $((count - 1))
after = server:address
append = $append tapgate.ip=192.0.2.1{n}/24
END

did 0 lab status class.conf
says "$out" '^class-server-1 +not made +- +96M +-$'
did 0 lab up class.conf --helper="$LAB_HELPER"
says "$out" '^the lab class runs$'
[ "$(lab_taps | wc -l)" = "$count" ] || wrong "$(lab_taps | wc -l) taps"
[ "$(grep -c 'runs$' "$err")" = "$count" ] || wrong "a line for each VM is missing"
says "$config/class-client-2.conf" '^append = .*tapgate.ip=192.0.2.12/24$'
did 0 argv class-client-2
says "$out" 'tcg,tb-size=256( |$)' # and not QEMU's 1 GiB, since there may be twenty
did 0 argv class-client-2 --memory=2G
says "$out" '-accel tcg( |$)'
result "up: $count VMs run, the first of them before the others"

# addressed: every guest has answered its ping, and is in this host's neighbour table.
addressed() {
    tg lab status class.conf --json
    [ "$(jq '[.vms[] | select(.state == "running" and (.addresses | length) > 0)] | length' "$out")" = "$count" ]
}
lab_poll "$verb_limit" addressed || wrong "not every guest has an address: $(cat "$out")"
did 0 lab wait class.conf --for=address --timeout=5
says "$err" '^tapgate: class-server-1 is ready$'
says "$err" "^tapgate: class-client-$((count - 1)) is ready\$"
did 1 wait class-server-1 class-client-1 --for=agent --timeout=1
says "$err" '^tapgate: class-client-1: not ready within 1 s: .*agent'
says "$err" '^tapgate: 2 of 2 failed$'
did 0 wait --all --for=running
tg lab status class.conf --json
[ "$(jq -r '.vms[] | select(.name == "class-client-2").addresses[0]' "$out")" = 192.0.2.12 ] || wrong "another address: $(cat "$out")"
did 0 ip class-server-1
says "$out" '^192\.0\.2\.10$'
did 0 lab status class.conf
says "$out" '^NAME +STATE +UP +MEMORY +ADDRESS$'
says "$out" '^class-client-1 +running +[0-9]+m [0-9]+s +96M +192\.0\.2\.11$'
did 0 list
[ "$(grep -c '^class-' "$out")" = "$count" ] || wrong "list does not have them all"
result "every guest gets its address; status, ip and list tell so"

qemu_signal() { # SIGNAL
    local exe pid
    for exe in /proc/[0-9]*/exe; do
        pid=${exe#/proc/}
        [[ $(readlink "$exe") != */qemu-system-* ]] || kill "-$1" "${pid%/exe}"
    done
}
qemu_signal STOP
did 0 list
[ "$(grep -c '^class-.* running ' "$out")" = "$count" ] || wrong "list does not have them all: $(cat "$out")"
qemu_signal CONT
result "list has those that do not answer, too"

did 0 pause class-client-1
did 0 lab status class.conf
says "$out" '^class-client-1 +paused '
tg lab status class.conf --json
[ "$(jq -r '.vms[] | select(.name == "class-client-1") | .state + " " + .guest' "$out")" = "running paused" ] ||
    wrong "--json: $(cat "$out")"
result "status tells of a guest that is paused"

before=$(process_of class-server-1)
did 0 kill class-client-1
did 0 lab up class.conf --helper="$LAB_HELPER"
[ "$(grep -c 'runs$' "$err")" = 1 ] || wrong "not one VM was started: $(cat "$err")"
[ "$(process_of class-server-1)" = "$before" ] || wrong "the server was started again"
did 0 lab up class.conf --helper="$LAB_HELPER"
result "up again: only what does not run is started"

did 0 lab down class.conf --timeout=300
nothing_runs
did 0 lab status class.conf
says "$out" '^class-client-1 +off +- +96M +-$'
did 0 lab down class.conf
result "down: powered down, and nothing is left of them but their files"

# --- what is known before the first start -------------------------------------------------------

untouched() {
    nothing_runs
    [ "$(consoles)" = "$logs" ] || wrong "a VM was started"
}
consoles() {
    stat -c '%n %i %y' "$state"/class-*/console.log
}
logs=$(consoles)
lab_policy "allow br0 max-taps=$((count - 1))"
did 3 lab up class.conf --helper="$LAB_HELPER"
says "$err" "$count taps needed on br0, and you may have $((count - 1)), of which 0 are in use \(br0: allowed .*max-taps=$((count - 1))\)"
untouched
lab_policy 'deny br0'
did 3 lab up class.conf --helper="$LAB_HELPER"
says "$err" 'br0: denied for uid'
untouched
lab_policy "allow br0 max-taps=$count"
result "quota and policy refuse before the first start"

sed 's/^memory = .*/memory = 900G/' "$LAB/home/class.conf" | sed '1i name = big' | write_lab big
did 1 lab up big.conf --helper="$LAB_HELPER"
says "$err" "memory: $count VMs to start, which take"
sed '1i net = bridge:br7\nname = none' "$LAB/home/class.conf" | write_lab none
did 1 lab up none.conf --helper="$LAB_HELPER"
says "$err" 'there is no bridge br7'
printf '[a]\nmemroy = 1G\n' | write_lab typo
did 1 lab up typo.conf
says "$err" "typo.conf:2: unknown key .memroy. \(did you mean .memory.\?\)"
printf '[a]\ntemplate = nosuch\n' | write_lab typo
did 1 lab up typo.conf
says "$err" 'typo.conf:2: no VM is called nosuch'
did 1 lab up missing.conf
says "$err" 'missing.conf: no such file'
did 2 lab upp class.conf
says "$err" 'did you mean .up'
did 2 lab down class.conf --for=ssh
says "$err" 'lab down does not take --for; these do: wait'
sed '1i share = nowhere\nname = sharing' "$LAB/home/class.conf" | write_lab sharing
did 1 lab up sharing.conf --helper="$LAB_HELPER"
says "$err" '^tapgate: sharing-server-1: share: .*/nowhere: No such file or directory; make it with: mkdir -p'
for name in big none typo sharing; do
    nothing_of $name
done
untouched
result "memory, a bridge and mistakes are told before anything is made"

# --- what goes wrong on the way -----------------------------------------------------------------

# One of them cannot start, which only QEMU finds out.
bad=$((count / 2 + 1))
write_lab broken <<END
$linux
append = $append tapgate.ip=192.0.2.1{n}/24

[vm]
count = $count
qemu-arg = -fw_cfg
qemu-arg = name=opt/test,file=$LAB/home/part{n}
END
for i in $(seq "$count"); do
    [ "$i" = $bad ] || echo "$i" >"$LAB/home/part$i"
done
did 1 lab up broken.conf --helper="$LAB_HELPER"
says "$err" "the lab broken does not start: broken-vm-$bad: QEMU does not start"
says "$err" "part$bad"
nothing_runs
nothing_of broken
result "one cannot start: all that was begun is undone, with the reason"

write_lab never <<'END'
accel = tcg
memory = 64M
net = none
[vm]
[late]
after = vm:ssh
END
did 1 lab up never.conf --timeout=1
says "$err" 'the lab never does not start: never-vm-1: not ready within 1 s'
nothing_of never
result "one is never ready: its name is there once"

# With somebody else's VM on the bridge, one tap short.
did 0 create mine --accel=tcg --memory=64M
sed '1i name = race' "$LAB/home/class.conf" | write_lab race
(lab_exec "$tapgate" lab up race.conf --helper="$LAB_HELPER") </dev/null >"$out" 2>"$err" &
up=$!
lab_poll 120 is race-server-1 running || wrong "the server does not start"
(lab_exec "$tapgate" start mine --helper="$LAB_HELPER") </dev/null >/dev/null 2>&1 || wrong "mine does not start"
status=0
wait $up || status=$?
[ $status = 3 ] || wrong "lab up ends with $status"
says "$err" 'the lab race does not start: race-client-[0-9]+: .*has all its taps on br0 already'
is mine running || wrong "another VM than the lab's was ended"
lab_poll 2 one_tap || wrong "taps: $(lab_taps)"
nothing_of race
did 0 kill mine
result "quota that another start took meanwhile: undone, and the other VM stays"

(lab_exec env --default-signal=INT "$tapgate" lab up race.conf --helper="$LAB_HELPER") </dev/null >"$out" 2>"$err" &
up=$!
lab_poll 120 is race-server-1 running || wrong "the server does not start"
(lab_exec "$tapgate" lab down class.conf) </dev/null 2>$LAB/log/second && wrong "two lab commands at once"
says $LAB/log/second 'another .tapgate lab. of yours is at work'
kill -INT $up
status=0
wait $up || status=$?
[ $status = 130 ] || wrong "lab up ends with $status"
says "$err" 'the lab race does not start: SIGINT'
nothing_runs
nothing_of race
result "Ctrl-C: undone; one lab command at a time"

# A VM that was there before is powered down again, and stays.
did 0 start class-server-1 --helper="$LAB_HELPER"
mv "$LAB/home/part1" "$LAB/home/part0"
sed "1i qemu-arg = -fw_cfg\nqemu-arg = name=opt/test,file=$LAB/home/part1" "$config/class-client-1.conf" >"$LAB/client"
cat "$LAB/client" >"$config/class-client-1.conf"
did 1 lab up class.conf --helper="$LAB_HELPER"
says "$err" 'class-client-1: QEMU does not start'
is class-server-1 running || wrong "the server is $(field class-server-1 state)"
lab_poll 2 one_tap || wrong "taps: $(lab_taps)"
[ "$(find "$config" -name 'class-*' | wc -l)" = "$count" ] || wrong "VM files are gone"
did 0 lab down class.conf --timeout=300
nothing_runs
result "what ran before goes on, what was made before stays"

# --- of a template ------------------------------------------------------------------------------

golden=$LAB/home/golden.qcow2
(lab_exec qemu-img create -q -f qcow2 "$golden" 64M)
(lab_exec qemu-io -f qcow2 -c 'write -q -P 0x5a 1M 1M' "$golden") >/dev/null
hash=$(sha256sum <"$golden")
did 0 create golden --disk="$golden" --kernel="$GUEST_DIR/kernel" --initrd="$GUEST_DIR/initramfs.cpio" \
    --accel=tcg --net=bridge:br0,mac=52:54:00:12:34:56
write_lab course <<END
memory = 96M

[student]
count = 2
template = golden
append = $append tapgate.ip=192.0.2.2{n}/24
END
overlay() { # N
    echo "$data/course-student-$1/disk.qcow2"
}
did 0 lab up course.conf --helper="$LAB_HELPER"
says "$config/course-student-2.conf" "^disk = $(overlay 2),.*backing=$golden"
[ "$(grep -c 'MAC address of its own' "$err")" = 1 ] || wrong "what cloning tells is told more than once, or not: $(cat "$err")"
did 1 lab reset course.conf
says "$err" 'course-student-1 is running; power the lab down first'
did 0 lab down course.conf --timeout=300
(lab_exec qemu-io -f qcow2 -c 'write -q -P 0x17 1M 64k' "$(overlay 1)") >/dev/null
did 0 lab up course.conf --helper="$LAB_HELPER"
did 0 lab reset course.conf --force
nothing_runs
(lab_exec qemu-img compare -q "$golden" "$(overlay 1)") || wrong "the overlay is not as its base is"
result "a template: each VM has an overlay, and reset goes back"

sed -i 's/^count = 2/count = 3/; s/^memory = .*/memory = 97M/' "$LAB/home/course.conf"
mkdir -p "$data/course-student-3"
echo precious >"$data/course-student-3/disk.qcow2"
did 1 lab up course.conf --helper="$LAB_HELPER"
says "$err" 'course-student-3 holds the files of an earlier VM'
[ "$(cat "$data/course-student-3/disk.qcow2")" = precious ] || wrong "an earlier VM's disk is gone"
rm -r "$data/course-student-3"
did 0 lab up course.conf --helper="$LAB_HELPER"
says "$err" '2 VMs \(course-student-1, ...\) are not as .*course.conf has them'
result "more of them, while there are some"

sed -i 's/^count = 3/count = 1/' "$LAB/home/course.conf"
did 0 lab status course.conf
says "$out" '^course-student-3 +running'
did 0 lab destroy course.conf --yes --timeout=300
nothing_runs
nothing_of course
[ "$(sha256sum <"$golden")" = "$hash" ] || wrong "the template is another"
[ "$(stat -c %a "$golden")" = 644 ] || wrong "the template stays read-only"
result "destroy: the overlays are gone, of VMs that the file does not have any more too, and the template is as it was"

# --- the end of a lab ---------------------------------------------------------------------------

did 0 create class-client-77 --accel=tcg --memory=64M
did 1 lab destroy class.conf
says "$err" 'nobody to ask'
did 0 lab destroy class.conf --yes --timeout=0 --force
nothing_runs
[ -e "$config/class-client-77.conf" ] || wrong "a VM of the user's was removed"
did 0 delete class-client-77 --yes
nothing_of class
did 0 lab destroy class.conf --yes
says "$err" 'the lab class has no VMs'
did 0 create class-client-1 --accel=tcg --memory=64M
did 1 lab up class.conf --helper="$LAB_HELPER"
says "$err" 'the VM class-client-1 is there, and this lab has not made it'
did 0 delete class-client-1 --yes
result "destroy removes what the lab has made, and nothing else"

summary
