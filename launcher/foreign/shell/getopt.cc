// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/getopt.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tapgate {

namespace {

using Words = std::vector<std::string>;

// Options as in getopt(3): a colon follows one that has a value, two if the value is optional.
struct Known {
    std::string letters;
    Words names;
    bool stops = false;  // at the first word that is no option
};

struct Found {
    std::string option;  // with its dashes, and in full
    std::optional<std::string> value;
};

class Sorter {
  public:
    Sorter(const Known& known, Words words) : known_(known), words_(std::move(words)) {}

    // False if an option is unknown, or lacks its value.
    bool sort() {
        for (; at_ < words_.size(); at_++) {
            const std::string& word = words_[at_];
            const bool is_option = word.size() > 1 && word[0] == '-';
            if (word == "--" || (!is_option && known_.stops)) {
                const size_t first = at_ + (is_option ? 1 : 0);
                others.insert(others.end(), words_.begin() + static_cast<std::ptrdiff_t>(first),
                              words_.end());
                return true;
            }
            if (!is_option)
                others.push_back(word);
            else if (word[1] == '-' ? !read_name(word.substr(2)) : !read_letters(word.substr(1)))
                return false;
        }
        return true;
    }

    std::vector<Found> options;
    Words others;

  private:
    // -abVALUE
    bool read_letters(const std::string& word) {
        for (size_t i = 0; i < word.size(); i++) {
            const size_t place = known_.letters.find(word[i]);
            if (place == std::string::npos || word[i] == ':')
                return false;
            const std::string_view behind = std::string_view(known_.letters).substr(place + 1);
            const size_t colons = std::min(behind.find_first_not_of(':'), behind.size());
            options.push_back({std::string("-") + word[i], std::nullopt});
            if (colons > 0)
                return take_value(colons, word.substr(i + 1), i + 1 < word.size());
        }
        return true;
    }

    // --NAME and --NAME=VALUE; NAME may be shortened as long as it is unique.
    bool read_name(const std::string& word) {
        const size_t equals = std::min(word.find('='), word.size());
        const std::string begin = word.substr(0, equals);
        Words candidates;
        std::copy_if(known_.names.begin(), known_.names.end(), std::back_inserter(candidates),
                     [&](const std::string& name) { return name.starts_with(begin); });
        const auto exact = std::find_if(
            candidates.begin(), candidates.end(),
            [&](const std::string& name) { return name.substr(0, name.find(':')) == begin; });
        if (exact != candidates.end())
            candidates = {*exact};
        if (candidates.size() != 1)
            return false;
        const size_t length = std::min(candidates[0].find(':'), candidates[0].size());
        const size_t colons = candidates[0].size() - length;
        options.push_back({"--" + candidates[0].substr(0, length), std::nullopt});
        const bool has_value = equals < word.size();
        if (colons == 0)
            return !has_value;
        return take_value(colons, has_value ? word.substr(equals + 1) : "", has_value);
    }

    bool take_value(size_t colons, std::string value, bool is_there) {
        if (!is_there && colons == 1) {
            if (++at_ >= words_.size())
                return false;
            value = words_[at_];
        }
        options.back().value = std::move(value);
        return true;
    }

    const Known& known_;
    Words words_;
    size_t at_ = 0;
};

std::string quoted(const std::string& word) {
    std::string text = "'";
    for (const char c : word)
        text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

Words split_names(const std::string& list) {
    constexpr std::string_view separators = ", \t\n";
    Words names;
    for (size_t at = list.find_first_not_of(separators); at != std::string::npos;) {
        const size_t end = std::min(list.find_first_of(separators, at), list.size());
        names.push_back(list.substr(at, end - at));
        at = list.find_first_not_of(separators, end);
    }
    return names;
}

// Takes one of getopt's own options, which describe the script's; false if it asks for anything
// else.
bool take_own_option(const Found& own, Known& known, bool& has_letters, bool& quotes) {
    if (own.option == "-o" || own.option == "--options") {
        known.letters = *own.value;
        has_letters = true;
    } else if (own.option == "-l" || own.option == "--longoptions") {
        for (std::string& name : split_names(*own.value))
            known.names.push_back(std::move(name));
    } else if (own.option == "-u" || own.option == "--unquoted") {
        quotes = false;
    } else if (own.option == "-s" || own.option == "--shell") {
        return *own.value == "bash" || *own.value == "sh";
    } else {
        // These are only about error messages: in whose name, and whether to print them.
        return own.option == "-n" || own.option == "--name" || own.option == "-q" ||
               own.option == "--quiet";
    }
    return true;
}

}  // namespace

std::optional<std::string> getopt_output(const std::vector<std::string>& words) {
    const Known own{"ao:l:n:qQs:uTVh",
                    {"alternative", "options:", "longoptions:", "name:", "quiet", "quiet-output",
                     "shell:", "unquoted", "test", "version", "help"},
                    true};
    Sorter self(own, {words.begin() + 1, words.end()});
    if (words.size() < 2 || !self.sort())
        return std::nullopt;
    Known known;
    bool has_letters = false;
    // getopt LETTERS WORDS is the old form, which quotes nothing.
    bool quotes = words[1].starts_with('-');
    for (const Found& one : self.options) {
        if (!take_own_option(one, known, has_letters, quotes))
            return std::nullopt;
    }
    if (!has_letters) {
        if (self.others.empty())
            return std::nullopt;
        known.letters = self.others[0];
        self.others.erase(self.others.begin());
    }
    known.stops = known.letters.starts_with('+');
    known.letters.erase(0, known.stops ? 1 : 0);
    Sorter script(known, std::move(self.others));
    if (known.letters.starts_with('-') || !script.sort())
        return std::nullopt;
    std::string text;
    for (const Found& one : script.options) {
        text += " " + one.option;
        if (one.value)
            text += " " + (quotes ? quoted(*one.value) : *one.value);
    }
    text += " --";
    for (const std::string& word : script.others)
        text += " " + (quotes ? quoted(word) : word);
    return text;
}

}  // namespace tapgate
