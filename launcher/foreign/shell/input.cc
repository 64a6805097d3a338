// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: `read' and `mapfile', if the script contains what they read.
#include <algorithm>

#include "launcher/foreign/shell/line.h"
#include "launcher/foreign/shell/output.h"
#include "launcher/foreign/shell/reader.h"

namespace tapgate {

// < <(COMMAND) counts if the command's output is known; `> >(tee log)' only logs what QEMU prints.
// Any other is an unknown word.
void ShellReader::read_process() {
    const auto& redirections = command_.redirections;
    const char way = peek();
    begin_word();
    const size_t length = length_of_command(words_.rest().substr(1));
    const bool behind = !redirections.empty() && redirections.back().ends_with(way);
    if (behind && way == '<' && reads_input(command_.words) && length > 0) {
        ShellWordReader reader(words_.rest(), variables_, words_.line());
        const ShellOutput parts = reader.output_of(words_.rest().substr(2, length - 2));
        const bool whole = parts.rest.empty() && !parts.words.empty() && !parts.problem &&
                           !is_unknown(parts.words) &&
                           script_.functions.find(parts.words[0]) == nullptr;
        input_ = whole ? shell_printed(parts.words) : std::nullopt;
    } else if (!behind || way != '>') {
        add_problem({"what another command reads or writes (`" + std::string(1, way) + "(...)')"});
    }
    const size_t line = std::min(words_.rest().find('\n'), words_.rest().size());
    words_.skip(length > 0 ? length + 1 : line);
}

// If false, their variables become unknown.
bool ShellReader::take_input() {
    if (!input_ || !reads_input(command_.words) || reach() != Truth::yes || command_.problem ||
        flow_.is_in_condition())
        return false;
    return command_.words[0] == "read" ? read_line(*input_) : read_lines(*input_);
}

// read [-r] NAMES, read -a NAME
bool ShellReader::read_line(const std::string& text) {
    auto name = command_.words.begin() + 1;
    std::string options;
    for (; name != command_.words.end() && name->starts_with('-'); name++)
        options += name->substr(1);
    const std::vector<std::string> names(name, command_.words.end());
    const bool array = options.find('a') != std::string::npos;
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string line = text.substr(0, end);
    if (options.find_first_not_of("ra") != std::string::npos || names.empty() ||
        (array && names.size() > 1) ||
        (options.find('r') == std::string::npos && line.find('\\') != std::string::npos) ||
        std::any_of(names.begin(), names.end(),
                    [](const std::string& one) { return shell_name_length(one) != one.size(); }))
        return false;
    ShellVariables::Value separators = variables_.get("IFS");
    for (const auto& [variable, value] : command_.environment) {
        if (variable == "IFS")
            separators = {{value}};
    }
    if (separators.problem)
        return false;
    std::vector<std::string> words =
        words_of_line(line, separators.words.empty() ? "" : separators.words[0],
                      array ? line.size() + 1 : names.size());
    if (array) {
        variables_.set(names[0], {std::move(words)}, true, false, false);
    } else {
        words.resize(names.size());
        for (size_t i = 0; i < names.size(); i++)
            variables_.set(names[i], {{words[i]}}, false, false, false);
    }
    called_ = {truth_of(end < text.size()), false, false, {}};
    return true;
}

// mapfile [-t] NAME
bool ShellReader::read_lines(const std::string& text) {
    std::vector<std::string> names(command_.words.begin() + 1, command_.words.end());
    const bool trims = std::erase(names, "-t") > 0;
    if (names.size() != 1 || shell_name_length(names[0]) != names[0].size())
        return false;
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at) + (trims || end == text.size() ? "" : "\n"));
        at = end + 1;
    }
    variables_.set(names[0], {std::move(lines)}, true, false, false);
    called_ = {Truth::yes, false, false, {}};
    return true;
}

}  // namespace tapgate
