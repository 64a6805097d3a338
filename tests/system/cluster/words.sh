# shellcheck shell=bash disable=SC2034,SC2086,SC2154,SC2317 # a part of cluster.sh
# The words of cluster.sh: what alice does on the login node, and what is seen of it on the nodes. Source it
# once the cluster is up (bed.sh).

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
