// SPDX-License-Identifier: GPL-2.0-or-later
//
// How the launcher fails: an exception with the whole text of the error, thrown where the place is
// known and caught once, in main().
#pragma once

#include <stdexcept>
#include <string>

namespace tapgate {

/// Exit codes, the same for every verb. A verb that has more says so in tapgate(1).
enum class ExitCode : int {
    done = 0,
    failed = 1,   ///< this host, QEMU or the guest did not do it
    usage = 2,    ///< the command line makes no sense
    refused = 3,  ///< the helper or the policy said no
};

/// what() is the text for stderr, without the final newline.
class LauncherError : public std::runtime_error {
  public:
    explicit LauncherError(const std::string& text, ExitCode code = ExitCode::failed)
        : std::runtime_error(text), code_(code) {}

    [[nodiscard]] ExitCode code() const { return code_; }

  private:
    ExitCode code_;
};

/// The command line makes no sense; main() adds where the help is.
class UsageError : public LauncherError {
  public:
    explicit UsageError(const std::string& text) : LauncherError(text, ExitCode::usage) {}
};

/// Throws a LauncherError: `what`, and the text of errno.
[[noreturn]] void fail_with_errno(const std::string& what);

}  // namespace tapgate
