// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate edit`: the VM's file in the user's editor.
#pragma once

#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The words of the editor's command: $VISUAL, or else $EDITOR, split at blanks; or else the first
/// of the usual editors that is installed. Throws a LauncherError when there is none.
std::vector<std::string> editor_words();

/// Lets the user edit a copy of the VM's file, which replaces the file if it is valid. If not,
/// shows what is wrong and offers to edit it again. Throws a LauncherError; the file is then as it
/// was, or as somebody else who changed it meanwhile left it.
void edit_vm_file(const VmName& name);

}  // namespace tapgate
