// SPDX-License-Identifier: GPL-2.0-or-later
//
// Errors of scripts that no other way of reading them gets around.
#pragma once

#include "launcher/base/error.h"

namespace tapgate {

/// On any host the script does something that cannot be followed, or ends before it starts QEMU.
class ScriptRefused : public LauncherError {
  public:
    using LauncherError::LauncherError;
};

}  // namespace tapgate
