// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

namespace tapgate {

/// What one types here for a verb that other programs have (virsh, multipass, limactl, VBoxManage,
/// docker), behind "tapgate": "stop NAME" for `shutdown`. Of `lab` and `snapshot` the
/// second word is one, too: "snapshot create". Empty for a word that none of them has.
std::string_view said_here(std::string_view word);

}  // namespace tapgate
