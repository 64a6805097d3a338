// SPDX-License-Identifier: GPL-2.0-or-later
//
// Part of ShellReader: associative arrays, and the end of arrays.
#include <algorithm>

#include "launcher/foreign/shell/reader.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

// NAME[KEY]=value, after the `='.
void ShellReader::set_in_map(const std::string& name, std::string_view key, bool append) {
    const std::vector<std::string> fields = words_.read(false);
    take_problem();
    ShellWordReader reader(key, variables_, words_.line());
    const std::string known = reader.read_all();
    if (reader.take_problem() || known.empty() || is_unknown(known)) {
        if (reach() != Truth::no)
            variables_.forget(name, "set element by element");
        return;
    }
    set(ShellVariables::element_of(name, known), {joined(fields)}, false, append);
    if (reach() != Truth::no)
        variables_.add_key(name, known, reach() != Truth::yes);
}

// NAME=([KEY]=value ...), after the bracket.
void ShellReader::read_map(const std::string& name, bool append) {
    if (reach() == Truth::yes && (!append || !variables_.is_map(name)))
        variables_.make_map(name);
    else if (reach() == Truth::unknown)
        variables_.forget(name, "set under a condition");
    while (!words_.at_end() && peek() != ')') {
        const std::string_view rest = words_.rest();
        const size_t end = rest.substr(0, rest.find('\n')).find("]=");
        if (peek() == '#') {
            skip_line();
        } else if (std::string_view(" \t\n").find(peek()) != std::string_view::npos) {
            next();
        } else if (peek() == '[' && end != std::string_view::npos) {
            words_.skip(end + 2);
            set_in_map(name, rest.substr(1, end - 1), false);
        } else {
            variables_.forget(name, "an associative array without keys");
            next();
        }
    }
    if (!words_.at_end())
        next();
    end_array();
}

// Others may follow: local A=(...) B=$1.
void ShellReader::end_array() {
    if (!command_.words.empty())
        return;
    notes_.insert(notes_.end(), command_.notes.begin(), command_.notes.end());
    const Truth well = command_.problem.is_hard() ? Truth::unknown : Truth::yes;
    drop_command();
    flow_.ended({well, false, false, {}});
}

}  // namespace tapgate
