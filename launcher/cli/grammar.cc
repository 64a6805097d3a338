// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/grammar.h"

#include <algorithm>
#include <sstream>

#include "launcher/base/text.h"

namespace tapgate {

bool is_among(std::string_view words, std::string_view word) {
    return !word.empty() && (" " + std::string(words) + " ").find(" " + std::string(word) + " ") !=
                                std::string::npos;
}

const Verb* Grammar::find(std::string_view name) const {
    const auto found = std::find_if(verbs.begin(), verbs.end(), [&](const Verb& verb) {
        return verb.name == name || is_among(verb.aliases, name);
    });
    return found == verbs.end() ? nullptr : &*found;
}

std::vector<Operand> operands_of(const Verb& verb) {
    std::vector<Operand> operands;
    std::istringstream words{std::string(verb.operands.substr(0, verb.operands.find("--")))};
    for (std::string word; words >> word;) {
        // In "[-- COMMAND...]" a bracket remains; and "[NAME:]PATH" is not optional.
        std::string_view kind = trimmed(word, "[]");
        const bool repeats = kind.ends_with("...");
        if (repeats)
            kind.remove_suffix(3);
        if (kind == "NAME:]PATH")
            kind = "NAME:|PATH";
        if (!kind.empty())
            operands.push_back(
                {std::string(kind), word.front() == '[' && word.back() == ']', repeats});
    }
    return operands;
}

std::string_view help_of(const VerbOption& option, const Verb* verb) {
    for (std::string_view rest = option.helps; verb != nullptr && !rest.empty();) {
        const std::string_view part = rest.substr(0, rest.find('|'));
        rest.remove_prefix(std::min(part.size() + 1, rest.size()));
        const size_t equals = part.find('=');
        if (is_among(part.substr(0, equals), verb->name))
            return part.substr(equals + 1);
    }
    return option.help;
}

bool takes(const Verb& verb, const VerbOption& option) {
    return is_among(option.verbs, verb.name);
}

}  // namespace tapgate
