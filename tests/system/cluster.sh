#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several hosts, from the launcher's command line to real guests: a cluster of namespaces with Slurm and
# VXLAN (bed.sh), and VMs with `on = slurm' that their user starts, looks at and ends from the login
# node, without knowing where they run. What scancel, the time limit and a closed terminal mean for the
# guest; who may have a tap, and when; a VM that moves, or exists twice; a controller that is down; a
# node that dies; a queue of twenty.
#
#   TAPGATE=build/release/launcher/tapgate tests/system/cluster.sh
#
# TAPGATE, TAPGATE_HELPER, TAPGATE_GUEST and MUST_WORK as in launcher.sh. With TAPGATE_LONG, a node is
# killed, too, and EVPN is used for VXLAN (needs frr).
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/system/lab.sh
source "$here/lab.sh"
# shellcheck source=tests/system/guest.sh
source "$here/guest.sh"
# shellcheck source=tests/system/cluster/bed.sh
source "$here/cluster/bed.sh"

lab_require as binutils ld binutils qemu-system-x86_64 qemu-system-x86 qemu-img qemu-utils ip iproute2 bridge iproute2 jq jq \
    slurmctld slurmctld slurmd slurmd srun slurm-client munged munge script bsdutils \
    nft nftables systemd-id128 systemd
[ -x /usr/lib/frr/bgpd ] || skip "missing packages: frr"
[ -x /lib/systemd/systemd-networkd ] || skip "missing packages: systemd"
lab_find_helper "$top"
lab_find_launcher "$top"
guest_prepare "$top"
guest_prepare_ssh "$top"
lab_inside || [ -n "${TAPGATE_NO_CGROUPS:-}" ] || bed_cgroups
export BED_CGROUP=${BED_CGROUP:-}
lab_enter "${BASH_SOURCE[0]}" "$@"

bed_up "$helper" "$launcher"
install -d -m 0755 $BED/home/guest
cp "$TAPGATE_GUEST/kernel" "$TAPGATE_GUEST/initramfs.cpio" "$TAPGATE_GUEST/ssh.cpio" $BED/home/guest/
chmod -R a+rX $BED/home/guest
install -d -m 0700 -o $BED_UID -g $BED_UID $BED/home/alice/.ssh
install -m 0600 -o $BED_UID -g $BED_UID "$TAPGATE_GUEST/ssh.key" $BED/home/alice/.ssh/id_ed25519

# --- words of this test -------------------------------------------------------------------------

