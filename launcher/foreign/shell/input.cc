// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: `read' and `mapfile', if the script contains what they read.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launcher/foreign/shell/line.h"
#include "launcher/foreign/shell/output.h"
#include "launcher/foreign/shell/reader.h"

namespace tapgate {

namespace {

struct ReadOptions {
    bool raw = false;    // -r: backslashes are nothing special
    bool array = false;  // -a
    std::string end = "\n";
    std::vector<std::string> names;
};

// Nothing for options that it does not know, or if there are no names.
std::optional<ReadOptions> options_of_read(const std::vector<std::string>& words) {
    ReadOptions options;
    size_t i = 1;
    for (; i < words.size() && words[i].starts_with('-'); i++) {
        const std::string& word = words[i];
        for (size_t letter = 1; letter < word.size(); letter++) {
            if (word[letter] == 'r') {
                options.raw = true;
                continue;
            }
            // What comes after these letters is their value, or else the next word is.
            const bool next = letter + 1 == word.size();
            if ((word[letter] != 'a' && word[letter] != 'd') || (next && i + 1 == words.size()))
                return std::nullopt;
            const std::string value = next ? words[++i] : word.substr(letter + 1);
            if (word[letter] == 'd')
                options.end = value;
            else if (!std::exchange(options.array, true))
                options.names.push_back(value);
            break;
        }
    }
    options.names.insert(options.names.end(), words.begin() + static_cast<std::ptrdiff_t>(i),
                         words.end());
    const bool named =
        std::all_of(options.names.begin(), options.names.end(), [](const std::string& name) {
            return !name.empty() && shell_name_length(name) == name.size();
        });
    if (!named || options.names.empty() || (options.array && options.names.size() > 1))
        return std::nullopt;
    return options;
}

}  // namespace

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

// read [-r] [-d END] NAMES, read [-r] [-d END] -a NAME
bool ShellReader::read_line(const std::string& text) {
    const auto options = options_of_read(command_.words);
    if (!options)
        return false;
    // With -d '', the end would be a NUL byte, which no script contains.
    const size_t end = options->end.empty() ? text.size() : text.find(options->end[0]);
    const std::string line = text.substr(0, end);
    if (!options->raw && line.find('\\') != std::string::npos)
        return false;
    ShellVariables::Value separators = variables_.get("IFS");
    for (const auto& [variable, value] : command_.environment) {
        if (variable == "IFS")
            separators = {{value}};
    }
    if (separators.problem)
        return false;
    const std::vector<std::string>& names = options->names;
    std::vector<std::string> words =
        words_of_line(line, separators.words.empty() ? "" : separators.words[0],
                      options->array ? line.size() + 1 : names.size());
    if (options->array) {
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
