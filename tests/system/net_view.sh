#!/bin/bash
# The network as tapgate's verbs see it, with a real guest on a bridge: bridges, ip, ssh, ssh-config
# and wait. The guest has an SSH server and a key that only this test has.
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher ssh-guest -- ssh busybox qemu-ga
install -m 0600 -o "$LAB_UID" -g "$LAB_UID" "$TAPGATE_GUEST/ssh.key" $LAB/home/key
lab_bridge br0 192.0.2.1/24
# Otherwise its own address is on trial for two seconds, and nobody is called from it meanwhile.
echo 0 >/proc/sys/net/ipv6/conf/br0/accept_dad
lab_policy 'allow br0'
lab_install_built_in "$helper"

state=/run/user/$LAB_UID/tapgate/lab
mac=52:54:00:00:00:01
evidence=("$out" "$err" "$state/console.log" "$state/qemu.log")

# tap_gate ARGS...: as the lab user; output in $out and $err; true when it exits with 0.
tap_gate() {
    (lab_exec $LAB/tapgate "$@") >"$out" 2>"$err" </dev/null
}

# holds NAME COMMAND...: as the command succeeds, whose output is nobody's.
holds() {
    "${@:2}" || wrong "this failed: ${*:2}"
    result "$1"
}

# check NAME REGEX FILE: the file has a line that matches.
check() {
    says "$3" "$2"
    result "$1"
}

vm_start() { # GUEST-WORDS NET
    tap_gate create lab --memory=128M --accel=tcg --kernel=$GUEST_DIR/kernel \
        --initrd=$LAB/guest/ssh.cpio --net="$2" \
        --append="$GUEST_KERNEL tapgate.hold=120 $1"
    tap_gate start lab || die "tapgate start: $(cat "$err")"
}

vm_stop() {
    tap_gate kill lab
    tap_gate delete lab --yes
}

# --- before there is a guest ---------------------------------------------------------------------

for verb in ip ssh ssh-config "wait --for=address" "exec --via=ssh"; do
    # shellcheck disable=SC2086,SC2046 # a verb and its option
    ! tap_gate $verb lab $([[ $verb != exec* ]] || echo -- true) || wrong "exit status 0"
    check "$verb without a VM" '^tapgate: no VM is called lab: .*tapgate create lab' "$err"
done
! tap_gate wait lab --for=running --timeout=0 || wrong "exit status 0"
check "wait for a VM that there is not" 'no VM is called lab: ' "$err"
tap_gate create lab --net=none || wrong "exit status $?"
! tap_gate wait lab --for=running --timeout=0 || wrong "exit status 0"
check "wait for nothing has a limit" 'lab: not ready within 0 s: it is off' "$err"
tap_gate delete lab --yes || wrong "exit status $?"

# --- a guest that has said nothing, then one that has ---------------------------------------------

# No IPv6: it does not answer when it is called, and says nothing by itself before its ping.
vm_start "ipv6.disable=1 tapgate.ip=192.0.2.10/24" "bridge:br0,mac=$mac"
! tap_gate ip lab || wrong "exit status 0"
check "ip of a silent guest" "no address known: no frame came from $mac to br0 yet" "$err"

! tap_gate exec lab -- true || wrong "exit status 0"
check "exec in a guest that boots" '[;(] ?tapgate wait lab waits for it' "$err"

# Nobody but this host's own kernel asks: its answer is in the neighbour table then.
lab_poll 20 grep -q '^PASS' "$state/console.log" || die "the guest did not boot"
! tap_gate wait lab --for=address --timeout=1 || wrong "exit status 0"
check "wait for an address has a limit" 'lab: not ready within 1 s' "$err"
busybox ping -c 1 -W 5 192.0.2.10 >/dev/null || die "the guest does not answer"

tap_gate ip lab || wrong "exit status $?"
check "ip: from the neighbour table" '^192\.0\.2\.10$' "$out"
tap_gate ip lab --json || wrong "exit status $?"
check "ip --json" '"source": "neighbours"' "$out"

tap_gate doctor lab || wrong "exit status $?"
check "doctor: the guest's address" "^ok +guest +$mac has 192\.0\.2\.10$" "$out"
! tap_gate wait lab --for=agent --timeout=1 || wrong "exit status 0"
check "wait for an agent that is not there" 'lab: not ready within 1 s: no guest agent answers' "$err"

