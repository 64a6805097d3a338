# shellcheck shell=bash
# More words, for the tests that run in the Debian guest. lab.sh and words.sh, from the other tests, are
# beside it there.
# shellcheck source=tests/system/lab.sh
source "${BASH_SOURCE[0]%/*}/lab.sh"
out=$(mktemp)
evidence=("$out") # what the command of a verdict says

# within SECONDS COMMAND...: the command succeeds at last. An emulator in an emulator takes its time.
within() {
    lab_poll "$@" || {
        echo "not within $1 s"
        return 1
    }
}

# is FILE TEXT: the text is all that is in the file.
is() {
    local text
    text=$(tr -d '\0' <"$1")
    [ "$text" = "$2" ] || {
        echo "$text"
        return 1
    }
}

# The attacks of tap_attack, and what the kernel says to each of them.
attacks=(TUNSETOWNER TUNSETGROUP TUNATTACHFILTER TUNSETCARRIER SIOCSIFHWADDR TUNSETPERSIST
    "open /dev/net/tun")
answers() { # ANSWER [ATTACK...]: to those, too
    local answer=$1 attack
    shift
    echo "TUNGETIFF: done"
    for attack in "${attacks[@]}" "$@"; do
        echo "$attack: $answer"
    done
}

# The console of a VM.
console_said() { # VM REGEX
    tapgate log "$1" 2>/dev/null | grep -q "$2"
}
qemu_of() { # VM
    tapgate status "$1" | awk '$1 == "process" { print $2 }'
}
pings() { # ADDRESS
    ping -n -q -c 1 -W 2 "$1" >/dev/null
}
