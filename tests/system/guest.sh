# shellcheck shell=bash
# Guests for the lab: build their image before lab_enter (guest_prepare), then start QEMU as the lab
# user and follow what the guest says. Source lab.sh first.

GUEST_DIR=$LAB/guest
# shellcheck disable=SC2034 # read by those who source this
GUEST_NAME=
GUEST_PID=
GUEST_SERIAL=
GUEST_STDERR=
GUEST_STARTER=() # words that QEMU's command line stands behind

# guest_prepare TOP: makes the image when it is not there. Outside the lab, which has no network.
guest_prepare() {
    export TAPGATE_GUEST=${TAPGATE_GUEST:-$1/build/guest}
    lab_inside && return
    "$1/tests/guest/build" "$TAPGATE_GUEST" || skip "no guest image (see above)"
}

# guest_prepare_ssh TOP: and ssh.cpio, whose guest has an SSH server, for the key ssh.key beside it.
guest_prepare_ssh() {
    lab_inside && return
    lab_require ssh-keygen openssh-client dropbear dropbear-bin busybox busybox-static \
        /usr/lib/openssh/sftp-server openssh-sftp-server
    [ -e "$TAPGATE_GUEST/ssh.key" ] || ssh-keygen -q -t ed25519 -N '' -f "$TAPGATE_GUEST/ssh.key"
    "$1/tests/guest/build" --ssh="$TAPGATE_GUEST/ssh.key.pub" "$TAPGATE_GUEST" "$TAPGATE_GUEST/ssh.cpio"
}

# guest_mount: the image where the lab user can read it, however closed the way to it is.
guest_mount() {
    local file
    mkdir -p "$GUEST_DIR"
    for file in kernel initramfs.cpio; do
        : >"$GUEST_DIR/$file"
        mount --bind "$TAPGATE_GUEST/$file" "$GUEST_DIR/$file"
    done
}

# What a guest's kernel is told in each test. On a busy host its test of its timer can fail, and then it
# hangs, unless it has no_timer_check.
GUEST_KERNEL="console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"
# ... and to ping the bridge.
GUEST_APPEND="$GUEST_KERNEL tapgate.ip=192.0.2.10/24 tapgate.ping=192.0.2.1"

# guest_run NAME COMMAND...: starts what runs a guest as the lab user, in the background. Its standard
# input and output are the guest's serial line. The guest stays up after its verdict until
# guest_release, for which the line is there.
guest_run() {
    local name=$1
    shift
    # shellcheck disable=SC2034 # so is this
    GUEST_NAME=$name
    GUEST_SERIAL=$LAB/log/$name.serial
    GUEST_STDERR=$LAB/log/$name.stderr
    : >"$GUEST_SERIAL" # the background job may come to open it only after we read it
    mkfifo "$LAB/log/$name.stdin"
    # Open for both, so that neither side waits for the other and the guest's never ends.
    exec {guest_stdin}<>"$LAB/log/$name.stdin"
    (lab_exec "$@") <&"$guest_stdin" >"$GUEST_SERIAL" 2>"$GUEST_STDERR" &
    GUEST_PID=$!
}

# guest_start NAME QEMU-ARGS...: the same with QEMU.
guest_start() {
    local name=$1
    shift
    # TCG: a test must mean the same where there is no KVM. romfile: no need for boot ROM packages.
    guest_run "$name" "${GUEST_STARTER[@]}" qemu-system-x86_64 -name "$name" \
        -accel tcg,thread=multi -M q35 -m 128 \
        -nodefaults -no-user-config -display none -no-reboot -global virtio-net-pci.romfile= \
        -serial stdio -kernel "$GUEST_DIR/kernel" -initrd "$GUEST_DIR/initramfs.cpio" \
        -append "$GUEST_APPEND tapgate.hold=60" "$@"
}

guest_said() { # REGEX: or it is gone and never will
    grep -Eq "$1" "$GUEST_SERIAL" || ! kill -0 "$GUEST_PID" 2>/dev/null
}

# guest_verdict: waits for the guest's word; prints "PASS", or why not. A hung boot is cut off.
guest_verdict() {
    if ! lab_poll "${TAPGATE_BOOT_TIMEOUT:-20}" guest_said '^(PASS|FAIL)'; then
        echo "no verdict from the guest within ${TAPGATE_BOOT_TIMEOUT:-20} s"
        return
    fi
    tr -d '\r' <"$GUEST_SERIAL" | grep -E -m 1 '^(PASS|FAIL)' ||
        echo "QEMU ended before the guest gave a verdict"
}

guest_gone() {
    ! kill -0 "$GUEST_PID" 2>/dev/null
}

# guest_release: lets the guest power off; sets GUEST_STATUS to QEMU's exit status.
guest_release() {
    echo >&"$guest_stdin"
    guest_wait
}

guest_kill() {
    kill -KILL "$GUEST_PID" 2>/dev/null || true
    guest_reap
}

guest_wait() {
    lab_poll 10 guest_gone || kill -KILL "$GUEST_PID"
    guest_reap
}

# At once after a kill, and with no stderr: elsewhere the shell would report "Killed" by itself.
guest_reap() {
    GUEST_STATUS=0
    # shellcheck disable=SC2034 # read by those who source this
    wait "$GUEST_PID" 2>/dev/null || GUEST_STATUS=$?
    exec {guest_stdin}>&-
}
