#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# create, edit, show and delete: what happens to the files.
#
# Usage: describe.sh TAPGATE
set -euo pipefail

# shellcheck source=tests/system/home.sh
source "$(dirname "$(readlink -f "$0")")/../../system/home.sh"
# shellcheck disable=SC2119
home_alone # `list' finds all VMs of its user by their processes
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_RUNTIME_DIR=$work/run
file=$XDG_CONFIG_HOME/tapgate/lab.conf
mkdir "$work/run"
cd "$work"
unset VISUAL

# editor TEXT: EDITOR becomes a program, with an argument, that replaces the file by TEXT.
editor() {
    # shellcheck disable=SC2016 # for the editor to expand
    printf '#!/bin/sh\n[ "$1" = -x ] && cat >"$2" <<"END"\n%s\nEND\n' "$1" >"$work/my-editor"
    chmod +x "$work/my-editor"
    export EDITOR="$work/my-editor -x"
}

# until_says REGEX: until the program in the background has written it to `said', or 25 s are over.
until_says() {
    local i
    for ((i = 0; i < 250; i++)); do
        ! grep -q -- "$1" said || return 0
        sleep 0.1
    done
}

truncate -s 1M disk.raw
"$tapgate" create lab --disk=disk.raw --memory=1G --memory=2G -- -no-reboot >created
[ "$(cat created)" = "$file" ] || wrong "create does not say what it made"
[ "$(stat -c %a "$file")" = 600 ] || wrong "others can read the VM's file"
for line in 'memory = 2G' "disk = $work/disk.raw" 'qemu-arg = -no-reboot'; do
    [ "$(grep -c "^$line$" "$file")" = 1 ] || wrong "not once in the file: $line"
done
! grep 'memory = 1G' "$file" || wrong "two values of one option"
if command -v qemu-system-x86_64 >/dev/null; then
    grep -q '^machine = pc-q35-[0-9.]*$' "$file" || wrong "the machine's version is not stored"
fi
refused 'a VM of this name already' "$tapgate" create lab --disk=disk.raw
"$tapgate" create asked --net=none >/dev/null
"$tapgate" set asked disk+=missing.qcow2 2>&1 | matches 'will not start as it is: .*missing.qcow2: there is no such image' ||
    wrong "set does not say that its disk is missing"
"$tapgate" set asked disk= memory=2G 2>&1 | matches . && wrong "set of no image speaks of images"
"$tapgate" delete asked --yes
"$tapgate" create other --disk=missing.qcow2 2>&1 | matches 'will not start as it is' ||
    wrong "no word about a missing image"
