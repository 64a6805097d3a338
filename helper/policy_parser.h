// SPDX-License-Identifier: GPL-2.0-or-later
//
// bridge.conf(5): QEMU's grammar, read with QEMU's meaning, and strict where QEMU's reader shrugs.
#pragma once

#include <functional>
#include <string>

#include "helper/failure.h"
#include "helper/policy.h"

namespace tapgate {

/// A policy file's text, or why there is none for this caller.
struct PolicyText {
    std::string text;
    int error = 0;         ///< 0, or the errno with which the file could not be opened
    std::string distrust;  ///< why it must not be obeyed ("PATH is not ..."); empty: it may be
    bool world_readable = true;  ///< whether every user can read it
};

/// Reads the file `path`. `error` is set for a file that is not there or that the caller may not
/// read, and only then; whatever else is wrong (out of descriptors, too large) throws Failure,
/// since skipping a file for a reason that the caller can bring about would skip its `deny`s.
using ReadPolicyFile = std::function<PolicyText(const std::string& path)>;

/// A mistake in a policy. what() is "FILE:LINE: what is wrong", then the line and a caret below it.
class PolicyError : public Failure {
  public:
    /// `column` counts bytes of `line` from 0.
    PolicyError(const Place& place, const std::string& what, std::string_view line, size_t column);
};

/// How deep includes may nest; the main file is at depth 0.
constexpr unsigned max_include_depth = 8;

/// How many files may be included in all: eight levels of many would take longer than a VM start
/// may.
constexpr unsigned max_included_files = 256;

/// Reads the policy that begins with the file `path`, through `read_file`, includes and all. Throws
/// PolicyError, and Failure when the main file cannot be read or any file is not to be trusted.
Policy parse_policy(const std::string& path, const ReadPolicyFile& read_file);

}  // namespace tapgate
