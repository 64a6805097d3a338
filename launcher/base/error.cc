// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/error.h"

#include <cerrno>

#include "launcher/base/text.h"

namespace tapgate {

void fail_with_errno(const std::string& what) {
    throw LauncherError(what + ": " + errno_text(errno));
}

}  // namespace tapgate
