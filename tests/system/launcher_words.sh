# shellcheck shell=bash disable=SC2034,SC2154 # variables of the lab, and of who sources it
# More words, for tests of the launcher's verbs. Source it inside the lab, after lab.sh; it installs the
# launcher that lab_find_launcher has found.

tapgate=$LAB/tapgate
install -m 0755 "$launcher" "$tapgate"
state=/run/user/$LAB_UID/tapgate
config=$LAB/home/.config/tapgate
data=$LAB/home/.local/share/tapgate
out=$LAB/log/out
err=$LAB/log/err
evidence=("$out" "$err" "$state/*/qemu.log" "$state/*/console.log")
verb_limit=${verb_limit:-60}   # seconds for a verb
boot_limit=${TAPGATE_BOOT_TIMEOUT:-${boot_limit:-20}} # and for a guest to say something

# tg ARGS...: sets $status; leaves $out and $err.
tg() {
    status=0
    (lab_exec timeout -k 1 "$verb_limit" "$tapgate" "$@") </dev/null >"$out" 2>"$err" || status=$?
}

# did STATUS ARGS...: as tg, and the status must be that.
did() {
    local expected=$1
    shift
    tg "$@"
    [ "$status" = "$expected" ] ||
        wrong "tapgate $* ends with $status, not $expected: $(tail -n 3 "$err")"
}

# tg_refused TEXT ARGS...: fails, and says why.
tg_refused() {
    local text=$1
    shift
    did 1 "$@"
    grep -qF -- "$text" "$err" || wrong "tapgate $* does not say '$text': $(tail -n 3 "$err")"
}

field() { # NAME LABEL: of `status`
    (lab_exec "$tapgate" status "$1") 2>/dev/null | awk -v label="$2" '$1 == label { print $2 }'
}
is() { # NAME STATE
    [ "$(field "$1" state)" = "$2" ]
}
must_be() { # NAME STATE
    lab_poll 5 is "$1" "$2" || wrong "$1 is $(field "$1" state), not $2"
}
mac_of() { # NAME
    (lab_exec "$tapgate" status "$1") | awk '$1 == "network" { print $3 }'
}

said() { # FILE REGEX
    grep -aEq "$2" "$1"
}

gone() { # PID
    ! kill -0 "$1" 2>/dev/null
}

ends_with() { # STATUS PID: a child of this shell's
    local status=0
    wait "$2" || status=$?
    [ $status = "$1" ] || wrong "it ends with $status, not with $1"
}

status_of() { # PID FIELD: of /proc/PID/status
    awk -v field="$2:" '$1 == field { print $2 }' "/proc/$1/status"
}

console_said() { # NAME REGEX
    tr -d '\r' <"$state/$1/console.log" 2>/dev/null | matches -aE "$2"
}
guest_says() { # NAME REGEX
    [ -z "$problem" ] || return 0 # it would be waited for in vain
    lab_poll "$boot_limit" console_said "$1" "$2" ||
        wrong "the guest of $1 did not say '$2' within $boot_limit s"
}
