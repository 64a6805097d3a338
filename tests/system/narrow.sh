#!/bin/bash
# Tables and the doctor's output on terminals of 60 and of 80 columns: no line is longer than the
# terminal unless a single word is, and every word of the wide output is there.
set -euo pipefail

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"
begin helper launcher -- python3

lab_bridge br0 192.0.2.1/24
lab_bridge br-of-a-lab 198.51.100.1/24
ip link add a-port type veth peer name its-other-end
ip link set a-port master br0
lab_policy 'allow br0 queues=2'
lab_install "$helper" setuid

did 0 create lab --disk="directory-of-images/disk.qcow2,bus=scsi,cache=none,serial=0123456789" --net=none \
    --append="console=ttyS0 quiet panic=-1 mitigations=off" --kernel=/boot/vmlinuz
did 0 create another-vm-with-a-long-name-indeed --net=none

# on_terminal CHECKS COLUMNS VERB...: what a terminal of so many columns gets is in $out, and CHECKS are
# Python's: `text` is that, and `wide` what one of 1000 columns gets.
on_terminal() {
    (lab_exec /usr/bin/python3 - "${@:2}") >"$out" 2>"$err" <<END || wrong "${*:2}: $(tail -n 5 "$err")"
import fcntl, os, pty, re, struct, sys, termios
def read_until_closed(terminal):
    text = b""
    try:
        while piece := os.read(terminal, 65536):
            text += piece
    except OSError:
        pass  # EIO: nobody has the other end any more
    return text
def shown(columns, words):
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execv("$tapgate", ["tapgate"] + words)
    text = read_until_closed(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    # The kernel may say EIO before the last lines are there, when they come while it looks (n_tty_read()):
    # once the program has ended, the next read gets them.
    text += read_until_closed(terminal)
    os.close(terminal)
    return text.decode().replace("\\r", ""), status
columns = int(sys.argv[1])
text, status = shown(columns, sys.argv[2:])
print(text, end="")
wide, status_of_wide = shown(1000, sys.argv[2:])
assert status == status_of_wide >= 0, f"ends with {status}, and with {status_of_wide} on a wide terminal"
$1
END
}
# on COLUMNS VERB...: the same words, in lines that fit.
on() {
    on_terminal '
# But for numbers: the memory that is free is another one each time.
words = lambda shown: sorted(re.sub("[0-9]+", "N", shown).split())
assert words(text) == words(wide), "words differ from: " + wide
for line in text.splitlines():
    # Only what cannot be parted is longer.
    assert len(line) <= columns or len(line.split()) <= 3, "too long: " + line' "$@"
}
# in_columns COLUMNS VERB...: the same letters as on a wide one, blanks apart, in several lines that fit.
in_columns() {
    on_terminal '
letters = lambda shown: "".join(shown.split())
assert letters(text) == letters(wide), "differs from: " + wide
# But for an option and its value, and a line with a place in it.
long = [line for line in text.splitlines() if len(line) > columns and len(line.split()) > 2 and line[:4] != "    "]
assert not long, "too long: " + long[0]
assert len(text.splitlines()) > 1, "one line"' "$@"
}
for columns in 60 80; do
    on $columns show lab
    says "$out" '^disk = .*serial=0123456789$'
    result "show on $columns columns"
    on $columns list --all
    on $columns bridges
    says "$out" '^br-of-a-lab'
    result "tables on $columns columns"
    on $columns doctor --helper="$LAB_HELPER" --bridge=br-of-a-lab
    says "$out" '-> '
    result "doctor on $columns columns"
done
for columns in 40 60 79; do
    in_columns $columns --help
    says "$out" '^  tapgate snapshot'
    in_columns $columns help create
    in_columns $columns lab --help
    result "help on $columns columns"
done
for columns in 40 60; do
    in_columns $columns start nobody
    says "$out" '^  [^ ]'
    in_columns $columns create broken --disk=/a.qcow2,bus=nothing-that-there-is --memory=1G
    in_columns $columns ssh another-vm-with-a-long-name-indeed
    result "errors on $columns columns"
done
# Programs get one line for each, as ever.
did 0 list --all
[ "$(wc -l <"$out")" = 3 ] || wrong "list into a pipe: $(cat "$out")"
did 0 show lab
says "$out" '^cpus = 1 .*# default$'
result "a pipe has no width"

summary
