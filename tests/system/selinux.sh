#!/bin/bash
# The SELinux module: it builds against the reference policy, and so does tapgate_run for a user; and it
# allows what it should on the tun device, but no ioctl by which a tap's holder could harm others.
# Nothing is loaded.
#
#   tests/system/selinux.sh
#
# MUST_WORK=1  a missing prerequisite is a failure (exit 1) and not a skip (exit 77)
# shellcheck disable=SC2317 # verdict calls the functions
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/system/lab.sh
source "$here/lab.sh"

lab_require make make checkmodule checkpolicy semodule_package semodule-utils
devel=/usr/share/selinux/devel/Makefile
to_cil=/usr/libexec/selinux/hll/pp
[ -e "$devel" ] || skip "missing package: selinux-policy-dev"
[ -x "$to_cil" ] || skip "missing package: policycoreutils"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/../../selinux/tapgate.* "$work"
# A site's own module, for its users.
cat >"$work/site.te" <<'END'
policy_module(site, 1.0)
gen_require(`
	type user_t;
	role user_r;
')
tapgate_run(user_t, user_r)
END

evidence=("$work/out") # of verdict: what the command says

build() {
    make -C "$work" -f "$devel" tapgate.pp site.pp || return
    ! grep -E 'warning|error|m4:' "$work/out" || return
    "$to_cil" "$work/tapgate.pp" "$work/tapgate.cil" && "$to_cil" "$work/site.pp" "$work/site.cil"
}
verdict "the module builds, and a site's with tapgate_run" build

only() { # MODULE DOMAIN IOCTLS: of the tun device, as CIL has them
    local rule="(allowx $2 tun_tap_device_t (ioctl chr_file ($3)))"
    diff <(grep "^(allowx $2 tun_tap_device_t " "$work/$1.cil") - <<<"$rule"
}
opens() { # MODULE DOMAIN: the domain may open the tun device
    grep "^(allow $2 tun_tap_device_t (chr_file (.*))" "$work/$1.cil" | grep -w open
}
opens_not() {
    ! opens "$@"
}
# TUNSETIFINDEX is for looking at a stale tap, which is not to be made anew where it has just gone.
verdict "the helper makes taps, and gives them away" only tapgate tapgate_helper_t \
    "(range 0x54ca 0x54cc) 0x54da"
verdict "the helper opens the tun device" opens tapgate tapgate_helper_t
# Of 0x54ca to 0x54e2 not: TUNSETIFF, TUNSETPERSIST, TUNSETOWNER, TUNSETLINK, TUNSETGROUP, filters,
# TUNSETIFINDEX, TUNSETCARRIER; of SIOC* none.
verdict "QEMU uses its tap, and changes nothing about it" only tapgate tapgate_qemu_t \
    "(range 0x54cf 0x54d0) (range 0x54d2 0x54d4) (range 0x54d7 0x54d9) 0x54dc 0x54de"
verdict "QEMU does not open the tun device" opens_not tapgate tapgate_qemu_t
verdict "the user asks for a tap's name, and no more" only site user_t "0x54d2"
verdict "the user does not open the tun device" opens_not site user_t
only_net_admin() {
    local rules
    rules=$(grep '^(allow tapgate_\(helper\|qemu\)_t self (cap' "$work/tapgate.cil" | sort)
    printf '%s\n' "$rules"
    [ "$rules" = '(allow tapgate_helper_t self (cap_userns (net_admin sys_admin)))
(allow tapgate_helper_t self (capability (setgid setuid setpcap net_admin)))' ]
}
verdict "QEMU has no capability, the helper what it drops and net_admin, and in its namespace what a tap takes" \
    only_net_admin

summary
