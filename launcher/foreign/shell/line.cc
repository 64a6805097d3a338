// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/line.h"

#include <algorithm>
#include <array>
#include <utility>

#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

class Splitter {
  public:
    Splitter(std::string_view line, std::string_view separators)
        : rest_(line), separators_(separators) {
        skip_spaces();
    }

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    // Takes a word up to a separator, which is dropped.
    std::string_view take() {
        const size_t end = std::min(rest_.find_first_of(separators_), rest_.size());
        const std::string_view word = rest_.substr(0, end);
        rest_.remove_prefix(end);
        skip_spaces();
        if (!rest_.empty() && !is_space(rest_[0]) && separates(rest_[0])) {
            rest_.remove_prefix(1);
            skip_spaces();
        }
        return word;
    }

    // Takes all that is left: without the separator after it if it is one word, else as it is.
    std::string_view take_all() {
        while (!rest_.empty() && is_space(rest_.back()) && separates(rest_.back()))
            rest_.remove_suffix(1);
        const std::string_view all = rest_;
        const std::string_view word = take();
        return std::exchange(rest_, {}).empty() ? word : all;
    }

  private:
    [[nodiscard]] bool separates(char c) const {
        return separators_.find(c) != std::string_view::npos;
    }
    void skip_spaces() {
        while (!rest_.empty() && is_space(rest_[0]) && separates(rest_[0]))
            rest_.remove_prefix(1);
    }

    std::string_view rest_;
    std::string_view separators_;
};

}  // namespace

bool reads_input(const std::vector<std::string>& command) {
    constexpr std::array<std::string_view, 3> readers = {"read", "mapfile", "readarray"};
    return !command.empty() && is_one_of(command[0], readers);
}

std::vector<std::string> words_of_line(std::string_view line, std::string_view separators,
                                       size_t most) {
    std::vector<std::string> words;
    for (Splitter splitter(line, separators); !splitter.at_end();)
        words.emplace_back(words.size() + 1 == most ? splitter.take_all() : splitter.take());
    return words;
}

}  // namespace tapgate