(umask 777 && "$tapgate" create masked --net=none >/dev/null)
[ "$(stat -c %a "${file%/*}/masked.conf")" = 600 ] || wrong "it cannot read what it has made"
"$tapgate" delete masked --yes
result "create"

"$tapgate" show lab --cpus=2 >shown
grep -q '^cpus = 2 *# --cpus$' shown || wrong "show does not tell the command line"
grep -q '^firmware = bios *# default$' shown || wrong "show does not mark defaults"
"$tapgate" show lab --json | tr -d ' \n' | matches '{"key":"firmware","place":"default","source":"default","value":"bios"}' ||
    wrong "show --json"
long=$(printf 'word=%.0s' {1..100})
"$tapgate" show lab --kernel=/boot/linux --append="$long" | matches "^append = $long " || wrong "show cuts a value"
result "show"

before=$(cat "$file")
editor 'memory = 2X'
refused "$file:1: not a memory size like 512M or 2G" "$tapgate" edit lab
EDITOR=false refused 'exit code 1' "$tapgate" edit lab
EDITOR=/nowhere/ed refused 'cannot start' "$tapgate" edit lab
refused 'no VM is called nobody' "$tapgate" edit nobody
[ "$(cat "$file")" = "$before" ] || wrong "a failed edit changed the file"
editor 'memory = 3G'
"$tapgate" edit lab
[ "$(cat "$file")" = 'memory = 3G' ] || wrong "the edit did not get into the file"
# shellcheck disable=SC2016
printf '#!/bin/sh\necho "cpus = 2" >"%s"; echo "cpus = 3" >"$1"\n' "$file" >my-editor
EDITOR=$work/my-editor refused 'was changed meanwhile' "$tapgate" edit lab
[ "$(cat "$file")" = 'cpus = 2' ] || wrong "another's change was lost"
grep -q 'cpus = 3' "$XDG_CONFIG_HOME"/tapgate/.*.lab.conf || wrong "the edited version was lost"
rm "$XDG_CONFIG_HOME"/tapgate/.*.lab.conf
[ "$(find "$XDG_CONFIG_HOME/tapgate" -type f | wc -l)" = 2 ] || wrong "edit left a copy behind"
result "edit"

data=$XDG_DATA_HOME/tapgate/lab
mkdir -p "$data"
touch "$data/uefi-variables.qcow2" "$data/own.raw"
printf 'disk = %s\n' "$work/disk.raw" "$data/own.raw" >"$file"
refused '--yes goes ahead without asking' "$tapgate" delete lab
# A supervisor holds this lock.
(umask 077 && mkdir -p "$work/run/tapgate/lab")
flock "$work/run/tapgate/lab/lock" "$tapgate" delete lab --yes 2>refused && wrong "deleted while it runs"
grep -q 'lab is being started' refused || wrong "not said that it runs: $(cat refused)"
[ -e "$file" ] || wrong "a refused delete took the file"
"$tapgate" delete lab --yes 2>said
[ ! -e "$file" ] || wrong "the file is still there"
[[ -e disk.raw && -e $data/own.raw ]] || wrong "delete took a disk"
says said "$data/own.raw stays; it goes with: tapgate delete --disks lab\$"
! grep -q disk.raw said || wrong "delete tells of a disk that is not the VM's own"
[ ! -e "$data/uefi-variables.qcow2" ] || wrong "the UEFI variables are still there"
[ ! -e "$work/run/tapgate/lab" ] || wrong "the state is still there"
result "delete"

printf 'disk = %s\n' "$work/disk.raw" "$data/own.raw" >"$file"
printf 'disk = %s\n' "$data/own.raw" >"$XDG_CONFIG_HOME/tapgate/other.conf"
refused 'an image of the VM other too' "$tapgate" delete lab --disks --yes
"$tapgate" delete other --yes
[ -e "$data/own.raw" ] || wrong "delete took another VM's disk"
chmod a-w "${file%/*}"
refused "nothing was deleted: ${file%/*}: Permission denied" heeding_modes "$tapgate" delete lab --disks --yes
chmod u+w "${file%/*}"
[[ -e $data/own.raw && -e $file ]] || wrong "delete took half of a VM"
"$tapgate" delete lab --disks --yes
[[ -e disk.raw && ! -e $data ]] || wrong "delete --disks took what it should not, or left something"
mkdir "$data"
touch "$data/own.raw"
refused 'no VM is called lab any more; its images go with: tapgate delete --disks lab' "$tapgate" delete lab --yes
printf 'disk = %s\n' "$data/own.raw" >"$XDG_CONFIG_HOME/tapgate/other.conf"
refused 'an image of the VM other too' "$tapgate" delete lab --disks --yes
"$tapgate" delete other --yes
refused '--yes goes ahead without asking' "$tapgate" delete lab --disks
"$tapgate" delete lab --disks --yes
[ ! -e "$data" ] || wrong "delete --disks left what an earlier delete had left"
refused 'no VM is called lab: ' "$tapgate" delete lab --disks --yes
result "delete --disks"

mkdir "a dir"
refused "what is there: ls '$work/a dir/'" "$tapgate" run "$work/a dir/x.img"
result "a command that a message advises can be typed as it is"

# A name that was mistyped is no VM that is off: no verb is content with it.
printf 'net = none\n' >"$file"
for verb in stop kill pause resume reset console log vnc status ip ssh wait show edit delete start restart; do
    refused "no VM is called labb (did you mean \`lab'?)" "$tapgate" $verb labb
    [ "$verb" = show ] || refused 'tapgate create nobody --disk=PATH' "$tapgate" $verb nobody
done
for verb in stop kill; do
    "$tapgate" $verb lab 2>said || wrong "$verb of a VM that is off ends with $?"
    grep -q 'lab does not run' said || wrong "$verb of a VM that is off does not say so"
done
# Another tapgate that ends it has it for a moment.
(umask 077 && mkdir -p "$work/run/tapgate/lab")
flock "$work/run/tapgate/lab/lock" sleep 0.1 &
sleep 0.03
"$tapgate" stop lab 2>said || wrong "stop beside another one: $(cat said)"
wait
for verb in pause resume reset console vnc ip ssh wait log; do
    refused 'start it with: tapgate start lab' "$tapgate" $verb lab
done
result "a VM that there is not is said so, with the one that was probably meant"

cmp -s <("$tapgate" help) <("$tapgate" --help) || wrong "help is not --help"
cmp -s <("$tapgate" help stop) <("$tapgate" stop --help) || wrong "help stop is not stop --help"
cmp -s <("$tapgate" help lab up) <("$tapgate" lab up --help) || wrong "help lab up is not lab up --help"
"$tapgate" help lab up | matches '^  tapgate lab up FILE$' || wrong "help lab up is another's"
! "$tapgate" help lab up | matches -e '--force' || wrong "help lab up tells of what is down's"
cmp -s <("$tapgate" help snapshot save) <("$tapgate" help snapshot) || wrong "help snapshot save is not snapshot's"
refused "\`lab' is no word of start" "$tapgate" help start lab
refused "\`start' is no word of lab, which has: up down" "$tapgate" help lab start
verbs=0
for verb in '' $("$tapgate" help | sed -n 's/^  tapgate \([a-z-]*\).*/\1/p'); do
    verbs=$((verbs + 1))
    # shellcheck disable=SC2086 # none, or one
    "$tapgate" help $verb >said || wrong "help $verb ends with $?"
    long=$(awk '!/^  tapgate/ && length > 80' said)
    [ -z "$long" ] || wrong "help $verb is wider than 80 columns: $long"
done
[ $verbs -ge 50 ] || wrong "help has only $verbs verbs"
"$tapgate" help wait | matches 'how long to wait (120 seconds)' || wrong "help wait tells of other verbs"
! "$tapgate" help wait | matches 'power down' || wrong "help wait tells of other verbs"
"$tapgate" ls --all | matches '^lab ' || wrong "ls does not list"
refused 'here it is: tapgate stop NAME' "$tapgate" shutdown lab
status=0
"$tapgate" strat lab 2>said || status=$?
[ $status = 2 ] || wrong "an unknown verb ends with $status"
[ "$(wc -c <said)" -lt 80 ] || wrong "the answer to an unknown verb is as long as a list: $(cat said)"
refused "unknown verb \`'" "$tapgate" ''
("$tapgate" help fly 2>&1 || true) | matches 'see: tapgate help$' || wrong "help says that help is to be seen"
result "help, and the words of other programs"

# Errors name the file that is meant, and no lab needs a file that is no VM of its.
mkdir "$XDG_CONFIG_HOME/tapgate/directory.conf"
printf '[a]\nnet = none\n' >class.conf
"$tapgate" lab status class.conf | matches '^class-a-1 .*not made' || wrong "a file that is none of the lab's is in its way"
rmdir "$XDG_CONFIG_HOME/tapgate/directory.conf"
ln -s nowhere "$XDG_CONFIG_HOME/tapgate/link.conf"
! ("$tapgate" show link 2>&1 || true) | matches 'did you mean .link' || wrong "it means itself"
rm "$XDG_CONFIG_HOME/tapgate/link.conf"
cp disk.raw readonly.raw
chmod 0444 readonly.raw
if command -v qemu-system-x86_64 >/dev/null; then
    refused 'Permission denied: you may not write to it. A VM' heeding_modes "$tapgate" run ./readonly.raw --net=none
fi
# shellcheck disable=SC2016 # for the other shell
refused 'lab.conf: File too large' bash -c 'ulimit -f 0; trap "" XFSZ; exec "$@"' - "$tapgate" set lab memory=2G
result "an error names the file that is meant"

# Of a VM that crashed, or whose host did, all is said that there will be.
(umask 077 && mkdir -p "$work/run/tapgate/lab")
cat >"$work/run/tapgate/lab/vm.json" <<'END'
{"supervisor": 1, "started": 1, "qemu": "/qemu", "accelerator": "tcg", "unit": "", "nets": [], "words": []}
END
echo 'last words' >"$work/run/tapgate/lab/console.log"
: >"$work/run/tapgate/lab/qemu.log"
"$tapgate" list | matches -E '^lab +crashed' || wrong "it has not crashed"
timeout 10 "$tapgate" log lab --follow >said || wrong "log --follow does not end: $?"
[ "$(cat said)" = 'last words' ] || wrong "log --follow: $(cat said)"
rm -r "$work/run/tapgate/lab"
result "log --follow ends with a VM that crashed"

# Of several the row of each begins with its name, and has it once; and each is told once.
"$tapgate" create one --net=none >/dev/null
"$tapgate" create two --net=none >/dev/null
! "$tapgate" wait one two --for=running --timeout=0 >said 2>&1 || wrong "VMs that are off are ready"
for name in one two; do
    [ "$(grep -c "^tapgate: $name: not ready within 0 s: it is off$" said)" = 1 ] || wrong "wait of several: $(cat said)"
done
[ "$(wc -l <said)" = 3 ] || wrong "more than once: $(cat said)"
"$tapgate" delete one --yes
"$tapgate" delete two --yes
result "what fails of several is told once"

XDG_CONFIG_HOME=$work/nobody timeout 30 script -qec "'$tapgate' list --watch" /dev/null </dev/null >said 2>&1 &
watch=$!
until_says 'no VM runs'
kill $watch 2>/dev/null || true
wait $watch 2>/dev/null || true
grep -q 'no VM runs' said || wrong "list --watch leaves the screen empty: $(cat -A said)"
result "list --watch says that no VM runs"

# Somebody with another runtime directory starts a VM: its QEMU has no pidfile yet.
mkdir -p away/tapgate/busy
(
    exec 9>away/tapgate/busy/lock
    flock 9
    exec sleep 60
) &
supervisor=$!
mkfifo away/gate
(exec -a qemu-system-fake bash -c 'read -r _ <away/gate' -- -name guest=busy -pidfile "$work/away/tapgate/busy/qemu.pid") &
qemu=$!
sleep 0.5
"$tapgate" list >said 2>&1
! grep -q busy said || wrong "a VM that is about to start is called lost: $(cat said)"
kill $supervisor
wait $supervisor 2>/dev/null || true
"$tapgate" list >said 2>&1
grep -q '^busy  *lost' said || wrong "without a supervisor it is not: $(cat said)"
kill $qemu
wait $qemu 2>/dev/null || true
result "only a VM without a supervisor is lost"

# A Slurm that does not answer the first time.
"$tapgate" create far --on=slurm --net=none >/dev/null
mkdir cluster
cat >cluster/squeue <<'END'
#!/bin/sh
[ -e "$HOME/asked" ] || { : >"$HOME/asked"; echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1; }
echo '4711|RUNNING|n1|0:01|1:00|None|tapgate-far'
END
chmod +x cluster/squeue
PATH=$work/cluster:$PATH timeout 30 "$tapgate" list --watch >said 2>&1 &
watch=$!
until_says 4711
kill $watch 2>/dev/null || true
wait $watch 2>/dev/null || true
grep -q 'Slurm does not answer' said || wrong "its silence is not told: $(cat said)"
grep -q '^far  *running .* n1 ' said || wrong "list --watch ends where Slurm is silent once: $(cat said)"
result "list --watch outlives a Slurm that is silent once"
printf '#!/bin/sh\necho "squeue: fatal: Could not establish a configuration source" >&2; exit 1\n' >cluster/squeue
PATH=$work/cluster:$PATH "$tapgate" set far on=here 2>said || wrong "set ends with $? when it is done: $(cat said)"
grep -q 'the change is made; whether far runs is not known: Slurm: squeue: fatal' said || wrong "set says: $(cat said)"
grep -q '^on = here$' "$XDG_CONFIG_HOME/tapgate/far.conf" || wrong "it is not done"
rm "$XDG_CONFIG_HOME/tapgate/far.conf"
result "a change that is made has not failed, whatever Slurm says"

# Without stdout and stderr (a daemon's child) no file of ours is at their numbers, to get what is printed.
if command -v qemu-img >/dev/null; then
    qemu-img create -q -f qcow2 closed.qcow2 1M
    "$tapgate" new closed --from="file://$work/closed.qcow2" --net=none >&- 2>&- && wrong "printed to nowhere"
    "$tapgate" delete closed --disks --yes 2>/dev/null
    cmp -s closed.qcow2 "$XDG_DATA_HOME"/tapgate/.images/closed-*.qcow2 ||
        wrong "the notes of a download are in the image"
    result "what is printed never gets into a file"

    # Of this URL neither a list nor a tag tells that it is here already.
    truncate -s 3M same.raw
    "$tapgate" new one --from="file://$work/same.raw" --net=none >/dev/null 2>&1
    stored=$(stat -c '%n %i' "$XDG_DATA_HOME"/tapgate/.images/same-*.raw)
    "$tapgate" new two --from="file://$work/same.raw" --net=none >/dev/null 2>&1
    [ "$(stat -c '%n %i' "$XDG_DATA_HOME"/tapgate/.images/same-*.raw)" = "$stored" ] ||
        wrong "another file has come in the place of what the first VM stands on"
    # Nor when what is known of it is lost or damaged.
    for note in '' '{"url": 5}'; do
        printf '%s' "$note" | tee "$XDG_DATA_HOME"/tapgate/.images/same-*.raw.json >/dev/null
        "$tapgate" new three --from="file://$work/same.raw" --net=none >/dev/null 2>&1 || wrong "a note \`$note' is in the way"
        [ "$(stat -c '%n %i' "$XDG_DATA_HOME"/tapgate/.images/same-*.raw)" = "$stored" ] ||
            wrong "with a note \`$note' another file has come in the place of what the first VM stands on"
        "$tapgate" delete three --disks --yes
    done
    "$tapgate" delete one --disks --yes
    "$tapgate" delete two --disks --yes
    result "an image that is fetched twice is the same file"
fi

# What destroys work asks on a terminal, as delete does.
if command -v qemu-img >/dev/null && command -v script >/dev/null; then
    qemu-img create -q -f qcow2 golden.qcow2 1M
    "$tapgate" new web --from=golden.qcow2 --net=none >/dev/null 2>&1
    "$tapgate" snapshot save web one
    for words in 'reset web --to-base' 'snapshot restore web one' 'snapshot delete web one' 'delete web --disks'; do
        if echo n | script -qefc "$tapgate $words" /dev/null >said 2>&1; then
            wrong "$words goes on after a no"
        fi
        grep -q 'y/N' said || wrong "$words does not ask: $(cat said)"
    done
    "$tapgate" snapshot list web | matches '^one ' || wrong "the snapshot is gone"
    # And what a signal ends in its middle, between two disks, is undone.
    qemu-img create -q -f qcow2 second.qcow2 1M
    "$tapgate" set web disk+=second.qcow2
    mkdir slow
    # shellcheck disable=SC2016 # for the program itself
    printf '#!/bin/sh\n[ "$1" != snapshot ] || sleep 1\nexec %s "$@"\n' "$(command -v qemu-img)" >slow/qemu-img
    chmod +x slow/qemu-img
    PATH=$work/slow:$PATH "$tapgate" snapshot save web half >said 2>&1 &
    sleep 0.5
    kill -TERM $!
    status=0
    wait $! || status=$?
    [ $status = 143 ] || wrong "what SIGTERM ends ends with $status"
    sleep 1 # what it has started would go on alone
    "$tapgate" snapshot list web >said 2>&1
    ! grep '^half' said || wrong "half a snapshot is left"
    "$tapgate" set web disk="$(sed -n 's/^disk = //p' "$XDG_CONFIG_HOME/tapgate/web.conf" | head -n 1)"
    echo y | script -qefc "$tapgate snapshot delete web one" /dev/null >said 2>&1 || wrong "after a yes: $(cat said)"
    script -qefc "$tapgate reset web --to-base --yes" /dev/null >said 2>&1 </dev/null || wrong "with --yes: $(cat said)"
    ! grep -q 'y/N' said || wrong "it asks with --yes"
    result "what destroys work asks on a terminal"
fi

summary
