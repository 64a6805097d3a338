// SPDX-License-Identifier: GPL-2.0-or-later
//
// getopt(1) of util-linux, which scripts have sort their arguments: eval set -- "$(getopt ...)".
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tapgate {

/// What `getopt WORDS` prints; `words` begins with its name. Nothing if it would fail, or is asked
/// for something that only other shells understand.
std::optional<std::string> getopt_output(const std::vector<std::string>& words);

}  // namespace tapgate
