// SPDX-License-Identifier: GPL-2.0-or-later
//
// How the launcher fails: by an exception that carries the complete text of the error. It is thrown
// where the place is known, and caught once, in main().
#pragma once

#include <stdexcept>
#include <string>

namespace tapgate {

/// Exit codes, the same for every verb. tapgate(1) lists the verbs that have more.
enum class ExitCode : int {
    done = 0,
    failed = 1,   ///< this host, QEMU or the guest failed
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

/// The command line makes no sense; main() adds where to find help.
class UsageError : public LauncherError {
  public:
    explicit UsageError(const std::string& text) : LauncherError(text, ExitCode::usage) {}
};

/// Throws a LauncherError: `what`, followed by the text of errno.
[[noreturn]] void fail_with_errno(const std::string& what);

}  // namespace tapgate
