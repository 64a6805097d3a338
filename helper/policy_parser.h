// SPDX-License-Identifier: GPL-2.0-or-later
//
// Parses bridge.conf(5): QEMU's grammar, read with QEMU's meaning, and strict where QEMU's parser
// ignores mistakes.
#pragma once

#include <functional>
#include <string>

#include "helper/failure.h"
#include "helper/policy.h"

namespace tapgate {

/// The text of a policy file, or why this caller cannot have it.
struct PolicyText {
    std::string text;
    int error = 0;         ///< 0, or the errno with which the file could not be opened
    std::string distrust;  ///< why it must not be obeyed ("PATH is not ..."); empty when it may be
};

/// Reads the file `path`. Sets `error` only for a file that does not exist or that the caller may
/// not read. Throws Failure for everything else (out of descriptors, too large): the caller can
/// cause such errors, and skipping the file would skip its `deny`s.
using ReadPolicyFile = std::function<PolicyText(const std::string& path)>;

/// A mistake in a policy. what() is "FILE:LINE: WHAT", then the line and a caret below it.
class PolicyError : public Failure {
  public:
    /// `column` counts bytes of `line` from 0.
    PolicyError(const Place& place, const std::string& what, std::string_view line, size_t column);
};

/// How deep includes may nest; the main file is at depth 0.
constexpr unsigned max_include_depth = 8;

/// How many files may be included in all, so that reading them cannot take longer than the helper's
/// time limit.
constexpr unsigned max_included_files = 256;

/// Reads the policy file `path` and all that it includes, by `read_file`. Throws PolicyError for a
/// mistake, and Failure when the main file cannot be read or any file must not be obeyed.
Policy parse_policy(const std::string& path, const ReadPolicyFile& read_file);

}  // namespace tapgate
