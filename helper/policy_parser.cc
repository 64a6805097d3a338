// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/policy_parser.h"

#include <algorithm>
#include <iterator>

#include "common/fd_passing.h"

namespace tapgate {

namespace {

// QEMU's parser reads lines in pieces of this size, and takes the rest for another line.
constexpr size_t longest_line = 4095;

// The blanks of g_ascii_isspace(), which QEMU's parser uses: no vertical tab, unlike isspace().
constexpr std::string_view blanks = " \t\n\f\r";

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

// Takes the first word off `text`, along with the blanks after it.
std::string_view take_word(std::string_view& text) {
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return word;
}

std::string quoted(std::string_view word) {
    return "`" + printable(word) + "'";
}

// The line and, below it, a caret under its byte `column`.
std::string pointed_out(std::string_view line, size_t column) {
    constexpr size_t widest = 100;
    constexpr const char* margin = "\n    ";
    const std::string before = printable(line.substr(0, column), column);
    const auto columns = std::count_if(before.begin(), before.end(), [](unsigned char c) {
        return c < 0x80 || c >= 0xc0;  // a character's first byte
    });
    std::string text = margin + printable(line, widest);
    if (column <= widest)
        text.append(margin).append(static_cast<size_t>(columns), ' ') += '^';
    return text;
}

// A line of a policy, and its place.
struct Line {
    const Place& place;
    std::string_view text;

    // An error that points at `where`, which must be a part of `text`.
    [[nodiscard]] PolicyError wrong(const std::string& what, std::string_view where) const {
        return {place, what, text, static_cast<size_t>(where.data() - text.data())};
    }
};

// A word after the bridge: `NAME` or `NAME=VALUE`.
struct Word {
    const Line& line;
    std::string_view text;
    std::string_view value;

    [[nodiscard]] PolicyError wrong(const std::string& what) const {
        return line.wrong(quoted(text) + what, text);
    }

    // The value as a number from 1 to `most`.
    [[nodiscard]] unsigned number(unsigned most) const {
        const auto number = whole_number(value, 1, most);
        if (!number)
            throw wrong(" needs a number from 1 to " + std::to_string(most));
        return *number;
    }

    // The value as a list of names or ids: `alice,bob,1001`.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (size_t at = 0; at <= value.size(); at += names.back().size() + 1) {
            const std::string_view name = value.substr(at, value.find(',', at) - at);
            // useradd(8) takes names of 32 bytes; directories may have longer ones.
            if (name.empty() || name.size() > 256 || !is_one_word(name))
                throw wrong(" needs names or ids, separated by commas");
            names.emplace_back(name);
        }
        return names;
    }

    [[nodiscard]] std::optional<MacPrefix> mac_prefix() const {
        auto prefix = value.empty() ? MacPrefix() : MacPrefix::parse(value);
        if (!prefix)
            throw wrong(" is not the beginning of a MAC address, like 52:54:00");
        return prefix;
    }
};

// A word that a rule may have after its bridge.
struct KnownWord {
    enum Value { no_value, required, optional };
    enum Place { anywhere, on_allow };  // selectors make sense on a deny, the others do not

    std::string_view name;
    Value value;
    Place place;
    void (*apply)(Rule& rule, const Word& word);
};

constexpr unsigned most_taps = 1023;  // a bridge's ports: BR_MAX_PORTS in net/bridge/br_private.h
constexpr unsigned last_vlan = 4094;  // IEEE 802.1Q

using enum KnownWord::Value;
using enum KnownWord::Place;
constexpr KnownWord known_words[] = {
    {"user", required, anywhere, [](Rule& rule, auto& word) { rule.who.users = word.names(); }},
    {"group", required, anywhere, [](Rule& rule, auto& word) { rule.who.groups = word.names(); }},
    {"max-taps", required, on_allow,
     [](Rule& rule, auto& word) { rule.limits.max_taps = word.number(most_taps); }},
    {"queues", required, on_allow,
     [](Rule& rule, auto& word) { rule.limits.queues = word.number(max_fds_in_message); }},
    {"isolated", no_value, on_allow, [](Rule& rule, auto&) { rule.port.isolated = true; }},
    {"guard", no_value, on_allow, [](Rule& rule, auto&) { rule.port.guard = true; }},
    {"mac-lock", optional, on_allow,
     [](Rule& rule, auto& word) { rule.port.mac_lock = word.mac_prefix(); }},
    {"vlan", required, on_allow,
     [](Rule& rule, auto& word) {
         rule.port.vlan = static_cast<std::uint16_t>(word.number(last_vlan));
     }},
    {"no-pin-bridge-mac", no_value, on_allow,
     [](Rule& rule, auto&) { rule.port.pin_bridge_mac = false; }},
    {"contain", no_value, on_allow, [](Rule& rule, auto&) { rule.contain = true; }},
    {"plain", no_value, on_allow, [](Rule& rule, auto&) { rule.plain = true; }},
};

