// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image_verbs.h"

#include <string>

#include "launcher/clone.h"
#include "launcher/command_line.h"
#include "launcher/output.h"
#include "launcher/progress_bar.h"
#include "launcher/text.h"
#include "launcher/vm_file.h"

namespace tapgate {

int clone_vm(const CommandLine& command) {
    const VmName base = command.vm_name();
    const VmName name = parse_vm_name(command.operands.at(1));
    ProgressBar bar("reading the images of " + base.str());
    for (const std::string& one :
         clone_vm(base, name, command.settings, [&](double percent) { bar.show(percent); }))
        note(one);
    print(shown(vm_file_path(name)) + "\n");
    return 0;
}

}  // namespace tapgate
