// SPDX-License-Identifier: GPL-2.0-or-later
//
// Words from outside (the helper's, QEMU's, the kernel's), made fit to be shown.
#ifndef TAPGATE_LAUNCHER_TEXT_H
#define TAPGATE_LAUNCHER_TEXT_H

#include <string>
#include <string_view>

namespace tapgate {

/// The text of an errno, in English wherever the user lives: error lines are searched for.
std::string errno_text(int error_number);

/// `text` fit for a terminal: control characters but the newline become '?' (a tab a blank), blanks
/// and newlines at its end go, and what is over `longest` bytes is cut and ends in "...".
std::string terminal_text(std::string_view text, size_t longest = 4096);

}  // namespace tapgate

#endif
