// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "helper/policy_parser.h"

namespace tapgate {

/// The installed policy: an absolute path, fixed when the program was built.
constexpr const char* installed_policy = TAPGATE_POLICY;

/// The ReadPolicyFile of the real world. A file is opened with the caller's own ids and groups and
/// no capability over files, so what the caller cannot read stays unread. A file that is not owned
/// by root, or is writable by group or others, is read but not to be trusted; one that is not a
/// regular file, or larger than 1 MiB, throws Failure.
PolicyText read_policy_file(const std::string& path);

/// The installed policy as this caller reads it. Throws Failure in the stock helper's words:
/// "failed to parse default acl file `PATH': " and why.
Policy load_installed_policy();

}  // namespace tapgate
