#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `tapgate autostart': by @reboot in the user's crontab, on a host without systemd; and by a unit of the
# user's systemd, on a host that seems to have it.
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin launcher -- qemu-system-x86_64 qemu-img strace

# --- cron -------------------------------------------------------------------------------------------

# The lab's /run has no systemd in it, and crontab is the lab's own.
cat >$LAB/crontab <<'EOT'
#!/bin/sh
case $1 in
-l)
    [ ! -e "$HOME/.cron-is-broken" ] || { echo "cannot open your crontab: Input/output error" >&2; exit 1; }
    [ -e "$HOME/.crontab" ] || { echo "no crontab for labuser" >&2; exit 1; }
    cat "$HOME/.crontab" ;;
*) cp "$1" "$HOME/.crontab" ;;
esac
EOT
chmod 0755 $LAB/crontab
(lab_exec qemu-img create -q -f qcow2 moved.qcow2 1M)
mount -t tmpfs -o mode=0755 lab /usr/local
mkdir /usr/local/bin
install -m 0755 $LAB/crontab /usr/local/bin/crontab
did 0 create bare --net=none

did 0 autostart bare on
says "$err" 'by @reboot in your crontab'
did 0 autostart bare on
[ "$(grep -c "^@reboot $tapgate start bare # tapgate autostart bare$" $LAB/home/.crontab)" = 1 ] ||
    wrong "the crontab: $(cat $LAB/home/.crontab)"
# What it does not tell would be lost.
echo '0 4 * * * backup' >>$LAB/home/.crontab
: >$LAB/home/.cron-is-broken
tg_refused 'Input/output error; nothing was changed' autostart bare on
tg_refused 'Input/output error; nothing was changed' autostart bare off
rm $LAB/home/.cron-is-broken
grep -qx '0 4 \* \* \* backup' $LAB/home/.crontab || wrong "a line of the user's is lost"
result "autostart on writes one line into the crontab, and touches no other"

# It goes with the name, and at the end with the VM. Of several at once none is lost.
did 0 rename bare renamed
[ "$(grep -c 'tapgate autostart' $LAB/home/.crontab)" = 1 ] || wrong "the crontab: $(cat $LAB/home/.crontab)"
grep -q 'start renamed # tapgate autostart renamed$' $LAB/home/.crontab || wrong "the new name does not start by itself"
did 0 rename renamed bare
crons=()
for i in 1 2 3 4; do
    did 0 create "cron$i" --net=none
    (lab_exec "$tapgate" autostart "cron$i" on) </dev/null >/dev/null 2>&1 &
    crons+=($!)
done
wait "${crons[@]}"
[ "$(grep -c 'tapgate autostart cron' $LAB/home/.crontab)" = 4 ] || wrong "of four at once: $(cat $LAB/home/.crontab)"
for i in 1 2 3 4; do
    did 0 delete "cron$i" --yes
done
! grep 'tapgate autostart cron' $LAB/home/.crontab || wrong "deleted VMs would be started"
result "the line goes with the VM's name, and with the VM"

# What a signal ends in its middle is done, and what starts it goes along.
did 0 new moved --from=moved.qcow2 --net=none
did 0 autostart moved on
signalled() { # WHEN WORDS...: SIGTERM at the tapgate's WHENth unlink()
    # The shell would tell that it was terminated.
    { (lab_exec strace -qq -o "$LAB/home/trace" -e trace=unlink -e inject=unlink:signal=TERM:when="$1" "$tapgate" "${@:2}") \
        </dev/null >"$out" 2>"$err"; } 2>/dev/null && wrong "${*:2}: SIGTERM did not end it"
    grep -q 'SIGTERM' "$LAB/home/trace" || wrong "${*:2}: no SIGTERM came: $(cat "$err")"
}
signalled 1 rename moved there
[[ ! -e $config/moved.conf && -e $config/there.conf && -e $data/there && ! -e $data/moved ]] ||
    wrong "half renamed: $(ls "$config" "$data")"
[ "$(grep -c 'start there # tapgate autostart there$' $LAB/home/.crontab)/$(grep -c moved $LAB/home/.crontab)" = 1/0 ] ||
    wrong "after a signal the crontab is: $(cat $LAB/home/.crontab)"
signalled 1 delete there --disks --yes
[[ ! -e $config/there.conf && ! -e $data/there ]] || wrong "half deleted: $(find "$config" "$data" -name 'there*')"
! grep 'autostart there' $LAB/home/.crontab || wrong "a deleted VM would be started"
sed -i '/backup/d' $LAB/home/.crontab
did 0 autostart bare off
[ ! -s $LAB/home/.crontab ] || wrong "left: $(cat $LAB/home/.crontab)"
result "a rename or a delete that a signal comes to is done, with the line"

# --- the user's systemd --------------------------------------------------------------------------------

mkdir -p /run/systemd/system /usr/local/lib/systemd/user
: >/usr/local/lib/systemd/user/tapgate@.service
did 0 autostart bare on
says "$err" 'starts when you log in.*loginctl enable-linger'
[ "$(readlink $LAB/home/.config/systemd/user/default.target.wants/tapgate@bare.service)" = \
    /usr/local/lib/systemd/user/tapgate@.service ] || wrong "no link to the unit"
did 0 list --all
says "$out" '^NAME .* AUTOSTART$'
says "$out" '^bare +off .* on$'
did 0 status bare
says "$out" '^autostart +on$'
tg doctor
says "$out" '^warn +autostart +when you log in, and not with the host: bare'
did 0 rename bare renamed
[ -L $LAB/home/.config/systemd/user/default.target.wants/tapgate@renamed.service ] ||
    wrong "the new name does not start by itself"
did 0 rename renamed bare
did 0 autostart bare off
[ ! -L $LAB/home/.config/systemd/user/default.target.wants/tapgate@bare.service ] || wrong "the link is left"
result "autostart makes a link to the unit, which goes with the VM's name; list, status and doctor show it"

summary
