# shellcheck shell=bash
# shellcheck disable=SC2154  # the tables, which tapgate writes above this
# The words that an operand or a value of this kind can be.
_tapgate_words() {
    local file
    case $1 in
        NAME | NAME:)
            for file in "${XDG_CONFIG_HOME:-$HOME/.config}"/tapgate/[a-zA-Z]*.conf; do
                [[ -e $file ]] || continue
                file=${file##*/}
                printf '%s\n' "${file%.conf}${1#NAME}"
            done
            ;;
        BRIDGE)
            for file in /sys/class/net/*/bridge; do
                [[ -e $file ]] || continue
                file=${file%/bridge}
                printf '%s\n' "$2${file##*/}"
            done
            ;;
        bridge:) _tapgate_words BRIDGE bridge: ;;
        [a-z]* | [0-9]*) printf '%s\n' "$1" ;;
    esac
}

# Adds to `candidates` what KINDS (between '|') can be, behind HEAD, when it begins with PART.
_tapgate_add() {
    local head=$1 part=$2 kind word
    local -a kinds
    IFS='|' read -ra kinds <<<"$3"
    for kind in "${kinds[@]}"; do
        if [[ $kind == PATH || $kind == FILE || $kind == FILE.* || $kind == IMAGE ]]; then
            while IFS= read -r word; do
                [[ ! -d $word ]] || word+=/
                candidates+=("$head$word")
                files=1
            done < <(compgen -f -- "$part")
        else
            while IFS= read -r word; do
                [[ $word != "$part"* ]] || candidates+=("$head$word")
            done < <(_tapgate_words "$kind")
        fi
    done
}

# The same for the value of an option, which may be a list.
_tapgate_add_value() {
    local head=$1 option=$2 value=$3 part property
    part=${value##*,}
    if [[ $value != *,* ]]; then
        _tapgate_add "$head" "$value" "${_tapgate_values[$option]-}"
        return
    fi
    head+=${value%"$part"}
    if [[ -z ${_tapgate_properties[$option]-} ]]; then
        _tapgate_add "$head" "$part" "${_tapgate_values[$option]-}"
        return
    fi
    for property in ${_tapgate_properties[$option]}; do
        if [[ $part == *=* ]]; then
            [[ ${part%%=*} != "${property%%=*}" ]] ||
                _tapgate_add "$head${part%%=*}=" "${part#*=}" "${property#*=}"
        elif [[ $property == "$part"* ]]; then
            candidates+=("$head${property%%=*}=")
        fi
    done
}

_tapgate() {
    local line=${COMP_LINE:0:COMP_POINT} cur verb word option='' breaks='' files='' i position=0
    local -a words operands candidates=()
    # Not COMP_WORDS: they are parted at '=' and ':' as well.
    read -ra words <<<"$line"
    [[ $line != *[[:blank:]] ]] || words+=('')
    cur=${words[-1]}
    verb=${words[1]-}
    if ((${#words[@]} <= 2)); then
        for word in "${!_tapgate_operands[@]}" --help --version; do
            [[ $word != "$cur"* ]] || candidates+=("$word")
        done
    else
        for ((i = 2; i < ${#words[@]} - 1; i++)); do
            word=${words[i]}
            if [[ $word == -- ]]; then
                return
            elif [[ -n $option ]]; then
                option=''
            elif [[ " ${_tapgate_options[$verb]-} " == *" $word= "* ]]; then
                option=$word
            elif [[ $word != -* ]]; then
                position=$((position + 1))
            fi
        done
        if [[ -n $option ]]; then
            _tapgate_add_value '' "$option" "$cur"
        elif [[ $cur == --*=* ]]; then
            _tapgate_add_value "${cur%%=*}=" "${cur%%=*}" "${cur#*=}"
        elif [[ $cur == -* ]]; then
            for word in ${_tapgate_options[$verb]-}; do
                [[ $word != "$cur"* ]] || candidates+=("$word")
            done
        else
            read -ra operands <<<"${_tapgate_operands[$verb]-}"
            if ((${#operands[@]} > 0 && position >= ${#operands[@]})) && [[ ${operands[-1]} == *... ]]; then
                position=$((${#operands[@]} - 1))
            fi
            word=${operands[position]-}
            _tapgate_add '' "$cur" "${word%...}"
        fi
    fi
    # The shell replaces what stands behind the last of its own breaks.
    [[ $COMP_WORDBREAKS != *=* ]] || breaks+='='
    [[ $COMP_WORDBREAKS != *:* ]] || breaks+=':'
    COMPREPLY=("${candidates[@]}")
    if [[ -n $breaks ]]; then
        COMPREPLY=("${candidates[@]#"${cur%"${cur##*["$breaks"]}"}"}")
    fi
    [[ -z $files ]] || compopt -o filenames 2>/dev/null || :
    [[ ${#candidates[@]} != 1 || ${candidates[0]} != *[=:/] ]] || compopt -o nospace 2>/dev/null || :
}

complete -F _tapgate tapgate