# Another ordinary user, who has nothing to do with this VM.
setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all -- \
    env -i HOME=/nonexistent PATH=/usr/bin:/bin $LAB/tapgate bridges >"$out" 2>"$err" || wrong "exit status $?"
check "bridges: for anybody: owner, VM, MAC, address" \
    "^br0 .* no .* forwarding +$LAB_USER +lab +$mac +192\.0\.2\.10$" "$out"

# --- ssh ------------------------------------------------------------------------------------------

mkdir -m 0700 $LAB/home/.ssh
echo "IdentityFile $LAB/home/key" >$LAB/home/.ssh/config
chown -R "$LAB_UID:$LAB_UID" $LAB/home/.ssh
tap_gate wait lab --timeout=30 || wrong "exit status $?"
result "wait for ssh"
status=0
# shellcheck disable=SC2016 # the guest's shell expands it
tap_gate ssh lab -l root -- 'echo "guest: $USER" && exit 7' || status=$?
check "ssh: a command in the guest" '^guest: root$' "$out"
holds "ssh: its exit status" [ "$status" = 7 ]
known=$LAB/home/.local/share/tapgate/lab/known_hosts
check "ssh: the guest's key is the VM's" '^[^ ]+ ssh-ed25519 ' "$known"
holds "ssh: and nowhere else" [ ! -e $LAB/home/.ssh/known_hosts ]

tap_gate ssh-config lab --user=root || wrong "exit status $?"
cp "$out" $LAB/home/ssh-config
# shellcheck disable=SC2317 # called by holds
plain_ssh() {
    (lab_exec ssh -F "$LAB/home/ssh-config" -i "$LAB/home/key" lab true) >"$out" 2>"$err" </dev/null
}
holds "ssh-config: ssh takes it" plain_ssh

# exec: each word as it is, however the guest's shell takes ssh's apart.
status=0
# shellcheck disable=SC2016
tap_gate exec lab -l root -- sh -c 'echo "<$1> <$2>"; exit 9' x 'two  words' '$HOME;*' || status=$?
# shellcheck disable=SC2016
check "exec: each word as it is" '^<two  words> <\$HOME;\*>$' "$out"
holds "exec: its exit status" [ "$status" = 9 ]
! tap_gate exec lab --via=agent -- true || wrong "exit status 0"
check "exec: without an agent" 'no guest agent answers; in the guest: apt install qemu-guest-agent' "$err"

# For all VMs, those to come too: ssh asks for the way when it connects.
tap_gate ssh-config --install --user=root || wrong "exit status $?"
check "ssh-config --install: says what it did" 'config includes it' "$err"
# shellcheck disable=SC2317 # called by holds
pattern_ssh() {
    (lab_exec ssh tapgate-lab 'echo by the pattern') >"$out" 2>"$err" </dev/null
}
holds "ssh-config --install: ssh takes it" pattern_ssh
check "ssh by the pattern" '^by the pattern$' "$out"
pattern_known=$LAB/home/.local/share/tapgate/.known_hosts/tapgate-lab
check "ssh by the pattern: the key is the VM's" 'ssh-ed25519 ' "$pattern_known"

# cp is scp, which the guest has not: what it is called with.
printf '#!/bin/sh\nprintf "<%%s>" "$@"\n' >$LAB/scp
chmod 0755 $LAB/scp
mount --bind $LAB/scp "$(command -v scp)"
echo x >$LAB/home/a:b
tap_gate cp ./a:b lab:/tmp/c -l root || wrong "exit status $?"
check "cp: to the guest" '<User root>.*<--><(\./)+a:b><\[192\.0\.2\.10\]:/tmp/c>' "$out"
tap_gate cp lab:/tmp/c here || wrong "exit status $?"
check "cp: from the guest" '<--><\[192\.0\.2\.10\]:/tmp/c><\./here>' "$out"
! tap_gate cp lab:/x web:/y || wrong "exit status 0"
check "cp: between two guests" 'two guests take two steps' "$err"
! tap_gate cp nothing lab:/x || wrong "exit status 0"
check "cp: of no file" 'nothing: there is no such file' "$err"
umount "$(command -v scp)"

# Another key under the same name: somebody else, or a VM that was made anew.
sed -i 's/ssh-ed25519 .*/ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII/' "$known"
! tap_gate ssh lab -l root -- true || wrong "exit status 0"
check "ssh: another key is refused" 'Host key verification failed|HOST IDENTIFICATION HAS CHANGED' "$err"
vm_stop
holds "delete: the guest's key goes, too" [ ! -e "$known" ]
holds "delete: ssh's own too" [ ! -e "$pattern_known" ]

