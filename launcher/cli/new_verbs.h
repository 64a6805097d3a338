// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that make a VM of an image that is no VM's own.
#pragma once

#include "launcher/base/error.h"
#include "launcher/cli/command_line.h"
#include "launcher/image/new_vm.h"

namespace tapgate {

ExitCode new_vm(const CommandLine& command);

/// Makes the VM, shows how far that is, and prints where its file is.
void make_shown(const NewVm& vm);

}  // namespace tapgate
