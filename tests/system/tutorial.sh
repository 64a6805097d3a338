#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tapgate-tutorial(7), typed from its first line to its last: "$" as an unprivileged user, "#" as root;
# each has to succeed, on the host of reader.sh. With TAPGATE_LONG, the class has twenty VMs instead of
# three.
#
# And the picture in the README, which shows the student's first commands: PICTURE=FILE makes it, and
# otherwise etc/tapgate.svg has to show the same, except for numbers and addresses.
set -euo pipefail

# shellcheck source=tests/system/reader.sh
source "$(dirname "${BASH_SOURCE[0]}")/reader.sh"
reader_begin
picture=${PICTURE:-}
page=$top/launcher/tapgate-tutorial.7

# A member of the group that the administrator's line names.
echo "students:x:60999:$LAB_USER" >>/etc/group

# section NAME: its lines, as they are typed, and its files.
section() {
    # A backslash, "\e" there, and the line behind it are one command.
    awk -v name="$1" '/^\.Sh / { on = ($2 == name) } on' "$page" |
        sed -e ':a' -e '/\\e$/{N;s/ *\\e\n\.Dl \(\\ \)*/ /;ba' -e '}'
}
# type_section NAME: each line of it.
type_section() {
    local line command
    section "$1" | awk '/^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0 } on' >"$home/class.conf"
    sed -i "s/^count = 3\$/count = $students/" "$home/class.conf"
    chmod 0644 "$home/class.conf"
    while IFS= read -r line <&9; do
        command=${line#.Dl ? }
        case $line in
        '.Dl $ '*) typed user "$command" ;;
        '.Dl # '*) typed root "$command" ;;
        *) continue ;;
        esac
        case $command in
        'tapgate ssh web -- uname -s') says "$out" '^Linux$' ;;
        'tapgate list') says "$out" '^web +running' ;;
        'tapgate usage') [[ $line == *'#'* ]] || says "$out" "class-student-$students " ;;
        'tapgate lab exec class.conf'*) [ "$(grep -c '^class-student-[0-9]*: ' "$out")" = $students ] || wrong "not of all" ;;
        'tapgate-policy explain'*) says "$out" 'at most 8 taps' ;;
        esac
        result "$1: $command"
        [ "$1" != STUDENT ] || [ $shots -ge 7 ] || [ "$command" = 'tapgate doctor' ] || {
            shots=$((shots + 1))
            { printf '$ %s\n' "$command"; cat "$out" "$err"; } >>"$LAB/log/shown"
        }
    done 9< <(section "$1")
}

shots=0
: >"$LAB/log/shown"
students=3
type_section ADMINISTRATOR
type_section STUDENT
if [ -n "${TAPGATE_LONG:-}" ]; then
    students=20 # more than the administrator's line gives
    sed -i 's/ max-taps=8$/ max-taps=24/' /etc/qemu/bridge.conf
fi
type_section TEACHER

# --- the picture ----------------------------------------------------------------------------------

cat >$LAB/draw <<'EOT'
import html, re, sys
columns = 128
lines = [line.rstrip() for line in open(sys.argv[1], errors="replace")]
# As somebody's at home, and not the test's.
lines = [re.sub(r"/run/lab/home", "/home/alice", line).replace("labuser", "alice  ") for line in lines]
# What this host lacks, and what a slow one says meanwhile.
unwanted = r"^tapgate: (without (KVM|vhost)|(web: )?waiting|[^ ]*: [0-9]+%)|^Warning: "
lines = [line[:columns] for line in lines if line and not re.search(unwanted, line)]
height = 19
out = ['<svg xmlns="http://www.w3.org/2000/svg" width="1110" height="%d" font-family="monospace" font-size="14">'
       % (len(lines) * height + 30),
       '<rect width="100%" height="100%" rx="8" fill="#1d1f21"/>']
for number, line in enumerate(lines):
    colour = "#8abeb7" if line.startswith("$ ") else "#c5c8c6"
    out.append('<text x="16" y="%d" fill="%s" xml:space="preserve">%s</text>'
               % (number * height + 28, colour, html.escape(line)))
print("\n".join(out + ["</svg>"]))
EOT
python3 $LAB/draw "$LAB/log/shown" >$LAB/picture.svg
masked() { # FILE: what does not change from one run to the next
    grep -o '>[^<>]*</text>' "$1" |
        sed -E '/^>br0 /s/[^ <]*[0-9][^ <]*/N/g # with addresses that a terminal has cut
            s/[0-9a-f]{4}\.[0-9a-f]{12}/ID/g; s/fe80:[^ <]*/ADDRESS/g; s/[0-9a-f]{2}(:[0-9a-f]{2}){5}/MAC/g
            s/tap[0-9]+-[0-9a-z]+/TAP/g; s/[0-9]+/N/g; s/ +/ /g; s/N( N)+/N/g'
}
if [ -n "$picture" ]; then
    cp $LAB/picture.svg "$picture"
elif [ -z "$problem" ]; then
    masked $LAB/picture.svg >$LAB/log/now
    masked "$top/etc/tapgate.svg" >$LAB/log/then
    diff $LAB/log/then $LAB/log/now >"$out" || wrong "it shows another program; make it anew with PICTURE=etc/tapgate.svg"
fi
result "the picture in the README shows what there is"

summary
