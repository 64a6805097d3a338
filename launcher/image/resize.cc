// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/resize.h"

#include <nlohmann/json.hpp>
#include <string>

#include "launcher/base/block_device.h"
#include "launcher/base/error.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/text.h"
#include "launcher/image/base_image.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/lock.h"
#include "launcher/qemu/control.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using nlohmann::json;

// The size of a device is up to whoever made it.
void refuse_device(const std::string& path) {
    if (is_block_device(path))
        throw LauncherError(shown(path) +
                            " is a block device, which tapgate does not make larger: do it where "
                            "it comes from (lvextend -L SIZE " +
                            shown(path) +
                            " of a logical volume); the guest sees it when the VM starts again");
}

constexpr std::uint64_t mebibyte = 1024ULL * 1024;

void refuse_shrinking(const std::string& disk, std::uint64_t now, std::uint64_t size) {
    if (size <= now)
        throw LauncherError(disk + " has " + std::to_string(now / mebibyte) +
                            " MiB, and can only grow: what its guest has behind the new end would "
                            "be lost");
}

std::uint64_t grow_running(const VmName& name, size_t index, std::uint64_t size, bool more) {
    const std::string node = "disk" + std::to_string(index) + "-image";
    const VmSpec spec = load_vm_file(name).spec;
    if (index < spec.disks.size())
        refuse_device(spec.disks[index].path.str());
    for (const json& device : qmp_command(name, "query-block")) {
        const auto inserted = device.find("inserted");
        if (inserted == device.end() || inserted->value("node-name", "") != node)
            continue;
        if (inserted->value("ro", true))
            throw LauncherError("disk " + std::to_string(index) + " of " + name.str() +
                                " is read-only");
        const auto before = inserted->at("image").at("virtual-size").get<std::uint64_t>();
        if (more)
            size += before;
        refuse_shrinking(shown(inserted->value("file", "")), before, size);
        qmp_command(name, "block_resize", {{"node-name", node}, {"size", size}},
                    std::chrono::minutes(1));
        return before;
    }
    throw LauncherError(name.str() + " runs without a disk " + std::to_string(index) +
                        " that could grow, or with snapshot=on");
}

std::uint64_t grow_off(const VmName& name, size_t index, std::uint64_t size, bool more) {
    const UniqueFd lock = lock_vm(name);
    // From here on: nobody can start it.
    const VmSpec spec = load_vm_file(name).spec;
    if (index >= spec.disks.size())
        throw LauncherError(name.str() + " has " +
                            (spec.disks.empty()
                                 ? "no disk"
                                 : "no disk " + std::to_string(index) + "; the first one is 0"));
    const Disk& disk = spec.disks[index];
    const std::string& path = disk.path.str();
    refuse_device(path);
    if (disk.read_only || (disk.format != ImageFormat::qcow2 && disk.format != ImageFormat::raw))
        throw LauncherError(shown(path) +
                            ": only raw and qcow2 images that the guest writes to "
                            "can grow");
    refuse_base(path, "let a clone's disk grow, or delete them first");
    refuse_used_image(path);
    check_bases(spec);
    check_disk(disk, false);
    const std::string format(name_of(disk.format));
    const auto access = access_to(disk);
    const ProgramResult info = run_qemu_img({"info", "-f", format, "--output=json", path}, access);
    const json answer = json::parse(info.output, nullptr, false);
    if (info.exit_code != 0 || !answer.is_object())
        throw LauncherError(shown(path) + ": " + terminal_text(info.errors));
    const auto before = answer.value("virtual-size", std::uint64_t{0});
    if (more)
        size += before;
    refuse_shrinking(shown(path), before, size);
    const ProgramResult done =
        run_qemu_img({"resize", "-q", "-f", format, path, std::to_string(size)}, access,
                     std::chrono::minutes(1));
    if (done.exit_code != 0)
        throw LauncherError(shown(path) + ": " + terminal_text(done.errors));
    return before;
}

}  // namespace

std::uint64_t grow_disk(const VmName& name, size_t index, std::uint64_t size, bool more) {
    if (!has_vm_file(name))
        throw no_such_vm(name);
    return vm_state(name).qemu != 0 ? grow_running(name, index, size, more)
                                    : grow_off(name, index, size, more);
}

}  // namespace tapgate
