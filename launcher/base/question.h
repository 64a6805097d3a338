// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace tapgate {

/// Whether there is somebody to ask: both stdin and stderr are terminals.
bool can_ask();

/// Shows `question` and waits for the answer, however long that takes. Only "y" and "yes" agree.
/// When there is nobody to ask, throws a LauncherError that recommends --yes.
bool agreed(const std::string& question);

}  // namespace tapgate
