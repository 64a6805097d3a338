// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "helper/policy_parser.h"

namespace tapgate {

/// The installed policy: an absolute path, fixed when the program was built.
constexpr const char* installed_policy = TAPGATE_POLICY;

/// The ReadPolicyFile that reads real files. It opens them with the caller's own ids and groups and
/// without any capability over files, so what the caller cannot read stays unread. Sets `distrust`
/// for a file that is not owned by root or is writable by group or others. Throws Failure for one
/// that is not a regular file or is larger than 1 MiB.
PolicyText read_policy_file(const std::string& path);

/// All that can be read from `fd`. Throws Failure (`what`).
std::string read_to_end(int fd, const std::string& what);

/// The text of a file of the host's, such as /etc/passwd; empty when there is none. Throws Failure
/// when it cannot be read, which may be the caller's doing.
std::string read_host_file(const std::string& path);

/// The installed policy, as far as this caller can read it. Throws Failure in the stock helper's
/// words: "failed to parse default acl file `PATH': WHY".
Policy load_installed_policy();

}  // namespace tapgate
