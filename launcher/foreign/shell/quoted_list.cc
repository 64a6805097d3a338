// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/quoted_list.h"

#include <algorithm>
#include <optional>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/qemu_words.h"

namespace tapgate {

namespace {

class ListReader {
  public:
    // `end` is the bracket behind the last word.
    ListReader(std::string_view text, char end) : rest_(text), end_(end) {}

    // Nothing if it is not a list of quoted words only.
    std::optional<std::vector<std::string>> read() {
        std::vector<std::string> words;
        for (bool first = true;; first = false) {
            skip_blanks();
            if (take(end_))
                return words;
            if (!first && !take(','))
                return std::nullopt;
            skip_blanks();
            if (!first && take(end_))
                return words;
            auto word = quoted();
            if (!word)
                return std::nullopt;
            words.push_back(std::move(*word));
        }
    }

  private:
    bool take(char c) {
        if (!rest_.starts_with(c))
            return false;
        rest_.remove_prefix(1);
        return true;
    }

    // A \ at the end of a line is not a part of anything.
    bool skip_line_end() {
        for (const std::string_view end : {"\\\n", "\\\r\n"}) {
            if (rest_.starts_with(end)) {
                rest_.remove_prefix(end.size());
                return true;
            }
        }
        return false;
    }

    void skip_blanks() {
        while (!rest_.empty()) {
            if (rest_.starts_with('#') || rest_.starts_with("//"))
                rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
            else if (std::string_view(" \t\r\n").find(rest_.front()) != std::string_view::npos)
                rest_.remove_prefix(1);
            else if (!skip_line_end())
                return;
        }
    }

    std::optional<std::string> quoted() {
        const char quote = rest_.empty() ? '\0' : rest_.front();
        if (quote != '"' && quote != '\'')
            return std::nullopt;
        rest_.remove_prefix(1);
        std::string word;
        while (!rest_.empty() && rest_.front() != quote) {
            if (skip_line_end())
                continue;
            if (rest_.front() == '\n')
                return std::nullopt;
            if (rest_.front() == '\\') {
                constexpr std::string_view plain = "\\\"'/";
                rest_.remove_prefix(1);
                // What \n and the like mean depends on the language.
                if (rest_.empty() || plain.find(rest_.front()) == std::string_view::npos)
                    return std::nullopt;
            }
            word += rest_.front();
            rest_.remove_prefix(1);
        }
        return take(quote) ? std::optional(word) : std::nullopt;
    }

    std::string_view rest_;
    char end_;
};

// Whether a list of quoted words begins there, with QEMU's name.
bool begins_with_qemu(std::string_view text) {
    const std::string_view inside = trimmed(text.substr(1, 200), " \t\r\n\\");
    if (inside.empty() || (inside[0] != '"' && inside[0] != '\''))
        return false;
    const std::string_view word = inside.substr(1, inside.find(inside[0], 1) - 1);
    const std::vector<std::string> words = {std::string(word)};
    return find_qemu(words) != words.end();
}

// The words of CMD [...] of a Dockerfile.
std::vector<std::string> words_of_cmd(std::string_view text) {
    constexpr std::string_view cmd = "\nCMD [";
    const size_t at = text.rfind(cmd);
    if (at == std::string_view::npos)
        return {};
    return ListReader(text.substr(at + cmd.size()), ']')
        .read()
        .value_or(std::vector<std::string>());
}

// The arguments in Packer's log: Executing /usr/bin/kvm: []string{"-m", "512"}. Nothing if the text
// at `at' is not that.
std::optional<QuotedList> list_of_packer(std::string_view text, size_t at) {
    constexpr std::string_view begin = "[]string{";
    constexpr size_t longest = 4096;
    if (!text.substr(at).starts_with(begin))
        return std::nullopt;
    const size_t from = at - std::min(at, longest);
    const std::string_view before = trimmed(text.substr(from, at - from), " ");
    if (!before.ends_with(':'))
        return std::nullopt;
    const std::string_view whole = before.substr(0, before.size() - 1);
    const std::string name(whole.substr(whole.find_last_of(" \t\n") + 1));  // npos + 1 is 0
    const std::vector<std::string> program = {name};
    if (find_qemu(program) == program.end())
        return std::nullopt;
    QuotedList list;
    if (auto words = ListReader(text.substr(at + begin.size()), '}').read()) {
        list.words = {name};
        list.words.insert(list.words.end(), words->begin(), words->end());
    }
    return list;
}

}  // namespace

QuotedList find_quoted_list(std::string_view text) {
    QuotedList list;
    size_t begin = 0;  // of the line
    size_t seen = 0;   // up to here it is known where lines begin
    for (size_t at = text.find('['); at != std::string_view::npos; at = text.find('[', at + 1)) {
        const size_t end = text.substr(seen, at - seen).rfind('\n');
        begin = end == std::string_view::npos ? begin : seen + end + 1;
        seen = at;
        auto logged = list_of_packer(text, at);
        if (!logged && !begins_with_qemu(text.substr(at)))
            continue;
        const std::string_view line = trimmed(text.substr(begin, at - begin), " \t");
        if (line.starts_with('#') || line.starts_with("//")) {
            // What follows in the comment is no list either.
            at = std::min(text.find('\n', at), text.size() - 1);
            continue;
        }
        if (list.line > 0) {
            list.more = true;
            break;
        }
        list.line = 1 + static_cast<unsigned>(std::count(
                            text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
        if (logged)
            list.words = std::move(logged->words);
        else if (auto words = ListReader(text.substr(at + 1), ']').read())
            list.words = std::move(*words);
        if (line == "ENTRYPOINT" && !list.words.empty()) {
            const std::vector<std::string> more = words_of_cmd(text);
            list.words.insert(list.words.end(), more.begin(), more.end());
        }
    }
    return list;
}

}  // namespace tapgate