void parse_words(Rule& rule, const Line& line, std::string_view rest) {
    std::vector<const KnownWord*> seen;
    while (!rest.empty()) {
        const std::string_view text = take_word(rest);
        const std::string_view name = text.substr(0, text.find('='));
        const bool has_value = name.size() < text.size();
        const Word word{line, text, has_value ? text.substr(name.size() + 1) : text.substr(0, 0)};
        const auto* const known =
            std::find_if(std::begin(known_words), std::end(known_words),
                         [&](const KnownWord& other) { return other.name == name; });
        if (known == std::end(known_words))
            throw line.wrong("unknown word " + quoted(text), text);
        if (known->value == no_value && has_value)
            throw line.wrong(quoted(name) + " takes no value", text);
        if (word.value.empty() && (has_value || known->value == required))
            throw line.wrong(quoted(name) + " needs a value: " + std::string(name) + "=...", text);
        if (rule.action == Rule::Action::deny && known->place == on_allow)
            throw line.wrong(quoted(name) + " means nothing on a deny line", text);
        if (std::find(seen.begin(), seen.end(), known) != seen.end())
            throw line.wrong(quoted(name) + " stands here twice", text);
        seen.push_back(known);
        known->apply(rule, word);
        if (rule.plain && rule.contain)
            throw line.wrong("`plain' and `contain' exclude each other", text);
        if (rule.plain && rule.limits.queues.value_or(1) > 1)
            throw line.wrong("a `plain' tap has one queue", text);
    }
}

class Parser {
  public:
    explicit Parser(const ReadPolicyFile& read_file) : read_file_(read_file) {}

    Policy parse(const std::string& path) {
        const PolicyText main_file = read_file_(path);
        if (main_file.error != 0)
            fail_with_errno(printable(path, long_text), main_file.error);
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

    void parse_line(const Place& place, std::string_view text) {
        if (text.size() > longest_line)
            throw PolicyError(place,
                              "the line is longer than " + std::to_string(longest_line) + " bytes",
                              text.substr(0, 60), 0);
        const Line line{place, text};
        if (const size_t nul = text.find('\0'); nul != std::string_view::npos)
            throw line.wrong("a NUL byte in the line", text.substr(nul));
        const std::string_view content = trimmed(text);
        if (content.empty() || content.front() == '#')
            return;

        // QEMU's parser ends the command at the line's first space, wherever that is, and at a tab
        // only when the line has no space. What is an unknown command to QEMU must not become a
        // rule here.
        const std::string_view left =
            text.substr(static_cast<size_t>(content.data() - text.data()));
        const char separator = left.find(' ') != std::string_view::npos ? ' ' : '\t';
        const std::string_view command = left.substr(0, left.find(separator));
        const std::string_view rest = trimmed(left.substr(command.size()));
        const bool is_include = command == "include";
        if (!is_include && command != "allow" && command != "deny") {
            const bool is_tab = command.find('\t') != std::string_view::npos;
            throw line.wrong("Unknown command " + quoted(trimmed(command)) +
                                 (is_tab ? ": a tab separates only in a line without spaces" : ""),
                             content);
        }
        if (rest.empty())
            throw line.wrong("Invalid config line: " + std::string(command) +
                                 (is_include ? " needs a file" : " needs a bridge, or `all'"),
                             left.substr(command.size()));
        if (is_include)
            parse_include(line, rest);
        else
            policy_.rules.push_back(parse_rule(line, command, content, rest));
    }

    // `rest` is what follows the command.
    static Rule parse_rule(const Line& line, std::string_view command, std::string_view content,
                           std::string_view rest) {
        Rule rule;
        rule.place = line.place;
        rule.text = content;
        rule.action = command == "allow" ? Rule::Action::allow : Rule::Action::deny;
        const std::string_view bridge = take_word(rest);
        if (bridge.size() > InterfaceName::max_size)
            throw line.wrong(
                "name " + quoted(bridge) + " too long: " + std::to_string(bridge.size()), bridge);
        if (bridge != "all") {
            rule.bridge = InterfaceName::parse(bridge);
            if (!rule.bridge)
                throw line.wrong(quoted(bridge) + " cannot be a bridge's name", bridge);
        }
        parse_words(rule, line, rest);
        return rule;
    }

    void parse_include(const Line& line, std::string_view named) {
        std::string path(named);
        if (path.front() != '/')
            path.insert(0, line.place.file.substr(0, line.place.file.rfind('/') + 1));
        if (std::find(open_files_.begin(), open_files_.end(), path) != open_files_.end())
            throw line.wrong("`" + printable(path, long_text) + "' includes itself", named);
        if (open_files_.size() > max_include_depth)
            throw line.wrong("includes nest deeper than " + std::to_string(max_include_depth),
                             named);
        if (++included_ > max_included_files)
            throw line.wrong(
                "more than " + std::to_string(max_included_files) + " files are included", named);
        const PolicyText file = read_file_(path);
        if (file.error != 0)
            policy_.skipped.push_back({line.place, path, file.error});
        else
            parse_file(path, file);
    }

    const ReadPolicyFile& read_file_;
    unsigned included_ = 0;
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