out=$LAB/log/out
err=$LAB/log/err
evidence=("$out" "$err")
began=$(date +%s%N)
# Whether a guest hung, and how: the last that each said, and what its processor does.
show_guests() {
    local console node
    for console in "$BED"/home/alice/.cache/tapgate/run/*/tapgate/*/console.log; do
        [ ! -s "$console" ] || echo "# $(basename "${console%/*}") said last: $(tail -n 3 "$console" | tr '\r\n' ' |')"
    done
    for node in n1 n2; do
        # shellcheck disable=SC2009 # pgrep shows no times
        bed_root "$node" ps -eo time,etime,stat,wchan:20,args | grep -o '.*[q]emu-system-.* guest=[^,]*' | sed "s/^/# $node /" || true
    done
}
took() { # NAME: its result, and how long it took
    if [ -n "$problem" ]; then
        bed_user ctl squeue --me >>"$err" || true
        show_guests
        # What it leaves is not to be the next one's problem.
        bed_user ctl scancel -u alice || true
    fi
    result "$1 ($((($(date +%s%N) - began) / 1000000)) ms)"
    began=$(date +%s%N)
}
# tg ARGS...: alice on the login node.
tg() {
    status=0
    bed_user ctl timeout -k 1 90 tapgate "$@" </dev/null >"$out" 2>"$err" || status=$?
}
did() { # STATUS ARGS...
    local expected=$1
    shift
    tg "$@"
    [ "$status" = "$expected" ] ||
        wrong "tapgate $* ends with $status, not $expected: $(tail -n 3 "$err")"
}
console_of() { # NAME: wherever it ran last
    find "$BED/home/alice/.cache/tapgate/run" -path "*/tapgate/$1/console.log" -printf '%T@ %p\n' 2>/dev/null |
        sort -n | sed -n '$s/^[^ ]* //p' | xargs -r cat | tr -d '\r'
}
no_console_of() { # NAME: what earlier runs have said is gone
    find "$BED/home/alice/.cache/tapgate/run" -path "*/tapgate/$1/console.log" -delete 2>/dev/null || true
}
console_said() { # NAME REGEX
    console_of "$1" | matches -aE "$2"
}
guest_says() { # NAME REGEX
    [ -z "$problem" ] || return 0
    lab_poll 40 console_said "$1" "$2" || wrong "the guest of $1 did not say '$2'"
}
# One in a thousand does, in an emulator; and then it is not tapgate that fails.
hangs() { # NAME IP
    [ -n "$(node_of "$1")" ] && ! console_said "$1" 'POWER BUTTON' &&
        ! bed_root ctl busybox ping -c 5 -W 2 "$2" >/dev/null
}
no_job() { # NAME
    [ -z "$(bed_root ctl squeue -h -n "tapgate-$1")" ]
}
# Those that run on beside the next checks, until their own.
staying='limited|stubborn'
no_jobs() { # but theirs
    ! bed_root ctl squeue -h -o %j | matches -Ev "^tapgate-($staying)$"
}
taps_of() { # NODE: but theirs
    # shellcheck disable=SC2016 # the inner shell's
    bed_root "$1" sh -c 'cd /sys/class/net/br0/brif && for port in *; do echo "$port $(cat ../../$port/ifalias)"; done' |
        grep -Ev "^vx0 | vm=($staying)( |$)" || true
}
no_taps() { # on any node
    [ -z "$(taps_of n1)$(taps_of n2)" ]
}
nothing_left() {
    lab_poll 30 no_jobs || wrong "jobs are left over"
    lab_poll 5 no_taps || wrong "taps are left over: $(taps_of n1) $(taps_of n2)"
    ! find $BED/home/alice/.cache/tapgate -name '*.sock' -o -name qemu.pid | grep -Ev "/($staying)/" ||
        wrong "sockets are left over"
}
node_of() { # NAME
    bed_root ctl squeue -h -n "tapgate-$1" -o %N
}
# Its plug is pulled in order 5 s before Slurm would pull its own (KillWait is 20 s here): the VM says
# how it has ended, and the job ends with it.
pulled() { # NAME JOB SINCE STATE: since when it has been asked, in seconds of date
    local log=$BED/home/alice/.local/share/tapgate/$1/slurm.log asked
    console_said "$1" 'POWER BUTTON' || wrong "the guest of $1 saw no power button"
    says "$log" "for at most 15 s$"
    says "$log" "^tapgate: cutting the guest's power$"
    says "$log" "^tapgate: $1 has ended, its guest without having shut down$"
    # Its last words; for Slurm the end of a job is when it is asked.
    asked=$(($(stat -c %Y "$log") - $3))
    { [ "$asked" -ge 14 ] && [ "$asked" -lt 20 ]; } || wrong "$1 has ended $asked s after it was asked"
    bed_root ctl scontrol --oneliner show job "$2" | matches "JobState=$4 " || wrong "its job is not $4"
    ! bed_root n1 pgrep -f "[q]emu.*guest=$1" >/dev/null || wrong "a QEMU is left over on n1"
    ! bed_root n2 pgrep -f "[q]emu.*guest=$1" >/dev/null || wrong "a QEMU is left over on n2"
    [ -z "$(find $BED/home/alice/.cache/tapgate/run -path "*/tapgate/$1/*" \( -name '*.sock' -o -name qemu.pid \))" ] ||
        wrong "sockets of $1 are left over"
}

append="$GUEST_KERNEL"
vm() { # NAME IP OPTION...
    local name=$1 ip=$2
    shift 2
    did 0 create "$name" --on="slurm,partition=vms" --accel=tcg --memory=96M --kernel=/home/guest/kernel \
        --initrd=/home/guest/initramfs.cpio --append="$append tapgate.ip=$ip/24 tapgate.hold=3600" "$@"
}

# One that knows its power button, and boots at once; `deaf': but does nothing about it.
button() { # NAME knows|deaf OPTION...
    local name=$1 image=$BED/home/alice/$1.raw
    cp "$LAB/$2.raw" "$image"
    chown "$BED_UID:$BED_UID" "$image"
    shift 2
    did 0 create "$name" --on="slurm,partition=vms" --accel=tcg --memory=96M --net=none --disk="/home/alice/$name.raw" "$@"
}
boot_sector() { # NAME ASSEMBLER-OPTION...
    local name=$1
    shift
    as --32 "$@" -o "$LAB/$name.o" "$top/tests/guest/power_button.S"
    ld -m elf_i386 -Ttext=0x7c00 --oformat binary -o "$LAB/$name.raw" "$LAB/$name.o"
    truncate -s 1M "$LAB/$name.raw"
}
boot_sector knows
boot_sector deaf --defsym deaf=1

# Slurm counts in minutes: this one runs on beside the next checks.
button limited knows
did 0 start limited --on=slurm,time=1
limited_since=$SECONDS
# And this one's guest does not care; beside the other, so that one node is free of both.
button stubborn deaf
did 0 start stubborn --on="slurm,time=1,nodelist=$(node_of limited)"
stubborn_job=$(bed_root ctl squeue -h -n tapgate-stubborn -o %A)

# --- a lab over two nodes -----------------------------------------------------------------------

cat >$BED/home/alice/rhce.conf <<END
# A class, the server first, wherever Slurm finds room
on = slurm,partition=vms
accel = tcg
kernel = /home/guest/kernel
initrd = /home/guest/initramfs.cpio
memory = 96M

[server]
append = $append tapgate.hold=3600 tapgate.ip=192.0.2.10/24

[client]
count = 4
after = server:address
append = $append tapgate.hold=3600 tapgate.ip=192.0.2.1{n}/24 tapgate.ping=192.0.2.10
END
did 0 lab status rhce.conf
says "$out" '^rhce-server-1 +not made '
did 0 lab up rhce.conf
says "$out" '^the lab rhce runs$'
for i in 1 2 3 4; do
    guest_says "rhce-client-$i" '^PASS'
done
[ "$(bed_root ctl squeue -h -t R -o '%j %N' | sed -n 's/^tapgate-rhce.* //p' | sort -u | wc -l)" = 2 ] || wrong "they are not on two nodes"
took "lab up: 5 guests on two nodes are one LAN"

did 0 lab status rhce.conf
says "$out" '^NAME +STATE +UP +MEMORY +ADDRESS +NODE$'
says "$out" '^rhce-client-4 +running +[0-9:]+ +96M .* n[12]$'
did 0 list
says "$out" '^NAME +STATE +UP +PID +ACCEL +NETWORK +NODE +LIMIT +JOB$'
says "$out" '^rhce-server-1 +running +[0-9:]+ .* n[12] +1:00:00 +[0-9]+$'
did 1 lab reset rhce.conf
did 0 lab up rhce.conf
[ ! -s "$err" ] || ! grep -q 'waiting for Slurm' "$err" || wrong "a VM was started again"
lab_down() {
    tg lab down rhce.conf --timeout=60
}
lab_down
for i in 1 2 3 4; do
    if [ "$status" = 1 ] && hangs "rhce-client-$i" "192.0.2.1$i"; then
        echo "# the guest of rhce-client-$i hangs: it answers no ping, and saw no power button; its power is cut"
        did 0 kill "rhce-client-$i"
        lab_down
    fi
done
[ "$status" = 0 ] || wrong "lab down ends with $status: $(tail -n 3 "$err")"
nothing_left
did 0 lab status rhce.conf
says "$out" '^rhce-client-4 +off '
did 0 lab destroy rhce.conf --yes
[ -z "$(find $BED/home/alice/.config/tapgate $BED/home/alice/.local/share/tapgate -name 'rhce-*')" ] ||
    wrong "files of the lab are left over"
took "status, list, down, destroy: nothing is left on any node"

# --- each verb, from the login node -------------------------------------------------------------

button deaf deaf --net=bridge:br0
did 0 start deaf
staying+='|deaf'
deaf_job=$(bed_root ctl squeue -h -n tapgate-deaf -o %A)

bed_user ctl qemu-img create -q -f qcow2 /home/alice/web.qcow2 64M
vm web 192.0.2.21 --initrd=/home/guest/ssh.cpio --memory=160M --display=vnc --disk=/home/alice/web.qcow2 \
    --append="$append tapgate.ip=192.0.2.21/24 tapgate.ping=192.0.2.1 tapgate.hold=3600"
did 0 start web
says "$out" '^web runs on n[12], job [0-9]+$'
guest_says deaf '^PASS'
guest_says web '^PASS'
did 0 status web
says "$out" '^state +running$'
says "$out" '^node +n[12]$'
says "$out" '^limit +[0-9:]+ of 1:00:00$'
did 0 status web --json
[ "$(jq -r .node "$out")" = "$(node_of web)" ] || wrong "status --json has no node"
did 0 log web
says "$out" 'PASS'
did 0 wait web --for=ssh --timeout=60
did 0 ip web
# The nodes have no address on br0; this host has.
says "$out" '^192\.0\.2\.21$'
did 0 ip web --json
says "$out" '"address": "192.0.2.21"'
did 0 ssh-config web
says "$out" '^    ProxyCommand /usr/local/bin/tapgate ssh-proxy web$'
did 0 ssh web --user=root -- cat /proc/cmdline
says "$out" 'tapgate.ip=192.0.2.21'
# shellcheck disable=SC2016 # the guest's shell's
did 0 exec web --user=root -- sh -c 'echo "$1"' sh 'one  word'
says "$out" '^one  word$'
# A file of this host's, there and back, and the node has it not.
bed_root ctl install -d -m 0700 -o $BED_UID /tmp/alice
head -c 300000 /dev/urandom >$BED/home/alice/random
bed_root ctl install -m 0600 -o $BED_UID /home/alice/random /tmp/alice/random
# shellcheck disable=SC2016 # the inner shell's
bed_user ctl sh -c 'timeout 60 ssh -o ProxyCommand="tapgate ssh-proxy %h" -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null root@tapgate-web cat </tmp/alice/random' >"$LAB/log/random" 2>"$LAB/log/proxy" ||
    wrong "ssh-proxy: $(tail -n 2 "$LAB/log/proxy")"
cmp -s "$LAB/log/random" $BED/home/alice/random || wrong "what came through ssh-proxy is not what went in"
# This guest has no scp for it: but it would go the same way.
install -d -m 0755 $BED/home/scp
printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' >$BED/home/scp/scp
chmod 0755 $BED/home/scp/scp
bed_user ctl env PATH=/home/scp:/usr/local/bin:/usr/bin:/bin tapgate cp /tmp/alice/random web:/tmp/there \
    >"$out" 2>"$err" || wrong "cp: $(tail -n 2 "$err")"
says "$out" '^ProxyCommand=/usr/local/bin/tapgate ssh-proxy web$'
says "$out" '^\[tapgate-web\]:/tmp/there$'
! grep -q '^s[lr][a-z]*[^ ]*: error' "$LAB/log/proxy" || wrong "Slurm's lines are shown: $(cat "$LAB/log/proxy")"
did 1 rename web web2
says "$err" 'web is running already'
tg usage
# But for those that are being ended, on a node where all are.
[ "$status" = 0 ] || says "$err" '(limited|stubborn) .*completing'
says "$out" '^USER +VM .* NODE$'
says "$out" "^alice +web +.* 160M .* $(node_of web)$"
tg top
says "$out" "^alice +web +.* [0-9]+ +[0-9]+M +160M .* $(node_of web)$"
did 0 set web memory=161M
says "$err" 'web is running \(job [0-9]+ on n[12]\); the change counts from its next start on'
did 0 doctor web
says "$out" '^ok +verdict '
bed_user ctl env DISPLAY=:7 tapgate view web </dev/null >"$out" 2>"$err" && wrong "view shows a node's socket"
says "$err" "ssh -N -L 5999:/home/alice/.*/vnc.sock $(node_of web) .*vncviewer .*tapgate screenshot web"
# In a directory that the node does not have.
bed_user ctl qemu-img create -q -f qcow2 /tmp/alice/here.qcow2 8M
in_tmp() { # WORD...
    # shellcheck disable=SC2016 # the inner shell's
    bed_user ctl sh -c 'cd /tmp/alice && exec timeout 60 tapgate "$@"' sh "$@" </dev/null >"$out" 2>"$err"
}
in_tmp attach web disk=here.qcow2 && wrong "a disk that the node does not have is attached"
says "$err" '^tapgate: /tmp/alice/here.qcow2: there is no such image'
says "$err" "here.qcow2 is looked for on $(node_of web), where web runs"

bed_user ctl qemu-img create -q -f qcow2 /home/alice/extra.qcow2 8M
in_tmp attach web disk=/home/alice/extra.qcow2 || wrong "attach: $(tail -n 2 "$err")"
says "$out" '^web has disk1$'
! grep -q chdir "$err" || wrong "slurmstepd's line is shown: $(grep chdir "$err")"
did 1 export web /home/alice/web.tar
says "$err" 'web.qcow2 is in use'
did 0 detach web disk1
did 1 detach web disk1
says "$err" 'web has no .disk1.; it has disk0'
did 1 eject web
says "$err" 'web was started without a CD-ROM drive'
did 3 attach web net=bridge:br7
says "$err" 'br7 .*denied'
did 0 screenshot web shot.png
[ "$(head -c 4 $BED/home/alice/shot.png | tail -c 3)" = PNG ] || wrong "no picture"
did 0 vnc web
did 0 pause web deaf
did 0 status web
says "$out" '^state +paused$'
did 0 resume web deaf
did 0 status web
says "$out" '^state +running$'
# It has 15 s.
bed_user ctl scancel -n tapgate-deaf
deaf_asked=$(date +%s)
did 1 start web
says "$err" 'web is running already \(job [0-9]+ on n[12]\)'
did 1 delete web --yes
# A terminal, with the key that leaves it; the guest goes on.
(
    sleep 1
    printf 'typed there'
    sleep 1
    printf '\035'
) | bed_user ctl timeout 20 script -qec 'tapgate console web' /dev/null >"$out" 2>"$err" ||
    wrong "console at a terminal ends with $?: $(tail -n 2 "$out")"
says "$out" 'typed there'
# To the guest's serial line it is a cable that is plugged out and in.
did 0 status web
says "$out" '^state +running$'
did 0 snapshot save web one
did 0 snapshot list web
says "$out" '^one +'
did 0 snapshot list web --json
[ "$(jq -r '.[].tag' "$out")" = one ] || wrong "snapshot list --json has no tag"
did 0 exec web --user=root -- touch /tmp/later
did 0 snapshot restore web one --yes
did 1 exec web --user=root -- test -e /tmp/later
did 0 snapshot delete web one --yes
did 1 snapshot restore web one --yes
says "$err" 'one'
# Its own words, and not what srun makes of its exit code.
! grep -q '^srun:' "$err" || wrong "srun's line is shown: $(grep '^srun:' "$err")"
did 3 exec web --user=root -- sh -c 'echo "of the guest" >&2; exit 3'
says "$err" '^of the guest'
! grep -q '^srun:' "$err" || wrong "srun's line is shown: $(grep '^srun:' "$err")"
# But srun's own.
install -d -m 0755 $BED/home/other
# shellcheck disable=SC2016 # the script's
printf '#!/bin/bash\nexec /usr/bin/srun "${@/#--jobid=*/--jobid=999999}"\n' >$BED/home/other/srun
chmod 0755 $BED/home/other/srun
bed_user ctl env PATH=/home/other:/usr/local/bin:/usr/bin:/bin tapgate log web >"$out" 2>"$err" &&
    wrong "a srun that fails ends with 0"
says "$err" '^srun: error: .*Invalid job id'
did 0 stop web --timeout=40
guest_says web 'POWER BUTTON'
nothing_left
did 0 log web
says "$out" 'POWER BUTTON'
did 0 stop web
says "$err" 'web does not run'
took "status, log, wait, ip, ssh, console, screenshot, vnc, snapshot, pause, stop: where it runs, whoever asks"

# --- what is the guest's power button -----------------------------------------------------------

# Of a later check, beside web. The terminal is of script(1), and closed when that is gone.
button closed knows
staying+='|closed'
# shellcheck disable=SC2016 # the inner shell's
(bed_user ctl script -qec 'echo $PPID >script.pid; exec tapgate run closed' /dev/null) </dev/null \
    >"$LAB/log/closed" 2>&1 &
terminal=$!
# Slurm begins nothing where a job is being ended.
free=$([ "$(node_of deaf)" = n1 ] && echo n2 || echo n1)
button pressed knows --net=bridge:br0
did 0 start pressed --on="slurm,nodelist=$free,time=7" --memory=144M
did 0 restart pressed --timeout=1 --force --cpus=2
says "$out" "^pressed runs on $free, job [0-9]+$"
did 0 status pressed
says "$out" '^limit +[0-9:]+ of 7:00$'
bed_root "$free" pgrep -af '[q]emu.*guest=pressed' >"$out" || wrong "there is no QEMU on $free"
says "$out" ' -m (size=)?144M?'
says "$out" ' -smp (cpus=)?2'
did 2 restart pressed --on=here
says "$err" 'tapgate stop pressed'
guest_says pressed '^PASS'
took "restart remembers what start was told, and takes what it is told itself"

bed_user ctl scancel -n tapgate-pressed
guest_says pressed 'POWER BUTTON'
lab_poll 25 no_job pressed || wrong "the job is still there"
nothing_left
took "scancel: the guest sees its power button"

lab_poll 40 console_said closed '^PASS' || wrong "the guest does not come up: $(tail -n 3 "$LAB/log/closed")"
bed_root ctl kill -KILL "$(cat $BED/home/alice/script.pid)"
guest_says closed 'POWER BUTTON'
wait $terminal || true
staying='limited|stubborn|deaf'
nothing_left
took "a closed terminal: the power button"

no_deaf() {
    no_job deaf
}
lab_poll 20 no_deaf || wrong "the job of a guest that ignores its power button goes on"
pulled deaf "$deaf_job" "$deaf_asked" CANCELLED
staying='limited|stubborn'
nothing_left
took "scancel and a guest that ignores its power button: the plug is pulled before Slurm's"

# --- in a job, by hand --------------------------------------------------------------------------

printf '#!/bin/sh\ntapgate run web --on=here\necho "rc $?"\n' >$BED/home/alice/plain.sh
bed_user ctl sbatch --wait --mem=400M -o /home/alice/plain.out /home/alice/plain.sh >/dev/null 2>&1 || true
says $BED/home/alice/plain.out 'exec tapgate run web'
says $BED/home/alice/plain.out 'rc 1'
bed_user ctl srun --mem=400M tapgate start web --on=here >"$out" 2>"$err" && wrong "start in a step ends with 0"
says "$err" 'here the way is: tapgate run web'
took "by hand: a script without exec and a start that would not last are refused"
if [ -n "$BED_CGROUP" ]; then
    bed_user ctl srun --mem=300M tapgate doctor --json >"$out" 2>"$err" || true
    says "$out" '(29[0-9]|2[0-8][0-9]) MiB available'
    # The guest alone has more.
    bed_user ctl srun --mem=100M tapgate run web --on=here --no-console >"$out" 2>"$err" && wrong "it ran"
    says "$err" 'the limit of this job or session is 100 MiB'
    took "in a job memory is the job's: doctor, and the error when the kernel kills QEMU"
else
    echo "# not seen: the job's memory as the limit (it needs hierarchies of cgroups, version 1)"
fi

did 1 start web --memory=6G
says "$err" 'Slurm: .*(Memory|node configuration)'
mac=52:54:00:77:00:0 # and a digit
tap="tapgate tap --bridge=br0 --mac=$mac"
# shellcheck disable=SC2086 # words
bed_as n1 mallory $BED_OTHER_UID ${tap}1 -- true >"$out" 2>&1 && wrong "a tap without a job"
says "$out" 'denied'
# And of two each job: here one of alice's, on a node without another.
elsewhere=$([ "$(node_of limited)" = n1 ] && echo n2 || echo n1)
# shellcheck disable=SC2086
bed_user ctl srun -w "$elsewhere" --mem=200M ${tap}2 --fd=3 -- ${tap}3 --fd=4 -- ${tap}4 --fd=5 -- true \
    >"$out" 2>"$err" && wrong "a job has three taps"
says "$err" 'max-taps=2'
# shellcheck disable=SC2086
bed_user ctl srun -w "$elsewhere" --mem=200M ${tap}5 --fd=3 -- ${tap}6 --fd=4 -- true >"$out" 2>"$err" ||
    wrong "a job has not two taps: $(tail -n 2 "$err")"
no_right() { # once Slurm's epilog is through
    # shellcheck disable=SC2086
    ! bed_user "$elsewhere" ${tap}7 -- true >"$out" 2>&1
}
lab_poll 5 no_right || wrong "a right outlives its job"
says "$out" 'denied'
took "who has no job on a node has no tap there, and who has one has two"

# --- twice ----------------------------------------------------------------------------------------

# As a service: there is nobody to type, and it goes on all the same.
bed_user ctl timeout 120 tapgate run web </dev/null >$LAB/log/run 2>&1 &
running=$!
lab_poll 40 grep -qs '^PASS' $LAB/log/run || wrong "run shows nothing of the guest: $(tail -n 3 $LAB/log/run)"
other=$([ "$(node_of web)" = n1 ] && echo n2 || echo n1)
vm twin 192.0.2.22 --net="bridge:br0,mac=$(bed_user ctl tapgate status web --json | jq -r '.nets[0].mac')"
did 1 start twin --on="slurm,nodelist=$other"
says "$err" 'has the MAC address'
did 0 stop web --timeout=40
wait $running || wrong "run ends with $?: $(tail -n 3 $LAB/log/run)"
did 0 start web --on="slurm,nodelist=$other"
guest_says web '^PASS'
[ "$(node_of web)" = "$other" ] || wrong "it is on $(node_of web)"
# What is typed gets there: a line ends this guest.
echo | bed_user ctl timeout 20 tapgate console web >"$out" 2>"$err" || true
lab_poll 20 no_job web || wrong "the guest did not get what was typed at its console"
nothing_left
took "a MAC address that another node has is refused; a VM moves to another node at once"

# --- disks that another host writes to ----------------------------------------------------------

bed_user ctl sh -c 'mkdir -p .local/share/tapgate/gold && qemu-img create -q -f qcow2 .local/share/tapgate/gold/disk.qcow2 16M'
vm gold 192.0.2.23 --disk=/home/alice/.local/share/tapgate/gold/disk.qcow2
did 0 clone gold data
did 0 start data
disks() {
    sha256sum $BED/home/alice/.local/share/tapgate/*/*.qcow2 | sort
}
before=$(disks)
for verb in "clone data data2" "reset data --to-base" "delete data --yes --disks" "snapshot save data one"; do
    # As one who does not know of Slurm.
    # shellcheck disable=SC2086
    bed_user ctl env TAPGATE_ON=here tapgate $verb </dev/null >"$out" 2>"$err" && wrong "$verb ends with 0"
    says "$err" 'is in use'
done
for verb in stop kill; do
    bed_user ctl env TAPGATE_ON=here tapgate $verb data </dev/null >"$out" 2>"$err" &&
        wrong "$verb elsewhere ends with 0"
    says "$err" 'data does not run on this host but on n[12]'
done
[ "$(disks)" = "$before" ] || wrong "the disks are others now"
took "clone, reset, delete, snapshot, stop and kill where it does not run: refused, and it says where"

did 1 reset data --to-base
says "$err" 'data runs'
did 0 reset data --to-base --force
no_job data || wrong "it runs on"
did 0 delete data --yes --disks
[ ! -e $BED/home/alice/.local/share/tapgate/data ] || wrong "files are left over"
nothing_left
took "reset --to-base --force: its power is cut there, and its disks are reset"

# --- ports that are isolated ----------------------------------------------------------------------

for node in n1 n2; do
    bed_root $node sed -i 's/$/ isolated/' /etc/tapgate/slurm-rules
done
bed_user ctl srun -w n1 --mem=200M tapgate doctor --json >"$out" 2>"$err" || true
[ "$(jq -r '.[] | select(.check == "isolated") | .result' "$out")" = warn ] ||
    wrong "doctor does not see that vx0 is not isolated"
[ "$(jq -r '.[] | select(.check == "mtu") | .result' "$out")" = ok ] || wrong "doctor does not see that the MTU fits"
for node in n1 n2; do
    bed_root $node bridge link set dev vx0 isolated on
    bed_root $node ip addr add 192.0.2.254/24 dev br0
done
# The gateway is each node's own.
vm iso1 192.0.2.31 --append="$append tapgate.ip=192.0.2.31/24 tapgate.ping=192.0.2.254 tapgate.hold=3600"
vm iso2 192.0.2.32 --append="$append tapgate.ip=192.0.2.32/24 tapgate.ping=192.0.2.31 tapgate.count=1 tapgate.hold=3600"
did 0 start iso1 --on=slurm,nodelist=n1
guest_says iso1 '^PASS'
did 0 start iso2 --on=slurm,nodelist=n2
guest_says iso2 '^FAIL: 192.0.2.31 did not answer'
did 0 kill iso1
did 0 kill iso2
for node in n1 n2; do
    bed_root $node sed -i 's/ isolated//' /etc/tapgate/slurm-rules
    bed_root $node bridge link set dev vx0 isolated off
    bed_root $node ip addr del 192.0.2.254/24 dev br0
done
nothing_left
took "isolated across hosts, with a gateway on each; doctor sees a port to them that is not"

lab_poll $((limited_since + 130 - SECONDS)) console_said limited 'POWER BUTTON' ||
    wrong "no power button $((SECONDS - limited_since)) s after a start with a limit of 60 s"
lab_poll 30 no_job limited || wrong "the job is still there"
took "the time limit: the power button"

no_stubborn() {
    no_job stubborn
}
lab_poll 40 no_stubborn || wrong "the job of a guest that ignores its power button goes on"
stubborn_log=$BED/home/alice/.local/share/tapgate/stubborn/slurm.log
stubborn_asked=$(sed -n 's/^slurmstepd.* CANCELLED AT \([^ ]*\) DUE TO TIME LIMIT.*/\1/p' "$stubborn_log")
pulled stubborn "$stubborn_job" "$(date -d "${stubborn_asked:-now}" +%s)" TIMEOUT
took "the time limit and a guest that ignores its power button: the plug is pulled before Slurm's"

# --- a queue --------------------------------------------------------------------------------------

vm big 192.0.2.41 --memory=3500M
for node in n1 n2; do
    bed_root ctl scontrol update nodename=$node state=drain reason=test
done
began_waiting=$SECONDS
bed_user ctl timeout 60 tapgate start big </dev/null >$LAB/log/start 2>&1 &
starting=$!
queued() {
    bed_user ctl tapgate list 2>/dev/null | matches -E '^big +queued: '
}
lab_poll 20 queued || wrong "list does not have it as queued"
did 0 status big
says "$out" '^state +queued: '
did 1 ssh big
says "$err" 'big is queued: .*tapgate stop takes it out of the queue'
did 0 stop big
says "$err" 'is out of the queue'
wait $starting && wrong "start ends with 0"
says $LAB/log/start 'big: queued: '
says $LAB/log/start 'big did not start: job [0-9]+: CANCELLED'
nothing_left
[ $((SECONDS - began_waiting)) -lt 40 ] || wrong "it took $((SECONDS - began_waiting)) s"
# A room of twenty, for which there is no place in time: none of it stays.
cat >$BED/home/alice/room.conf <<END
on = slurm,partition=vms
accel = tcg
kernel = /home/guest/kernel
initrd = /home/guest/initramfs.cpio
memory = 96M
[seat]
count = 20
END
bed_user ctl timeout 90 tapgate lab up room.conf --timeout=5 </dev/null >$LAB/log/room 2>&1 &
starting=$!
twenty_queued() {
    bed_user ctl tapgate list >"$out" 2>"$err" && [ "$(grep -c '^room-seat-[0-9]* .*queued: ' "$out")" = 20 ]
}
lab_poll 20 twenty_queued || wrong "list does not have 20 that wait: $(wc -l <"$out")"
milliseconds() { # COMMAND...
    local start
    start=$(date +%s%N)
    "$@"
    listed=$((($(date +%s%N) - start) / 1000000))
}
milliseconds did 0 list
wait $starting && wrong "lab up ends with 0"
says $LAB/log/room 'the lab room does not start: .* was not started: not within 5 s'
says $LAB/log/room 'what was made and started for it is gone again'
nothing_left
[ -z "$(find $BED/home/alice/.config/tapgate -name 'room-*')" ] || wrong "VMs of the lab are left over"
for node in n1 n2; do
    bed_root ctl scontrol update nodename=$node state=resume
done
took "a queue: its reason, out of it again, and a lab of 20 that gives up waiting (list: $listed ms)"

# What Slurm says of a thousand, in the place of a Slurm with a thousand.
install -d -m 0755 $BED/home/many
seq 1000 | sed 's/.*/&|PENDING||0:00|8:00:00|Priority|tapgate-vm&/' >$BED/home/many/queue
printf '#!/bin/sh\nexec cat /home/many/queue\n' >$BED/home/many/squeue
chmod 0755 $BED/home/many/squeue
milliseconds bed_user ctl env PATH=/home/many:/usr/local/bin:/usr/bin:/bin tapgate list >"$out" 2>"$err"
[ "$(grep -c '^vm[0-9]* .*queued: Priority .* 8:00:00 ' "$out")" = 1000 ] || wrong "list has not 1000: $(wc -l <"$out")"
[ "$listed" -lt $((500 * LAB_PATIENCE)) ] || wrong "list takes $listed ms"
took "list of 1000 jobs: $listed ms"

# --- who is not there ---------------------------------------------------------------------------

lab_poll 20 bed_idle || true
did 0 start web
bed_root ctl kill -STOP "$(bed_root ctl cat /run/slurmctld.pid)"
# All of them at once, since each waits 3 s.
verbs=("status web" "stop web" list "start twin" "list --all")
waiting=()
for i in "${!verbs[@]}"; do
    # shellcheck disable=SC2086
    bed_user ctl timeout -k 1 90 tapgate ${verbs[i]} </dev/null >"$LAB/log/silent$i.out" 2>"$LAB/log/silent$i.err" &
    waiting+=($!)
done
for i in "${!verbs[@]}"; do
    status=0
    wait "${waiting[i]}" || status=$?
    [ $status = 1 ] || wrong "tapgate ${verbs[i]} ends with $status, not 1"
    says "$LAB/log/silent$i.err" 'Slurm does not answer .*within 3 s'
done
says "$LAB/log/silent4.out" '^web +unknown '
bed_root ctl kill -CONT "$(bed_root ctl cat /run/slurmctld.pid)"
did 0 status web
says "$out" '^state +running'
# One that waits goes on waiting.
bed_user ctl timeout 60 tapgate start iso2 --on=slurm,hold </dev/null >$LAB/log/start 2>&1 &
starting=$!
lab_poll 10 grep -qs 'iso2: queued: ' $LAB/log/start || wrong "the start does not wait"
bed_root ctl kill -STOP "$(bed_root ctl cat /run/slurmctld.pid)"
lab_poll 10 grep -q 'Slurm does not answer just now' $LAB/log/start || wrong "the start does not say that Slurm is silent"
bed_root ctl kill -CONT "$(bed_root ctl cat /run/slurmctld.pid)"
bed_root ctl scontrol release "$(bed_root ctl squeue -h -n tapgate-iso2 -o %A)"
wait $starting || wrong "a start does not outlive a controller that is silent: $(tail -n 2 $LAB/log/start)"
did 0 kill iso2
took "a controller that does not answer: said within 3 s, exit code 1, never \"off\""

node=$(node_of web)
bed_root ctl scontrol update nodename="$node" state=down reason=test
lab_poll 20 no_job web || wrong "its job stays"
# It may have come back by itself.
bed_root ctl scontrol update nodename="$node" state=resume 2>>"$err" || true
lab_poll 30 bed_idle || wrong "the nodes do not come back"
lab_poll 10 no_taps || wrong "taps are left over"
did 0 start web
guest_says web '^PASS'
did 0 stop web --timeout=40
took "a node that is down: its VM is given up, and starts elsewhere"

# --- EVPN ------------------------------------------------------------------------------------------

bed_evpn
evpn_up() {
    [ "$(bed_root ctl bridge fdb show dev vx0 | grep -c '^00:00:00:00:00:00 ')" -ge 2 ]
}
lab_poll 30 evpn_up || wrong "the nodes do not find each other by EVPN"
did 0 start web --on=slurm,nodelist=n1
guest_says web '^PASS'
web_mac=$(bed_user ctl tapgate status web --json | jq -r '.nets[0].mac')
told() { # NODE
    bed_root "$1" bridge fdb show dev vx0 | matches "^$web_mac .*extern_learn.*master br0\|^$web_mac .*master br0.*extern_learn"
}
bed_root ctl busybox ping -c 1 -W 2 192.0.2.21 >/dev/null || wrong "the login node does not reach the guest"
lab_poll 10 told n2 || wrong "n2 is not told of it: $(bed_root n2 bridge fdb show dev vx0 | head -n 5)"
did 1 start twin --on=slurm,nodelist=n2
says "$err" 'has the MAC address'
did 0 stop web --timeout=40
did 0 start web --on=slurm,nodelist=n2
guest_says web '^PASS'
did 0 stop --all --timeout=40
nothing_left
took "EVPN: a duplicate is refused, a VM moves"

if [ -n "${TAPGATE_LONG:-}" ]; then
    # The memory controller is in one version of cgroups, here mostly in the first: a kernel of its own.
    mapfile -t linked < <({ ldd "$launcher" && ldd "$(command -v qemu-system-x86_64)"; } | grep -o '/[^ ]*' | sort -u)
    for file in /usr/share/seabios/bios-256k.bin /usr/share/qemu/{linuxboot,linuxboot_dma,kvmvapic}.bin \
        /usr/lib/x86_64-linux-gnu/qemu/accel-tcg-*.so; do
        [ ! -e "$file" ] || linked+=("$file")
    done
    "$top/tests/guest/build" "$TAPGATE_GUEST" $LAB/memory2.cpio "$here/cluster/memory2" "$launcher" \
        "$(command -v qemu-system-x86_64)" "$TAPGATE_GUEST/vmlinuz" "${linked[@]}"
    timeout $((120 * LAB_PATIENCE)) qemu-system-x86_64 -accel tcg -m 1024 -nodefaults -no-user-config -nographic \
        -serial stdio -no-reboot -nic none -kernel "$TAPGATE_GUEST/kernel" -initrd $LAB/memory2.cpio \
        -append "$GUEST_KERNEL cgroup_no_v1=all" </dev/null 2>&1 |
        tr -d '\r' >"$out" || wrong "the guest does not come to its end"
    : >"$err"
    part() { # NAME REGEX: what the guest says of it
        awk -v name="$1" '/^[A-Z]+-[0-9A-Z]+$/ { is = $0 == name } is' "$out" | matches -E "$2" || wrong "$1: not '$2'"
    }
    says "$out" '^CONTROLLERS .*memory'
    says "$out" '^PASS$'
    part DOCTOR-MAX '"text": "[0-9]+ MiB available"$'
    # The kernel's own number, which grows while a guest that has just booted frees what it booted from.
    awk '$1 == "FREE" { free[++n] = $2 }
        /"text": "[0-9]+ MiB available"/ { split($0, word, "\""); said = word[4] + 0 }
        END { exit !(n == 2 && said >= free[1] - 16 && said <= free[2] + 16) }' "$out" || wrong "doctor's number is not the kernel's"
    part DOCTOR-150M '"text": "1[34][0-9] MiB available \(of the limit of this job or session, 150 MiB\)"$'
    part LAB-150M 'and 1[34][0-9] MiB are to spare of the limit of this job or session, 150 MiB;'
    part LAB-150M '^EXIT 1$'
    part QEMU-60M '^tapgate: the kernel has killed QEMU .* the limit of this job or session is 60 MiB'
    part QEMU-60M '^EXIT 1$'
    part QEMU-12M '^tapgate: the kernel has killed QEMU .* the limit of this job or session is 12 MiB'
    part QEMU-12M '^EXIT 1$'
    took "cgroups, version 2: the job's memory in doctor and lab up, and the error when the kernel kills QEMU"

    did 0 start web --on=slurm,nodelist=n1
    guest_says web '^PASS'
    kill -KILL "$(bed_pid n1)"
    lab_poll 60 no_job web || wrong "its job stays"
    did 0 start web
    [ "$(node_of web)" = n2 ] || wrong "it is on $(node_of web)"
    did 0 kill web
    took "a node that dies: its VM starts on the other one"
fi

summary
