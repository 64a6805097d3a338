#!/bin/bash
# What needs a kernel with bridge VLAN filtering is tested in a guest that has one: there the guest is a
# host with bridges, the helper (setuid) and an unprivileged user, and runs guest_tests (see
# CMakeLists.txt): vlan=, and the other port options once more, on a distribution's kernel.
#
#   tests/system/vlan.sh [GTEST_FILTER]
#
# TAPGATE_GUEST_TESTS  guest_tests (default: build/release/tests/system/guest_tests)
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper guest
tests=${TAPGATE_GUEST_TESTS:-$top/build/release/tests/system/guest_tests}
[ -f "$tests" ] || skip "no $tests (build it with static libgtest, libgmock and libnl-3)"
# The guest has no shared libraries.
head -c 4096 "$helper" | grep -aq 'ld-linux' &&
    skip "$helper is not static (build it with -DTAPGATE_STATIC_HELPER=ON)"

"$top/tests/guest/build" "$TAPGATE_GUEST" $LAB/vlan.cpio "$tests" "$helper"
mount --bind $LAB/vlan.cpio "$GUEST_DIR/initramfs.cpio"

# shellcheck disable=SC2034 # guest_start reads it
GUEST_APPEND="$GUEST_KERNEL tapgate.args=--gtest_color=no${1:+,--gtest_filter=$1}"
TAPGATE_BOOT_TIMEOUT=${TAPGATE_BOOT_TIMEOUT:-60} # for all the tests; they need some 30 s

guest_start vlan -m 256 -nic none
verdict=$(guest_verdict)
guest_release

# gtest's verdicts as ours: "[       OK ] Vlan.WithMacLock (80 ms)".
while read -r name; do
    ok "$name"
done < <(tr -d '\r' <"$GUEST_SERIAL" | sed -n 's/^\[ *OK \] \([^ ]*\) .*/\1/p')
while read -r name; do
    not_ok "$name" "$verdict"
done < <(tr -d '\r' <"$GUEST_SERIAL" | sed -n 's/^\[  FAILED  \] \([^ ]*\) (.*/\1/p')
# A crash or a hang is no test's verdict.
if [ "$verdict" != PASS ] && [ "$failed" = 0 ]; then
    not_ok "the guest's tests come to an end" "$verdict"
fi
[ "$failed" = 0 ] || show_files "$GUEST_STDERR" "$GUEST_SERIAL"
summary
