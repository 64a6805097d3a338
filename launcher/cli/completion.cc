// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/completion.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <string_view>
#include <vector>

#include "launcher/cli/verbs.h"
#include "launcher/qemu/argv.h"
#include "launcher/vm/options.h"

namespace tapgate {

namespace {

// An option of a verb, or of the VM, as a shell has to know it.
struct Option {
    std::string name;  // with its dashes
    std::string help;
    bool has_value = false;
    std::string values = {};  // see OptionShape
    std::string properties = {};
    bool is_path = false;
    bool repeatable = false;
};

bool is_literal(std::string_view word) {
    return !word.empty() && word.front() >= 'a' && word.front() <= 'z';
}

// "ssh|agent" is what it says, "PATH" stands for something else.
Option own_option(const VerbOption& option) {
    Option result{.name = "--" + std::string(option.name),
                  .help = std::string(option.help),
                  .has_value = !option.argument.empty()};
    result.is_path = option.argument == "PATH" || option.argument == "FILE";
    if (is_literal(option.argument)) {
        result.values = option.argument;
        std::replace(result.values.begin(), result.values.end(), '|', ' ');
    }
    return result;
}

// All that the verb takes, but for what has no help and so is nobody's to type.
std::vector<Option> options_of(const Verb& verb) {
    std::vector<Option> result;
    for (const VerbOption& option : verb_options()) {
        if (takes(verb, option) && !option.help.empty())
            result.push_back(own_option(option));
    }
    if (verb.vm_options) {
        for (const OptionShape& shape : option_shapes())
            result.push_back({"--" + std::string(shape.key), std::string(shape.help), true,
                              std::string(shape.values), std::string(shape.properties),
                              shape.is_path, shape.repeatable});
    }
    result.push_back({.name = "--help", .help = "print the verb's options"});
    return result;
}

// "NAME|IMAGE FILE" of "NAME|IMAGE [FILE] [-- COMMAND...]".
std::vector<std::string> operands_of(const Verb& verb) {
    std::string text(verb.operands);
    text.resize(std::min(text.find("--"), text.size()));
    text.erase(
        std::remove_if(text.begin(), text.end(), [](char c) { return c == '[' || c == ']'; }),
        text.end());
    std::istringstream words(text);
    return {std::istream_iterator<std::string>(words), {}};
}

// As one word of a shell.
std::string shell_word(const std::string& text) {
    return shell_text({text});
}

constexpr std::string_view bash_function = R"(
# The words that an operand or a value of this kind can be.
_tapgate_words() {
    local file
    case $1 in
        NAME)
            for file in "${XDG_CONFIG_HOME:-$HOME/.config}"/tapgate/[a-zA-Z]*.conf; do
                [[ -e $file ]] || continue
                file=${file##*/}
                printf '%s\n' "${file%.conf}"
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
        if [[ $kind == PATH || $kind == FILE || $kind == IMAGE ]]; then
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
            _tapgate_add '' "$cur" "${operands[position]-}"
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
)";

constexpr std::string_view zsh_functions = R"(
_tapgate_vms() {
    local -a names=(${XDG_CONFIG_HOME:-$HOME/.config}/tapgate/[a-zA-Z]*.conf(N:t:r))
    compadd -a names
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
            (BRIDGE) _tapgate_bridges ;;
            (PATH|FILE|IMAGE) _files ;;
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
)";

// What its value can be, as the scripts have it: "PATH", "auto|on|off".
std::string kinds_of(const Option& option) {
    std::string kinds = option.values;
    std::replace(kinds.begin(), kinds.end(), ' ', '|');
    return option.is_path ? "PATH" + (kinds.empty() ? "" : "|" + kinds) : kinds;
}

// The explanation of an option, for _arguments.
std::string zsh_explanation(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '[' || c == ']' || c == '\\')
            escaped += '\\';
        escaped += c;
    }
    return "[" + escaped + "]";
}

// Between colons of _arguments.
std::string colons_escaped(const std::string& text) {
    std::string escaped;
    for (const char c : text)
        escaped.append(c == ':' ? "\\" : "").push_back(c);
    return escaped;
}

std::string zsh_argument(const Option& option) {
    std::string spec = option.repeatable ? "*" : "";
    spec += option.name + (option.has_value ? "=" : "") + zsh_explanation(option.help);
    if (option.has_value)
        spec += ":value:" + colons_escaped("{_tapgate_value " + shell_word(kinds_of(option)) + " " +
                                           shell_word(option.properties) + "}");
    return shell_word(spec);
}

}  // namespace

std::string bash_completion() {
    std::string operands;
    std::string options;
    std::string values;
    std::string properties;
    const auto entry = [](const std::string& key, const std::string& value) {
        return "\n    [" + key + "]=" + shell_word(value);
    };
    std::vector<std::string> seen;
    for (const Verb& verb : verbs()) {
        std::string names;
        for (const Option& option : options_of(verb)) {
            names.append(names.empty() ? "" : " ").append(option.name);
            if (!option.has_value)
                continue;
            names += "=";
            if (std::find(seen.begin(), seen.end(), option.name) != seen.end())
                continue;
            seen.push_back(option.name);
            values += entry(option.name, kinds_of(option));
            if (!option.properties.empty())
                properties += entry(option.name, option.properties);
        }
        std::string kinds;
        for (const std::string& operand : operands_of(verb))
            kinds.append(kinds.empty() ? "" : " ").append(operand);
        operands += entry(std::string(verb.name), kinds);
        options += entry(std::string(verb.name), names);
    }
    return "# Completion of tapgate(1)'s command line, by: tapgate completion bash\n"
           "declare -gA _tapgate_operands=(" +
           operands +
           "\n)\n"
           "declare -gA _tapgate_options=(" +
           options +
           "\n)\n"
           "declare -gA _tapgate_values=(" +
           values +
           "\n)\n"
           "declare -gA _tapgate_properties=(" +
           properties + "\n)\n" + std::string(bash_function);
}

std::string zsh_completion() {
    std::string names;
    std::string cases;
    for (const Verb& verb : verbs()) {
        names +=
            "        " + shell_word(std::string(verb.name) + ":" + std::string(verb.help)) + "\n";
        cases += "        (" + std::string(verb.name) + ")\n            _arguments";
        for (const Option& option : options_of(verb))
            cases += " \\\n                " + zsh_argument(option);
        unsigned position = 0;
        for (const std::string& operand : operands_of(verb))
            cases += " \\\n                " +
                     shell_word(std::to_string(++position) + ":" + operand + ":{_tapgate_kinds " +
                                shell_word(operand) + "}");
        cases += "\n            ;;\n";
    }
    return "#compdef tapgate\n"
           "# Completion of tapgate(1)'s command line, by: tapgate completion zsh\n" +
           std::string(zsh_functions) + "\n_tapgate() {\n    local -a verbs=(\n" + names +
           "    )\n"
           "    if ((CURRENT == 2)); then\n"
           "        _describe verb verbs\n"
           "        return\n"
           "    fi\n"
           "    shift words\n"
           "    ((CURRENT--))\n"
           "    case $words[1] in\n" +
           cases +
           "    esac\n}\n\n"
           "_tapgate \"$@\"\n";
}

}  // namespace tapgate
