// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/completion.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/cli/completion_functions.h"
#include "launcher/vm/options.h"

namespace tapgate {

namespace {

// An option of a verb or of the VM, with what a shell has to know about it.
struct Option {
    std::string name;  // including its dashes
    std::string help;
    bool has_value = false;
    std::string values = {};  // see VmOption
    std::string properties = {};
    bool is_path = false;
    bool repeatable = false;
};

bool is_literal(std::string_view word) {
    return !word.empty() && word.front() >= 'a' && word.front() <= 'z';
}

// An argument like "ssh|agent" lists the values; one like "PATH" stands for something else.
Option own_option(const VerbOption& option, const Verb& verb) {
    Option result{.name = "--" + std::string(option.name),
                  .help = std::string(help_of(option, &verb)),
                  .has_value = !option.argument.empty()};
    result.is_path =
        option.argument == "PATH" || option.argument == "FILE" || option.argument == "IMAGE|URL";
    if (is_literal(option.argument)) {
        result.values = option.argument;
        std::replace(result.values.begin(), result.values.end(), '|', ' ');
    }
    return result;
}

// Everything that the verb takes, without options that have no help and so are not for users.
std::vector<Option> options_of(const Grammar& grammar, const Verb& verb) {
    std::vector<Option> result;
    for (const VerbOption& option : grammar.options) {
        if (takes(verb, option) && !option.help.empty())
            result.push_back(own_option(option, verb));
    }
    if (verb.vm_options) {
        for (const VmOption& shape : vm_options())
            result.push_back({"--" + std::string(shape.key), std::string(shape.help), true,
                              std::string(shape.values), std::string(shape.properties),
                              shape.is_path, shape.repeatable});
    }
    result.push_back({.name = "--help", .help = "print the verb's options"});
    return result;
}

// The text as a single word of a shell.
std::string shell_word(const std::string& text) {
    return shell_text({text});
}

// What the option's value can be, in the scripts' notation: "PATH", "auto|on|off".
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

// The text for a place between colons of _arguments.
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

std::string bash_completion(const Grammar& grammar) {
    std::string operands;
    std::string options;
    std::string values;
    std::string properties;
    const auto entry = [](const std::string& key, const std::string& value) {
        return "\n    [" + key + "]=" + shell_word(value);
    };
    std::vector<std::string> seen;
    for (const Verb& verb : grammar.verbs) {
        std::string names;
        for (const Option& option : options_of(grammar, verb)) {
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
        for (const Operand& operand : operands_of(verb))
            kinds.append(kinds.empty() ? "" : " ")
                .append(operand.kind)
                .append(operand.repeats ? "..." : "");
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
           properties + "\n)\n" + "\n" + std::string(bash_completion_functions);
}

std::string zsh_completion(const Grammar& grammar) {
    std::string names;
    std::string cases;
    for (const Verb& verb : grammar.verbs) {
        names +=
            "        " + shell_word(std::string(verb.name) + ":" + std::string(verb.help)) + "\n";
        cases += "        (" + std::string(verb.name) + ")\n            _arguments";
        for (const Option& option : options_of(grammar, verb))
            cases += " \\\n                " + zsh_argument(option);
        unsigned position = 0;
        for (const Operand& operand : operands_of(verb))
            cases +=
                " \\\n                " +
                shell_word((operand.repeats ? "*" : std::to_string(++position)) + ":" +
                           colons_escaped(operand.kind) + ":" +
                           colons_escaped("{_tapgate_kinds " + shell_word(operand.kind) + "}"));
        cases += "\n            ;;\n";
    }
    return "#compdef tapgate\n"
           "# Completion of tapgate(1)'s command line, by: tapgate completion zsh\n"
           "\n" +
           std::string(zsh_completion_functions) + "\n_tapgate() {\n    local -a verbs=(\n" +
           names +
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
