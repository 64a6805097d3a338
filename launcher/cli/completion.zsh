_tapgate_vms() {
    local -a names=(${XDG_CONFIG_HOME:-$HOME/.config}/tapgate/[a-zA-Z]*.conf(N:t:r))
    compadd "$@" -a names
}

_tapgate_bridges() {
    local -a names=(/sys/class/net/*/bridge(N:h:t))
    compadd -a names
}

# What one of KINDS (between '|') can be.
_tapgate_kinds() {
    local kind
    for kind in ${(s:|:)1}; do
        case $kind in
            (NAME) _tapgate_vms ;;
            (NAME:) _tapgate_vms -S : ;;
            (BRIDGE) _tapgate_bridges ;;
            (PATH|FILE|FILE.*|IMAGE) _files ;;
            (bridge:)
                if [[ $PREFIX == bridge:* ]]; then
                    compset -P bridge:
                    _tapgate_bridges
                else
                    compadd -S '' -- bridge:
                fi
                ;;
            ([a-z0-9]*) compadd -- $kind ;;
        esac
    done
}

# The value of an option, which may be a list: VALUES, and PROPERTIES behind commas.
_tapgate_value() {
    local property name
    if ! compset -P '*,' || [[ -z $2 ]]; then
        _tapgate_kinds $1
        return
    fi
    name=${PREFIX%%=*}
    if [[ $PREFIX == *=* ]]; then
        compset -P '*='
        for property in ${=2}; do
            [[ $property != $name=* ]] || _tapgate_kinds ${property#*=}
        done
    else
        for property in ${=2}; do
            compadd -S '' -- ${property%%=*}=
        done
    fi
}
