// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate set: a VM's file changed without an editor.
#ifndef TAPGATE_LAUNCHER_VM_CHANGE_H
#define TAPGATE_LAUNCHER_VM_CHANGE_H

#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The text of a VM file after `words`: "KEY=VALUE" takes the place of all that the key had,
/// "KEY+=VALUE" adds one to a list, "KEY=" takes it away. Comments and all other lines stay. Paths
/// start in `directory`. Throws a UsageError for a word that is none of these.
std::string changed_text(std::string_view text, const std::vector<std::string>& words,
                         const std::string& directory);

/// Changes the VM's file so, when what comes of it describes a VM. Throws a LauncherError; the file
/// is then as it was.
void change_vm_file(const VmName& name, const std::vector<std::string>& words,
                    const std::string& directory);

}  // namespace tapgate

#endif
