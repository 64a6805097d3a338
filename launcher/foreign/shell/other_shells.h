// SPDX-License-Identifier: GPL-2.0-or-later
//
// Scripts for other shells than sh and bash, where these would read them alike.
#pragma once

#include <string_view>

namespace tapgate {

/// Is it one start of QEMU and nothing else, which fish and zsh read as sh does?
bool is_one_plain_start(std::string_view text);

/// Whether a script for zsh has none of what sh reads in another way: a variable that is neither in
/// double quotes nor all of an assigned value, which sh splits at blanks, an array, or a form of an
/// expansion, an option or a command that only zsh has.
bool is_zsh_like_sh(std::string_view text);

}  // namespace tapgate
