// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/new_vm.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/image/base_image.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/lock.h"
#include "launcher/image/overlay.h"
#include "launcher/qemu/machine_version.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"

namespace tapgate {

namespace {

// Grows the overlay to `size` if that is more than the image has.
void grow_overlay(const std::string& overlay, const std::vector<std::string>& chain,
                  std::uint64_t size) {
    FileAccess files{.read = chain, .parts = {}, .write = {overlay}};
    files.read.push_back(overlay);
    const ProgramResult info =
        run_qemu_img({"info", "-f", "qcow2", "--output=json", overlay}, files);
    const auto answer = nlohmann::json::parse(info.output, nullptr, false);
    if (info.exit_code != 0 || !answer.is_object())
        throw LauncherError(shown(chain.front()) + ": " + terminal_text(info.errors));
    const auto now = answer.value("virtual-size", std::uint64_t{0});
    if (size < now)
        throw LauncherError("--size: " + shown(chain.front()) + " has a disk of " +
                            std::to_string(now >> 20) +
                            " MiB, and what is behind the new end would be lost; leave --size out, "
                            "or take more");
    if (size == now)
        return;
    const ProgramResult done =
        run_qemu_img({"resize", "-q", "-f", "qcow2", overlay, std::to_string(size)}, files,
                     std::chrono::minutes(1));
    if (done.exit_code != 0)
        throw LauncherError(shown(overlay) + ": " + terminal_text(done.errors));
}

void make_empty(const std::string& path, std::uint64_t size) {
    make_target(path);
    const ProgramResult made =
        run_qemu_img({"create", "-q", "-f", "qcow2", path, std::to_string(size)},
                     FileAccess{.read = {}, .parts = {}, .write = {path}});
    if (made.exit_code != 0)
        throw LauncherError("cannot make " + shown(path) + ": " + terminal_text(made.errors));
}

}  // namespace

std::vector<std::string> make_vm(const NewVm& vm, const Progress& progress) {
    require_new(vm.name);
    std::vector<Setting> settings = {vm.from};
    settings.insert(settings.end(), vm.settings.begin(), vm.settings.end());
    const VmSpec as_said = describe_vm(vm.name, settings).spec;
    const HeldSignals signals;
    std::vector<std::string> notes;
    NewDirectory directory(vm.name);
    TakenPermissions permissions;
    std::vector<HeldImage> held;
    const std::string own = directory.path() + "/" + own_image_name(0);
    const std::string target = directory.target() + "/" + own_image_name(0);
    if (vm.from.key == "cdrom") {
        check_images(as_said);
        make_empty(own, vm.size.value_or(default_disk_size));
        Setting disk = vm.from;
        disk.key = "disk";
        disk.value = commas_doubled(target);
        settings.insert(settings.begin(), disk);
    } else {
        const Disk& disk = as_said.disks.at(0);
        notes = check_disk(disk, true);
        const std::vector<ChainLink> chain = chain_of(disk);
        // From here on: nobody writes to the images below the overlay.
        for (const ChainLink& link : chain)
            held.emplace_back(link.path, HeldImage::For::reading);
        BaseRecord record{.vm = {}, .format = disk.format, .files = {}};
        for (const ChainLink& link : chain)
            record.files.push_back(base_file(link.path, permissions, signals, progress));
        make_overlay(own, paths_of(record), disk.format);
        if (vm.size)
            grow_overlay(own, paths_of(record), *vm.size);
        write_base_record(own, record);
        settings[0].value = overlay_value(absolute_value(vm.from), target, chain);
    }
    const VmSpec spec = describe_vm(vm.name, settings).spec;
    const std::string text =
        vm_file_text(vm.name, with_machine_version(std::move(settings), spec.machine));
    signals.throw_if_any();
    // From here on: the VM is complete, under another name.
    directory.move();
    write_new_vm_file(vm.name, text);
    directory.keep();
    for (const std::string& path : permissions.keep())
        notes.push_back(shown(path) + " is read-only from now on, for as long as VMs stand on it");
    return notes;
}

}  // namespace tapgate
