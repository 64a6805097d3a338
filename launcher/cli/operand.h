// SPDX-License-Identifier: GPL-2.0-or-later
//
// The operand of `tapgate run`: a VM's name, or an image, which is a VM too.
#pragma once

#include <string>

#include "launcher/cli/command_line.h"
#include "launcher/vm/description.h"

namespace tapgate {

/// Whether the operand is an image, not a VM's name: it contains '/' or ",format=", or has the
/// ending of an image and there is no VM file of that name.
bool is_image(const std::string& operand);

/// The name for a VM that is made from the image: fitting_name() of the file's name without its
/// ending. Throws a UsageError when nothing is left of it.
VmName name_of_image(const std::string& path);

/// The image as a setting: as the VM's first disk, or for an .iso as its CD-ROM. Properties of a
/// disk may follow the path: "rhce.old,format=raw". Throws a LauncherError when there is no such
/// file.
Setting image_setting(const std::string& operand);

/// Throws a LauncherError when the first operand is no VM, but there is a file of that name: that
/// is an image only with a slash.
void refuse_bare_file(const CommandLine& command);

/// The VM that the first operand, the options, the environment and the VM file describe. If the
/// operand is an image, it becomes the VM's first disk (an .iso its CD-ROM), and no VM file is
/// read. Throws a LauncherError.
VmDescription described_vm(const CommandLine& command);

}  // namespace tapgate
