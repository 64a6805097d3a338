// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: `getopts', as in POSIX.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/reader.h"

namespace tapgate {

namespace {

// One step of it, and what its variables become.
struct Step {
    bool found = false;  // an option, known or not
    std::string option = "?";
    std::optional<std::string> value;
};

// Reads on in `arguments', from character `read' of argument number `argument', counted from 1.
// Afterwards, both are past the option.
Step step(const std::string& options, const std::vector<std::string>& arguments, size_t& argument,
          size_t& read) {
    if (argument == 0 || argument > arguments.size())
        return {};
    const std::string& word = arguments[argument - 1];
    if (read == 0 && (word.size() < 2 || word[0] != '-' || word == "--")) {
        argument += word == "--" ? 1 : 0;
        return {};
    }
    read = std::max(read, size_t{1});
    const char letter = word[std::min(read, word.size() - 1)];
    const std::string rest = word.substr(std::min(read + 1, word.size()));
    const auto behind = [&](size_t words) {
        argument += words;
        read = 0;
    };
    const bool silent = options.starts_with(':');
    const size_t known = letter == ':' ? std::string::npos : options.find(letter);
    const std::string option(1, letter);
    Step result{true, option, std::nullopt};
    if (known != std::string::npos && options.substr(known + 1).starts_with(':')) {
        if (!rest.empty()) {
            result.value = rest;
            behind(1);
        } else if (argument < arguments.size()) {
            result.value = arguments[argument];
            behind(2);
        } else {
            result.option = silent ? ":" : "?";
            if (silent)
                result.value = option;
            behind(1);
        }
        return result;
    }
    if (known == std::string::npos) {
        result.option = "?";
        if (silent)
            result.value = option;
    }
    if (rest.empty())
        behind(1);
    else
        read++;
    return result;
}

}  // namespace

// getopts OPTIONS NAME [ARGUMENT...]. Without arguments, there is no option.
ShellStatus ShellReader::next_option() {
    const auto& words = command_.words;
    const std::string& name = words[2];
    std::optional<ShellVariables::Value> arguments;
    if (words.size() > 3)
        arguments = {{words.begin() + 3, words.end()}, command_.problem};
    else if (variables_.arguments() != nullptr)
        arguments = *variables_.arguments();
    if (!arguments)
        return {Truth::no, true, false, {}};
    if (reach() != Truth::yes || arguments->problem || is_unknown(arguments->words) ||
        is_unknown(words)) {
        for (const std::string& one : {name, std::string("OPTARG"), std::string("OPTIND")})
            variables_.forget(one, "set by `getopts'");
        return {};
    }
    auto& [argument, read] = script_.options;
    // Setting OPTIND begins anew.
    const auto set = variables_.saved("OPTIND");
    const size_t wanted =
        set && set->words.size() == 1 ? parse_whole<size_t>(set->words[0]).value_or(1) : size_t{1};
    if (wanted != argument) {
        argument = wanted;
        read = 0;
    }
    const Step result = step(words[1], arguments->words, argument, read);
    const auto assign = [&](const std::string& variable, const std::string& value) {
        variables_.set(variable, {{value}}, false, false, false);
    };
    assign("OPTIND", std::to_string(argument));
    assign(name, result.option);
    if (result.value)
        assign("OPTARG", *result.value);
    else
        variables_.unset("OPTARG");
    return {result.found ? Truth::yes : Truth::no, false, false,
            written() + " (line " + std::to_string(command_.line) + ")"};
}

}  // namespace tapgate
