#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What shells complete of tapgate's command lines: bash by calling what it would call, zsh (where
# there is one) by typing at it.
#
# Usage: completion.sh TAPGATE
#
# shellcheck disable=SC2154 # the sourced completion's variables
set -euo pipefail

tapgate=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work XDG_CONFIG_HOME=$work/config
mkdir -p "$XDG_CONFIG_HOME/tapgate" "$work/images/sub"
cd "$work/images"
touch "$XDG_CONFIG_HOME/tapgate/"{lab1,lab2,web}.conf "$XDG_CONFIG_HOME/tapgate/.1.lab1.conf"
touch 'rhce.qcow2' 'rhce 2.qcow2'

# shellcheck disable=SC1090
source <("$tapgate" completion bash)
complete -p tapgate >/dev/null
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'

# completes LINE WORDS: behind LINE bash offers the words, which have a blank between them.
completes() {
    COMP_LINE=$1
    COMP_POINT=${#COMP_LINE}
    COMPREPLY=()
    _tapgate
    local offered
    offered=$(printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd ' ')
    [ "$offered" = "$2" ] || {
        printf 'bash, %s: offers %s, not %s\n' "$1" "$offered" "$2"
        exit 1
    }
}
completes 'tapgate cre' 'create'
completes 'tapgate --v' '--version'
completes 'tapgate argv ' 'lab1 lab2 web'
completes 'tapgate argv l' 'lab1 lab2'
completes 'tapgate argv lab1 ' ''
completes 'tapgate argv --json l' 'lab1 lab2'
completes 'tapgate argv --accel tcg l' 'lab1 lab2'
completes 'tapgate argv lab1 --plain' '--plain-bridge'
completes 'tapgate argv lab1 --mem' '--memory='
completes 'tapgate edit lab1 --mem' ''
completes 'tapgate create x --accel=' 'auto kvm tcg'
completes 'tapgate create x --accel ' 'auto kvm tcg'
completes 'tapgate create x --accel k' 'kvm'
completes 'tapgate create x --firmware=uefi' 'uefi uefi-secure'
# Behind the colon: that is where bash's own word begins.
completes 'tapgate create x --display=vnc:l' 'localhost'
completes 'tapgate create x --boot=cdrom,d' 'cdrom,disk'
completes 'tapgate create x --disk=r' 'rhce 2.qcow2 rhce.qcow2'
completes 'tapgate create x --disk=s' 'sub/'
completes 'tapgate create x --disk=rhce.qcow2,b' 'rhce.qcow2,backing= rhce.qcow2,bus='
completes 'tapgate create x --disk=rhce.qcow2,bus=s' 'sata scsi'
completes 'tapgate create x --disk rhce.qcow2,bus=s' 'sata scsi'
completes 'tapgate create x --disk=rhce.qcow2,bus=scsi,cache=w' 'writeback writethrough'
completes 'tapgate create x --net=user,mo' 'user,model='
completes 'tapgate create x --memory=' ''
completes 'tapgate completion ' 'bash zsh'
completes 'tapgate export lab1 rh' 'rhce 2.qcow2 rhce.qcow2'
completes 'tapgate stop lab1 web l' 'lab1 lab2'
completes 'tapgate cp w' 'web:'
completes 'tapgate cp web:/etc/hosts r' 'rhce 2.qcow2 rhce.qcow2'
completes 'tapgate argv lab1 -- -' ''
COMP_WORDBREAKS=$' \t\n'
completes 'tapgate create x --display=vnc:l' '--display=vnc:localhost'

# Every verb and every option that --help has.
verbs=0
for verb in $("$tapgate" --help | sed -n 's/^  tapgate \([a-z-]*\) .*/\1/p'); do
    verbs=$((verbs + 1))
    [[ -v _tapgate_operands[$verb] ]] || {
        echo "$verb is not completed"
        exit 1
    }
    completes "tapgate $verb" "$(compgen -W "${!_tapgate_operands[*]}" -- "$verb" | LC_ALL=C sort | paste -sd ' ')"
    for option in $("$tapgate" "$verb" --help | grep -oE '^ .*--[a-z][a-z0-9-]*' | grep -oE -- '--[a-z0-9-]+' | sort -u); do
        [[ $option = --version || " ${_tapgate_options[$verb]} " =~ [[:space:]]$option=?[[:space:]] ]] || {
            echo "$verb $option is not completed"
            exit 1
        }
    done
done
[ $verbs -ge 50 ] || {
    echo "--help has only $verbs verbs: is the pattern still right?"
    exit 1
}

if ! command -v zsh >/dev/null; then
    echo "missing package: zsh"
    [ "${MUST_WORK:-0}" = 1 ] && exit 1
    exit 77
fi
mkdir functions
"$tapgate" completion zsh >functions/_tapgate
zsh -n functions/_tapgate
# Types each line and Tab, and prints what it becomes.
cat >type.zsh <<'END'
zmodload zsh/zpty
zpty shell "HOME=$HOME XDG_CONFIG_HOME=$XDG_CONFIG_HOME TERM=dumb zsh -f -i"
zpty -w shell "fpath=($PWD/functions \$fpath); autoload -U compinit; compinit -D -u; PS1=; RPS1="
zpty -w shell 'setopt no_zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste; report() { print -r -- "<<$BUFFER>>" >&2; zle kill-buffer }; zle -N report; bindkey "^X" report; print rea""dy'
zpty -r -m shell line '*ready*'
for typed in $@; do
    zpty -w -n shell "$typed"$'\t\x18'
    zpty -r -m shell line '*<<*>>*'
    line=${line##*<<}
    print -r -- ${line%%>>*}
done
zpty -d shell
END
lines=()
expected=()
# types LINE RESULT
types() {
    lines+=("$1")
    expected+=("$2")
}
types 'tapgate cre' 'tapgate create '
types 'tapgate argv w' 'tapgate argv web '
types 'tapgate argv web --plai' 'tapgate argv web --plain-bridge '
types 'tapgate create x --accel=k' 'tapgate create x --accel=kvm '
types 'tapgate create x --display=vnc:l' 'tapgate create x --display=vnc:localhost '
types 'tapgate export lab1 rhce.q' 'tapgate export lab1 rhce.qcow2 '
types 'tapgate cp we' 'tapgate cp web:'
types 'tapgate cp web:/etc/hosts rhce.q' 'tapgate cp web:/etc/hosts rhce.qcow2 '
types 'tapgate create x --disk=rhce.q' 'tapgate create x --disk=rhce.qcow2 '
types 'tapgate create x --disk=rhce.qcow2,ca' 'tapgate create x --disk=rhce.qcow2,cache='
types 'tapgate create x --disk=rhce.qcow2,bus=sc' 'tapgate create x --disk=rhce.qcow2,bus=scsi '
types 'tapgate create x --net=br' 'tapgate create x --net=bridge:'
mapfile -t typed < <(timeout 60 zsh -f type.zsh "${lines[@]}")
for i in "${!lines[@]}"; do
    [ "${typed[i]-}" = "${expected[i]}" ] || {
        printf 'zsh, %s: becomes %s, not %s\n' "${lines[i]}" "${typed[i]-}" "${expected[i]}"
        exit 1
    }
done
