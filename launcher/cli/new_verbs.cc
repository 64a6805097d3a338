// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/new_verbs.h"

#include <string>

#include "launcher/base/output.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/text.h"
#include "launcher/cli/operand.h"
#include "launcher/image/seed.h"
#include "launcher/vm/file.h"

namespace tapgate {

namespace {

std::optional<std::uint64_t> size_option(const CommandLine& command) {
    if (!command.has("size"))
        return std::nullopt;
    const auto size = MemorySize::parse(command.option("size"));
    if (!size)
        throw UsageError("--size: " + quoted_word(command.option("size")) +
                         " is not a size, like 512M or 20G, up to 16T");
    constexpr std::uint64_t mebibyte = 1024ULL * 1024;
    return size->mebibytes() * mebibyte;
}

// What one does with it now.
std::string next_steps(const VmName& name, bool is_cdrom, bool is_seeded) {
    const std::string& vm = name.str();
    if (is_cdrom)
        return "next: tapgate run " + vm +
               " (an installer that writes to the serial console), or tapgate start " + vm +
               " --display=vnc, then tapgate vnc " + vm;
    if (is_seeded)
        return "next: tapgate start " + vm + " && tapgate wait " + vm + " && tapgate ssh " + vm;
    return "next: tapgate start " + vm + ", then tapgate console " + vm +
           " (a cloud image lets nobody in without --seed)";
}

}  // namespace

void make_shown(const NewVm& vm) {
    const std::string image = vm.from.value.substr(0, vm.from.value.find(','));
    ProgressBar bar("reading " + shown(image));
    for (const std::string& one : make_vm(vm, [&](double percent) { bar.show(percent); }))
        note(one);
    print(shown(vm_file_path(vm.name)) + "\n");
}

ExitCode new_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    const std::string from = command.option("from");
    if (from.empty())
        throw UsageError(
            "new needs --from=IMAGE, a disk image or an installer's .iso; tapgate create " +
            name.str() + " describes a VM without");
    const NewVm vm{.name = name,
                   .from = image_setting(from),
                   .size = size_option(command),
                   .settings = command.settings};
    // The environment counts, too.
    const bool is_seeded = describe_unfiled_vm(name, command.settings).spec.seed;
    // Before an image is read, which takes its time.
    if (is_seeded)
        own_seed_user();
    make_shown(vm);
    note(next_steps(name, vm.from.key == "cdrom", is_seeded));
    return ExitCode::done;
}

}  // namespace tapgate
