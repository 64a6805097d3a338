#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `tapgate run', whose end is the VM's, and whose terminal is the guest's: what ends it, by which exit code,
# and how a terminal is afterwards.
# shellcheck disable=SC2317 # the functions that lab_poll calls
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher guest -- script
lab_bridge br0 192.0.2.1/24
lab_policy 'allow br0'
lab_install "$helper" setuid

linux=(--kernel="$GUEST_DIR/kernel" --initrd="$GUEST_DIR/initramfs.cpio" --memory=128M --accel=tcg)
with_helper=(--helper="$LAB_HELPER")
did 0 create lab "${linux[@]}" --append="$GUEST_APPEND tapgate.hold=300"
# A guest that looks at no power button: the firmware, which finds nothing to boot.
did 0 create bare --memory=64M --accel=tcg --net=none

(lab_exec "$tapgate" run lab "${with_helper[@]}" --append="$GUEST_APPEND") </dev/null >"$out" 2>"$err" ||
    wrong "run ends with $?"
says "$out" '^PASS'
must_be lab off
result "run: the console on stdout, and 0 when the guest has powered off"

for signal in TERM HUP INT; do
    : >"$out" # not the PASS of the run before
    # In the background a shell's child ignores SIGINT.
    (lab_exec setsid env --default-signal=INT "$tapgate" run lab "${with_helper[@]}") </dev/null >"$out" 2>"$err" &
    run=$!
    lab_poll "${TAPGATE_BOOT_TIMEOUT:-20}" said "$out" '^PASS' || wrong "no PASS"
    kill -$signal "$run" || wrong "run is gone before SIG$signal: $(cat "$err")"
    lab_poll 20 gone $run || wrong "SIG$signal does not end it"
    kill -KILL $run 2>/dev/null || true
    wait $run || wrong "after SIG$signal run ends with $?"
    says "$out" 'POWER BUTTON'
    says "$err" "SIG$signal: asking the guest to power down"
done
lab_no_tap_left
result "run: SIGTERM, SIGHUP and SIGINT are the power button, and the end is in order"

(lab_exec "$tapgate" run bare --powerdown-limit=1) </dev/null >"$out" 2>"$err" &
run=$!
lab_poll 5 is bare running || wrong "it does not run"
kill -TERM $run
ends_with 1 $run
says "$err" "cutting the guest's power"
must_be bare off
result "run: a guest that does not react loses its power in time, and the exit code tells"

(lab_exec "$tapgate" run bare) </dev/null >"$out" 2>"$err" &
run=$!
lab_poll 5 is bare running || wrong "it does not run"
kill -KILL "$(field bare process)"
ends_with 1 $run
says "$err" 'QEMU (failed|does not start) \(signal 9 \(SIGKILL\)\)' # the latter before its first answer
result "run: a QEMU that dies is a failure"

# A terminal, with somebody at the keys.
mkfifo $LAB/log/terminal
exec {keys}<>$LAB/log/terminal
cat >$LAB/session <<END
stty -g >$LAB/home/before
$tapgate run lab --helper=$LAB_HELPER
echo "run ended with \$?"
stty -g >$LAB/home/after
END
: >$LAB/log/screen
(lab_exec script -qefc "sh $LAB/session" /dev/null) <&"$keys" >$LAB/log/screen 2>&1 &
screen=$!
lab_poll "${TAPGATE_BOOT_TIMEOUT:-20}" said $LAB/log/screen '^PASS' || wrong "no PASS on the screen"
cmp -s $LAB/home/before <(stty -g -F "$(readlink "/proc/$(field lab supervisor)/fd/0")") &&
    wrong "the terminal is not in raw mode"
printf '\035' >&"$keys"
lab_poll 20 said $LAB/log/screen 'run ended with 0' || wrong "Ctrl-] does not end it"
says $LAB/log/screen 'Ctrl-\] again cuts its power'
says $LAB/log/screen 'POWER BUTTON'
lab_poll 5 gone $screen || kill -KILL $screen
wait $screen 2>/dev/null || true
cmp -s $LAB/home/before $LAB/home/after || wrong "the terminal is not as it was"
result "run on a terminal: Ctrl-] powers down, and the terminal is as it was"

sed -i 's/run lab.*/run bare/' $LAB/session
: >$LAB/log/screen
(lab_exec script -qefc "sh $LAB/session" /dev/null) <&"$keys" >$LAB/log/screen 2>&1 &
screen=$!
lab_poll 5 said $LAB/log/screen 'bare runs; Ctrl-\] powers it down' || wrong "it does not say how to leave"
printf '\035' >&"$keys"
lab_poll 5 said $LAB/log/screen 'Ctrl-\] again cuts its power' || wrong "nothing said about the next Ctrl-]"
printf '\035' >&"$keys"
lab_poll 10 said $LAB/log/screen 'run ended with 1' || wrong "the second Ctrl-] does not end it"
lab_poll 5 gone $screen || kill -KILL $screen
wait $screen 2>/dev/null || true
exec {keys}>&-
result "run on a terminal: the second Ctrl-] cuts the power"

truncate -s 1M $LAB/home/rhce.raw
chown "$LAB_UID" $LAB/home/rhce.raw
(lab_exec "$tapgate" run rhce.raw "${linux[@]}" --append="$GUEST_APPEND" "${with_helper[@]}") \
    </dev/null >"$out" 2>"$err" || wrong "run ends with $?"
says "$out" '^PASS'
[ -e "$state"/rhce/console.log ] || wrong "the VM is not called rhce"
result "run IMAGE, without a VM file"

summary
