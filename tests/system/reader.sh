# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086 # the variables are of those who source this, and of lab.sh
# A reader's host, for pages that are typed line by line: it has tapgate and a bridge, made like the last
# lines of etc/quickstart do. By environment variables, the images that a page names come from a file
# here, and the tests' guest boots; everything else is as a reader has it.
#
#     source "$(dirname "${BASH_SOURCE[0]}")/reader.sh"
#     reader_begin                          # begin (begin.sh), and that host; sets $home
#     typed user 'tapgate list'             # a line; what is wrong with it is the result's problem

# shellcheck source=tests/system/begin.sh
source "$(dirname "${BASH_SOURCE[0]}")/begin.sh"

reader_begin() {
    begin helper launcher ssh-guest -- qemu-img ssh python3
    lab_bridge br0 192.0.2.1/24
    echo 0 >/proc/sys/net/ipv6/conf/br0/accept_dad
    lab_install_built_in "$helper"
    install -m 0755 "$launcher" /usr/local/bin/tapgate
    home=$LAB/home

    install -d -m 0700 -o "$LAB_UID" -g "$LAB_UID" "$home/.ssh"
    install -m 0600 -o "$LAB_UID" -g "$LAB_UID" "$TAPGATE_GUEST/ssh.key" "$home/.ssh/id_ed25519"
    install -m 0644 -o "$LAB_UID" -g "$LAB_UID" "$TAPGATE_GUEST/ssh.key.pub" "$home/.ssh/id_ed25519.pub"
    echo 'User root' >"$home/.ssh/config"
    chown "$LAB_UID:$LAB_UID" "$home/.ssh/config"
    mkdir -p /etc/tapgate
    qemu-img create -q -f qcow2 $LAB/debian-13-generic-amd64.qcow2 2G
    (cd $LAB && sha512sum debian-13-generic-amd64.qcow2 >SHA512SUMS)
    sed -e "s|^url = .*/debian-13-generic.*|url = file://$LAB/debian-13-generic-amd64.qcow2|" \
        -e "s|^sums = .*/trixie/.*|sums = file://$LAB/SHA512SUMS|" "$top/etc/images.conf" >/etc/tapgate/images.conf
}

# In the place of what Debian's image would boot. Each is reached by IPv6, which needs no other address.
reader_guest=(TAPGATE_KERNEL="$LAB/guest/kernel" TAPGATE_INITRD="$LAB/guest/ssh.cpio" TAPGATE_ACCEL=tcg
    TAPGATE_APPEND="$GUEST_KERNEL tapgate.ip=198.51.100.7/24 tapgate.hold=600")

# typed user|root COMMAND: it has to succeed.
typed() {
    local status=0
    case $1 in
    user) (lab_exec env EDITOR=true "${reader_guest[@]}" timeout 240 bash -c "$2") </dev/null >"$out" 2>"$err" || status=$? ;;
    root) (cd / && bash -c "$2") </dev/null >"$out" 2>"$err" || status=$? ;;
    esac
    [ "$status" = 0 ] || wrong "it ends with $status"
}

# typed_on_terminal COMMAND REGEX: the user's, on a terminal where Ctrl-] is pressed once REGEX is seen.
typed_on_terminal() {
    (lab_exec env "${reader_guest[@]}" timeout 240 /usr/bin/python3 - "$1" "$2") <<'END' >"$out" 2>"$err" || wrong "it ends with $?"
import os, pty, re, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "-c", sys.argv[1]])
text, pressed = b"", False
def read_until_closed():
    global text, pressed
    try:
        while piece := os.read(terminal, 65536):
            text += piece
            if not pressed and re.search(sys.argv[2].encode(), text, re.M):
                os.write(terminal, b"\x1d")
                pressed = True
    except OSError:
        pass  # EIO: nobody has the other end any more
read_until_closed()
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
# The kernel may say EIO before the last lines are there (narrow.sh): now the next read gets them.
read_until_closed()
print(text.decode(errors="replace"))
sys.exit(status if pressed else "Ctrl-] was never pressed")
END
}
