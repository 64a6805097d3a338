// SPDX-License-Identifier: GPL-2.0-or-later
//
// Simple questions about words that all readers ask.
#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// Whether the word is one of these.
template <size_t n>
bool is_one_of(std::string_view word, const std::array<std::string_view, n>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}
inline bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

/// Whether a switch of QEMU's is on.
inline bool is_true(std::string_view value) {
    return value == "on" || value == "yes" || value == "true";
}

/// The part after the last slash.
inline std::string_view last_part(std::string_view path) {
    return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

/// The words joined to one.
inline std::string joined(const std::vector<std::string>& words) {
    std::string all;
    for (size_t i = 0; i < words.size(); i++)
        all += (i == 0 ? "" : " ") + words[i];
    return all;
}

/// Why pointers are left out.
constexpr const char* own_tablet =
    "every VM with a screen has a USB tablet, on USB 3: Windows before 8, without a driver for "
    "that, has the PS/2 mouse";
/// The same where nobody sees the VM's screen.
constexpr const char* no_pointer = "with display = none there is no screen to point at";

/// What the note on an adapter says if nothing names its bridge. The note is a guess then.
constexpr const char* guess_of_bridge = "br0 is a guess: put your bridge's name in its place";

/// What the note on an adapter says if its place is another one.
constexpr const char* may_be_renamed =
    "where Linux names it after its place, it may have another name now";

/// Whether this is a shell, which runs what it is given.
inline bool is_shell(std::string_view word) {
    constexpr std::array<std::string_view, 5> names = {"ash", "bash", "dash", "sh", "zsh"};
    return is_one_of(last_part(word), names);
}

/// Whether this is a shell's own command whose words are assignments.
inline bool sets_variables(std::string_view word) {
    constexpr std::array<std::string_view, 5> names = {"export", "local", "readonly", "declare",
                                                       "typeset"};
    return is_one_of(word, names);
}

}  // namespace tapgate
