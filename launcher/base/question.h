// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace tapgate {

/// Whether there is somebody to ask: stdin and stderr are a terminal.
bool can_ask();

/// Shows `question` and waits for an answer, as long as that takes. Only "y" and "yes" agree.
/// Throws a LauncherError when there is nobody to ask, which says that --yes does without.
bool agreed(const std::string& question);

}  // namespace tapgate
