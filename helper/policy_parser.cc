// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/policy_parser.h"

#include <algorithm>

namespace tapgate {

namespace {

// QEMU's reader takes lines in pieces of this size: what comes after is a line of its own to it.
constexpr size_t longest_line = 4095;

// What g_ascii_isspace() takes for a blank in QEMU's reader.
constexpr std::string_view blanks = " \t\n\v\f\r";

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

// Takes the first word off `text`, and the blanks behind it.
std::string_view take_word(std::string_view& text) {
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return word;
}

std::string quoted(std::string_view word) {
    return "`" + printable(word) + "'";
}

// The line and, below, a caret under `column`; tabs stay tabs, so that the caret stands right.
std::string pointed_out(std::string_view line, size_t column) {
    constexpr size_t widest = 100;
    std::string shown = "\n    ";
    std::string below = "\n    ";
    for (const char c : line.substr(0, widest)) {
        const bool control = static_cast<unsigned char>(c) < ' ' || c == '\x7f';
        shown += control && c != '\t' ? '?' : c;
    }
    if (column > widest)
        return shown + "...";
    for (const char c : line.substr(0, column))
        below += c == '\t' ? '\t' : ' ';
    return shown + below + '^';
}

class Parser {
  public:
    explicit Parser(const ReadPolicyFile& read_file) : read_file_(read_file) {}

    Policy parse(const std::string& path) {
        const PolicyText main_file = read_file_(path);
        if (main_file.error != 0)
            fail_with_errno(printable_path(path), main_file.error);
        parse_file(path, main_file);
        return std::move(policy_);
    }

  private:
    void parse_file(const std::string& path, const PolicyText& file) {
        if (!file.distrust.empty())
            throw Failure(file.distrust);
        std::string_view text = file.text;
        open_files_.push_back(path);
        Place place{path, 0};
        while (!text.empty()) {
            place.line++;
            const size_t length = std::min(text.find('\n'), text.size());
            parse_line(place, text.substr(0, length));
            text.remove_prefix(std::min(length + 1, text.size()));
        }
        open_files_.pop_back();
    }

    void parse_line(const Place& place, std::string_view line) {
        if (line.size() > longest_line)
            throw PolicyError(place,
                              "the line is longer than " + std::to_string(longest_line) + " bytes",
                              line.substr(0, 60), 0);
        if (const size_t nul = line.find('\0'); nul != std::string_view::npos)
            throw PolicyError(place, "a NUL byte in the line", line, nul);
        const std::string_view content = trimmed(line);
        if (content.empty() || content.front() == '#')
            return;

        std::string_view rest = content;
        const std::string_view command = take_word(rest);
        const auto wrong = [&](const std::string& what, std::string_view where) {
            return PolicyError(place, what, line, static_cast<size_t>(where.data() - line.data()));
        };
        if (command == "allow" || command == "deny") {
            if (rest.empty())
                throw wrong(
                    "Invalid config line: " + std::string(command) + " needs a bridge, or `all'",
                    rest);
            Rule rule;
            rule.action = command == "allow" ? Rule::Action::allow : Rule::Action::deny;
            rule.place = place;
            rule.text = content;
            const std::string_view bridge = take_word(rest);
            if (bridge.size() > InterfaceName::max_size)
                throw wrong(
                    "name " + quoted(bridge) + " too long: " + std::to_string(bridge.size()),
                    bridge);
            if (bridge != "all") {
                rule.bridge = InterfaceName::parse(bridge);
                if (!rule.bridge)
                    throw wrong(quoted(bridge) + " cannot be a bridge's name", bridge);
            }
            if (!rest.empty()) {
                const std::string_view word = rest;
                throw wrong("unknown word " + quoted(take_word(rest)), word);
            }
            policy_.rules.push_back(std::move(rule));
        } else if (command == "include") {
            if (rest.empty())
                throw wrong("Invalid config line: include needs a file", rest);
            // QEMU's reader separates at the first space, wherever that is, and at a tab only where
            // there is none: this line is an unknown command to it, not a path with a space.
            const size_t space = content.find(' ');
            if (space != std::string_view::npos && space > command.size())
                throw wrong("Unknown command " + quoted(content.substr(0, space)), content);
            parse_include(place, rest, wrong);
        } else {
            throw wrong("Unknown command " + quoted(command), content);
        }
    }

    template <typename Wrong>
    void parse_include(const Place& place, std::string_view named, const Wrong& wrong) {
        std::string path(named);
        if (path.front() != '/')
            path.insert(0, place.file.substr(0, place.file.rfind('/') + 1));
        if (std::find(open_files_.begin(), open_files_.end(), path) != open_files_.end())
            throw wrong("`" + printable_path(path) + "' includes itself", named);
        if (open_files_.size() > max_include_depth)
            throw wrong("includes nest deeper than " + std::to_string(max_include_depth), named);
        const PolicyText file = read_file_(path);
        if (file.error != 0)
            policy_.skipped.push_back({place, path, file.error});
        else
            parse_file(path, file);
    }

    const ReadPolicyFile& read_file_;
    std::vector<std::string> open_files_;  // from the main file down to the one being read
    Policy policy_;
};

}  // namespace

PolicyError::PolicyError(const Place& place, const std::string& what, std::string_view line,
                         size_t column)
    : Failure(place.str() + ": " + what + pointed_out(line, column)) {}

Policy parse_policy(const std::string& path, const ReadPolicyFile& read_file) {
    return Parser(read_file).parse(path);
}

}  // namespace tapgate
