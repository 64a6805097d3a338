// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate edit: the VM's file in the user's editor.
#pragma once

#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The words of the editor's command: $VISUAL, else $EDITOR, parted at blanks; else the first of
/// the usual editors that is installed. Throws a LauncherError when there is none.
std::vector<std::string> editor_words();

/// Lets the user edit a copy of the VM's file, which takes the file's place when it describes a VM.
/// What does not is shown, and may be edited again. Throws a LauncherError; the file is then as it
/// was, or, when somebody else changed it meanwhile, as they left it.
void edit_vm_file(const VmName& name);

}  // namespace tapgate
