// SPDX-License-Identifier: GPL-2.0-or-later
//
// How the launcher fails: an exception with the whole text of the error, thrown where the place is
// known and caught once, in main().
#ifndef TAPGATE_LAUNCHER_ERROR_H
#define TAPGATE_LAUNCHER_ERROR_H

#include <stdexcept>
#include <string>
#include <string_view>

namespace tapgate {

/// what() is the text for stderr, without the final newline.
class LauncherError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The command line makes no sense; main() adds where the help is.
class UsageError : public LauncherError {
  public:
    using LauncherError::LauncherError;
};

/// `text` fit for one line of a terminal: control characters become '?', and what is over 200 bytes
/// is cut and ends in "...".
std::string shown(std::string_view text);

/// shown(), between the quotes that errors have around what they speak of.
std::string quoted_word(std::string_view text);

}  // namespace tapgate

#endif