# --- called by its link-local address --------------------------------------------------------------

ip neigh flush dev br0
vm_start "tapgate.ip=198.51.100.7/24" "bridge:br0,mac=$mac"
tap_gate wait lab --for=ssh --timeout=30 || wrong "exit status $?"
tap_gate ip lab || wrong "exit status $?"
check "ip: a guest that is called" '^fe80::5054:ff:fe00:1%br0$' "$out"
tap_gate ssh lab -l root -- 'echo by IPv6' || wrong "exit status $?"
check "ssh: by IPv6" '^by IPv6$' "$out"

# A guest whose power is cut closes no connection.
# asks WORDS...: in the background, as the lab user; what it says is in a file of its own.
asks() {
    local said="$LAB/log/${1##*/} $2"
    (lab_exec "$@") </dev/null >"$said" 2>&1 &
    askers[$!]=$said
}
# shellcheck disable=SC2317 # lab_poll calls it
all_ask() {
    [ "$(cat "${askers[@]}" | grep -c '^begun$')" = ${#askers[@]} ]
}
declare -A askers=()
asks $LAB/tapgate ssh lab -l root -- 'echo begun; sleep 600'
asks $LAB/tapgate exec lab -l root -- sh -c 'echo begun; sleep 600'
asks ssh tapgate-lab 'echo begun; sleep 600'
lab_poll 10 all_ask || wrong "not all are logged in: $(cat "${askers[@]}")"
tap_gate kill lab
for asker in "${!askers[@]}"; do
    lab_poll 5 test ! -e "/proc/$asker" || { wrong "it goes on: ${askers[$asker]}"; kill "$asker"; }
    status=0
    wait "$asker" || status=$?
    [ $status = 255 ] || wrong "exit status $status: ${askers[$asker]}"
    check "power cut: ${askers[$asker]##*/}" '^tapgate: lab does not run any more; start it with: tapgate start lab' "${askers[$asker]}"
done
vm_stop

# --- behind QEMU's NAT ------------------------------------------------------------------------------

vm_start "tapgate.ip=10.0.2.15/24" "user,mac=$mac,hostfwd=tcp:127.0.0.1:0-:22"
! tap_gate ssh lab -l root -- true || wrong "exit status 0"
check "ssh: QEMU's own answer is no server's" \
    'no SSH server answers: 127.0.0.1 port [0-9]+: it (takes|closes)' "$err"
tap_gate ip lab || wrong "exit status $?"
check "ip: a forward" "^127\.0\.0\.1 port [0-9]+ \(tcp, the guest's 22\)$" "$out"
tap_gate wait lab --timeout=30 || wrong "exit status $?"
tap_gate ssh lab -l root -- 'echo through the NAT' || wrong "exit status $?"
check "ssh: through a forward" '^through the NAT$' "$out"
vm_stop

# --- by the agent, without a network ------------------------------------------------------------------

# Debian's own agent, at the end of QEMU's channel that is this host's: what it calls the guest's files are
# those in the lab user's home.
vm_start quiet none
! tap_gate cp lab:/etc/passwd here || wrong "exit status 0"
check "cp: without any way" 'no network adapter' "$err"
! tap_gate cp --via=agent lab:/etc/passwd here || wrong "exit status 0"
check "cp: without an agent" 'no guest agent answers; in the guest: apt install qemu-guest-agent' "$err"
mv "$state/agent.sock" "$state/qemu.sock"
(lab_exec "$(command -v qemu-ga)" --method=unix-listen --path="$state/agent.sock" --statedir=$LAB/home \
    --pidfile=$LAB/home/ga.pid) >$LAB/log/agent 2>&1 &
agent=$!
lab_poll 5 test -S "$state/agent.sock" || die "the agent does not start: $(cat $LAB/log/agent)"
# More than a few pieces, all bytes, and no whole number of anything.
(lab_exec sh -c 'head -c 5000001 /dev/urandom >sent; mkdir guest there; : >empty')
tap_gate cp sent lab:$LAB/home/guest/file || wrong "exit status $?"
holds "cp: to a guest without network" cmp $LAB/home/sent $LAB/home/guest/file
tap_gate cp lab:$LAB/home/guest/file received || wrong "exit status $?"
holds "cp: and back" cmp $LAB/home/sent $LAB/home/received
tap_gate cp --via=agent sent lab:$LAB/home/guest || wrong "exit status $?"
holds "cp: into a directory of the guest's" cmp $LAB/home/sent $LAB/home/guest/sent
tap_gate cp --via=agent lab:$LAB/home/guest/sent there || wrong "exit status $?"
holds "cp: into a directory here" cmp $LAB/home/sent $LAB/home/there/sent
tap_gate cp empty lab:$LAB/home/guest/ || wrong "exit status $?"
tap_gate cp lab:$LAB/home/guest/empty there || wrong "exit status $?"
holds "cp: of nothing" cmp $LAB/home/empty $LAB/home/there/empty
! tap_gate cp there lab:$LAB/home/guest || wrong "exit status 0"
check "cp: of a directory, by the agent" 'the agent takes files only: tar -cf' "$err"
! tap_gate cp sent lab:/etc/shadow || wrong "exit status 0"
check "cp: what the guest refuses" "guest-file-open: .*Permission denied" "$err"
! tap_gate cp lab:$LAB/home/none received || wrong "exit status 0"
check "cp: of no file in the guest" "guest-file-open: .*No such file" "$err"
holds "cp: which leaves the old one" cmp $LAB/home/sent $LAB/home/received
! tap_gate cp -l alice lab:$LAB/home/sent received || wrong "exit status 0"
check "cp: as another user" 'its agent, which does, would do it as root and not as alice' "$err"
! tap_gate cp --via=ssh lab:$LAB/home/sent received || wrong "exit status 0"
check "cp: by ssh only" 'no network adapter' "$err"
holds "cp: no part is left" [ -z "$(find $LAB/home -name "*.part.*")" ]
status=0
tap_gate exec lab -- sh -c 'echo by the real agent; exit 5' || status=$?
[ $status = 5 ] || wrong "exit status $status"
check "exec: by a real agent" '^by the real agent$' "$out"
# What is ended here does not go on in the guest.
# shellcheck disable=SC2016 # for the shell in the guest
(lab_exec $LAB/tapgate exec lab -- sh -c 'echo $$ >"$1"; echo begun; exec sleep 600' - $LAB/home/running) \
    >"$out" 2>"$err" </dev/null &
ended=$!
lab_poll 10 test -s $LAB/home/running || wrong "it runs nothing"
kill -TERM $ended
status=0
wait $ended || status=$?
[ $status = 143 ] || wrong "exec ends with $status"
! kill "$(cat $LAB/home/running)" 2>/dev/null || wrong "the command goes on in the guest"
check "exec: a signal ends the command in the guest" '^begun$' "$out"
# The power is cut: QEMU ends, and with it the channel.
(lab_exec $LAB/tapgate exec lab -- sleep 60) >/dev/null 2>$LAB/log/cut </dev/null &
cut=$!
sleep 1
vm_stop
kill $agent
wait $agent || true
! wait $cut || wrong "exit status 0"
check "exec: the power is cut" '^tapgate: lab does not run any more; start it with' $LAB/log/cut

# --- a lab ------------------------------------------------------------------------------------------

cat >$LAB/home/class.lab <<EOT
memory = 128M
accel = tcg
kernel = $GUEST_DIR/kernel
initrd = $LAB/guest/ssh.cpio
append = $GUEST_KERNEL tapgate.hold=120 tapgate.ip=192.0.2.10/24
[one]
net = bridge:br0,mac=$mac
[two]
net = none
EOT
chmod 0644 $LAB/home/class.lab
! tap_gate lab exec class.lab -- true || wrong "exit status 0"
check "lab exec: no VM runs" 'no VM of the lab .* runs; start them with: tapgate lab up /' "$err"
tap_gate lab up class.lab || die "lab up: $(cat "$err")"
one=$(tap_gate lab status class.lab; awk '$1 ~ /one/ { print $1 }' "$out")
tap_gate wait "$one" --timeout=30 || wrong "exit status $?"
! tap_gate lab exec class.lab -l root -- sh -c 'echo first; echo second' || wrong "exit status 0"
check "lab exec: each line behind its VM's name" "^$one: first$" "$out"
check "lab exec: the other lines, too" "^$one: second$" "$out"
check "lab exec: what failed, and where" '^[a-z.-]*two-1: tapgate: .*no network adapter' "$err"
[ "$(grep -c 'no network adapter' "$err")" = 1 ] || wrong "it is told more than once: $(cat "$err")"
check "lab exec: how many failed" '^tapgate: 1 of 2 failed$' "$err"
! tap_gate lab exec class.lab -l root -- seq 100000 || wrong "exit status 0"
[ "$(grep -c "^$one: [0-9]*$" "$out")" = 100000 ] || wrong "$(wc -l <"$out") lines"
check "lab exec: all of a long output" "^$one: 100000\$" "$out"
# shellcheck disable=SC2317 # lab_poll calls them
ssh_runs() { grep -qsx ssh /proc/[0-9]*/comm; }
# shellcheck disable=SC2317
no_ssh_runs() { ! ssh_runs; }
(lab_exec $LAB/tapgate lab exec class.lab -l root -- sleep 120) </dev/null >"$out" 2>"$err" &
in_lab=$!
lab_poll 10 ssh_runs || wrong "it runs nothing"
kill -TERM $in_lab
lab_poll 5 test ! -e "/proc/$in_lab" || wrong "it goes on"
status=0
wait $in_lab || status=$?
[ $status = 143 ] || wrong "lab exec ends with $status"
lab_poll 2 no_ssh_runs || wrong "a command is left"
check "lab exec: a signal ends the commands" '^tapgate: 2 of 2 failed$' "$err"
! tap_gate lab exec class.lab || wrong "exit status 0"
check "lab exec: of nothing" 'needs a command' "$err"
tap_gate lab exec class.lab one-1 -l root -- sh -c 'echo alone' || wrong "exit status $?"
! grep -q two-1 "$err" || wrong "it asks the other, too"
check "lab exec: in one" '^alone$' "$out"
! tap_gate lab exec class.lab one-2 -l root -- true || wrong "exit status 0"
check "lab exec: in one that there is not" "is no VM of the lab class.lab; it has .*did you mean .one-1" "$err"
! tap_gate lab exec class.lab one-1 two-1 -- true || wrong "exit status 0"
check "lab exec: in two" 'one of its VMs, or none for each' "$err"
# shellcheck disable=SC2016 # the guest's shell expands it
tap_gate lab ssh class.lab one-1 -l root -- 'echo "$0 in one"' || wrong "exit status $?"
check "lab ssh: one, by its short name" '^-?(/bin/)?sh in one$' "$out"
# shellcheck disable=SC2016 # so does that
(lab_exec $LAB/tapgate lab ssh class.lab "$one" -l root <<<'echo $((6 * 7))') >"$out" 2>"$err" || wrong "exit status $?"
check "lab ssh: by its name, a login" '^42$' "$out"
! tap_gate lab ssh class.lab -l root -- 'echo first; echo second' || wrong "exit status 0"
check "lab ssh: a command in each" "^$one: second$" "$out"
check "lab ssh: what failed" '^[a-z.-]*two-1: tapgate: .*no network adapter' "$err"
! tap_gate lab ssh class.lab -l root || wrong "exit status 0"
check "lab ssh: which" 'which of them.*it has one-1, two-1; ' "$err"
! tap_gate lab ssh class.lab one-2 || wrong "exit status 0"
check "lab ssh: one that there is not" "is no VM of the lab class.lab; it has .*did you mean .one-1" "$err"
! tap_gate lab cp class.lab "$LAB/home/sent" :/tmp/from-the-lab -l root || wrong "exit status 0"
check "lab cp: who could not have it" '^[a-z.-]*two-1: .*no network adapter' "$err"
tap_gate lab ssh class.lab one-1 -l root -- 'wc -c </tmp/from-the-lab' || wrong "exit status $?"
check "lab cp: and who has it" "^$(stat -c %s $LAB/home/sent)\$" "$out"
! tap_gate lab cp class.lab a:b /tmp || wrong "exit status 0"
check "lab cp: to nowhere" 'lab cp FILE PATH :PATH' "$err"
(lab_exec timeout 60 $LAB/tapgate lab exec class.lab -l root -- sleep 120) </dev/null >"$out" 2>"$err" &
in_lab=$!
lab_poll 10 ssh_runs || wrong "it runs nothing"
(lab_exec $LAB/tapgate kill "$one") || wrong "it is not killed"
status=0
wait $in_lab || status=$?
[ $status = 1 ] || wrong "lab exec ends with $status"
check "lab exec: a VM without power" "^$one: tapgate: $one does not run any more; start it" "$err"
tap_gate lab destroy class.lab --yes --timeout=0 --force || wrong "exit status $?"

summary
