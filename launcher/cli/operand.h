// SPDX-License-Identifier: GPL-2.0-or-later
//
// What `tapgate run` is given: a VM's name, or just an image, which is a VM too.
#pragma once

#include <string>

#include "launcher/cli/command_line.h"
#include "launcher/vm/description.h"

namespace tapgate {

/// Whether the operand is an image and not a VM's name: it has a '/', or ",format=", or an image's
/// ending and no VM file of that name.
bool is_image(const std::string& operand);

/// The name that a VM made of the image gets: the file's name without its ending, as fitting_name()
/// has it. Throws a UsageError when nothing is left.
VmName name_of_image(const std::string& path);

/// The image as a setting: the VM's first disk, or (an .iso) its CD-ROM. Properties of a disk may
/// stand behind it, as in "rhce.old,format=raw". Throws a LauncherError when there is no such file.
Setting image_setting(const std::string& operand);

/// The VM that the first operand, the options, the environment and the VM file describe. An image
/// becomes the VM's first disk (an .iso its CD-ROM), and no VM file is read. Throws a
/// LauncherError.
VmDescription described_vm(const CommandLine& command);

}  // namespace tapgate
