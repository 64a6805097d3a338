// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/clone.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <list>
#include <optional>
#include <utility>

#include "launcher/base/block_device.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/image/base_image.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/lock.h"
#include "launcher/image/overlay.h"
#include "launcher/image/snapshot_hardware.h"
#include "launcher/qemu/firmware.h"
#include "launcher/qemu/machine_version.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/known_hosts.h"
#include "launcher/vm/setting.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// For another clone of the same base: the first one reads all of it.
constexpr std::chrono::seconds lock_limit{60};

// The value of `net` without what only one VM on a bridge or on this host can have.
std::string net_value(const std::string& value, std::vector<std::string>& notes) {
    constexpr std::string_view forward = "hostfwd=";
    std::vector<std::string> words = split_at_commas(value);
    std::erase_if(words, [&](const std::string& word) {
        const bool is_mac = word.starts_with("mac=");
        if (is_mac)
            notes.push_back("its adapter gets a MAC address of its own, not " +
                            shown(word.substr(4)));
        return is_mac;
    });
    for (std::string& word : words) {
        // "hostfwd=tcp:ADDRESS:PORT-..."
        const size_t dash = word.find('-');
        const size_t colon = word.rfind(':', dash);
        if (!word.starts_with(forward) || dash == std::string::npos || colon == std::string::npos ||
            word.substr(colon + 1, dash - colon - 1) == "0")
            continue;
        notes.push_back("a free port of the host in the place of " +
                        shown(word.substr(colon + 1, dash - colon - 1)) + " leads to its guest");
        word.replace(colon + 1, dash - colon - 1, "0");
    }
    return joined_by_commas(words);
}

// "vnc:localhost:5" is a port that only one VM can have.
std::string display_value(const std::string& value, std::vector<std::string>& notes) {
    const size_t number = value.find_last_of(':') + 1;
    if (number == 0 || value.find_first_not_of("0123456789", number) != std::string::npos)
        return value;
    notes.emplace_back("its screen is at a free port, not at display " +
                       shown(value.substr(number)));
    return value.substr(0, number - 1);
}

UniqueFd lock_base(const VmName& base) {
    if (vm_state(base).qemu != 0)
        throw LauncherError(base.str() +
                            " runs; what its guest writes meanwhile would destroy a clone: end it "
                            "first, with: tapgate stop " +
                            base.str());
    return lock_vm(base, lock_limit);
}

// The clone's overlays.
std::vector<std::pair<Disk, BaseRecord>> overlays_of(const VmName& name) {
    std::vector<std::pair<Disk, BaseRecord>> overlays;
    for (const Disk& disk : load_vm_file(name).spec.disks) {
        if (auto record = read_base_record(disk.path.str()); record && !record->files.empty())
            overlays.emplace_back(disk, std::move(*record));
    }
    return overlays;
}

// Makes a copy of the base's UEFI variables in `directory`; false when the base has none.
bool copy_uefi_variables(const VmName& base, const VmSpec& clone, const std::string& target) {
    const std::string source = uefi_variables_path(base, clone.firmware);
    if (source.empty() || access(source.c_str(), F_OK) != 0)
        return false;
    make_uefi_variables(
        {.code = {}, .variables_template = {source, ImageFormat::qcow2}, .variables = target});
    return true;
}

// Updates the files in the record that have changed, with a note for each.
void renew_record(BaseRecord& record, TakenPermissions& permissions, const HeldSignals& signals,
                  const Progress& progress, std::vector<std::string>& notes) {
    for (BaseFile& file : record.files) {
        const std::string difference = difference_to(file);
        if (difference.empty())
            continue;
        notes.push_back(shown(file.path) + " is not what it was: " + difference +
                        "; it is taken as it is now");
        file = base_file(file.path, permissions, signals, progress);
    }
}

// Makes the UEFI variables for a clone's `path` again, from the VM called `base`, and appends them
// to `made`. False when there are none: an image that belongs to no VM comes without any.
bool make_variables_again(const std::string& base, const VmSpec& clone, const std::string& path,
                          std::list<UnfinishedFile>& made) {
    const auto name = VmName::parse(base);
    if (!name || path.empty())
        return false;
    if (copy_uefi_variables(*name, clone, made.emplace_back(path).path()))
        return true;
    made.pop_back();
    return false;
}

// A clone in the making, from a base that nobody can start meanwhile. Unless it is finished,
// nothing of it stays.
class Cloning {
  public:
    Cloning(const VmName& base, const VmName& name, const HeldSignals& signals,
            const Progress& progress)
        : base_(base), name_(name), signals_(signals), progress_(progress), directory_(name) {}

    // The clone's settings: `overriding`, and the base's others, with overlays for its disks.
    std::vector<Setting> settings(const VmDescription& base,
                                  const std::vector<Setting>& overriding) {
        std::vector<Setting> settings = overriding;
        size_t next_disk = 0;
        for (Setting setting : base.settings) {
            const bool overridden =
                std::any_of(overriding.begin(), overriding.end(),
                            [&](const Setting& one) { return one.key == setting.key; });
            if (setting.source == Setting::Source::built_in || overridden)
                continue;
            if (setting.key == "net") {
                setting.value = net_value(setting.value, notes_);
            } else if (setting.key == "display") {
                setting.value = display_value(setting.value, notes_);
            } else if (setting.key == "disk") {
                auto value = disk_value(setting.value, base.spec.disks[next_disk++]);
                if (!value)
                    continue;
                setting.value = std::move(*value);
            }
            settings.push_back(std::move(setting));
        }
        return settings;
    }

    void take_uefi_variables(const VmSpec& clone) {
        const std::string path = uefi_variables_path(name_, clone.firmware);
        if (!path.empty())
            copy_uefi_variables(base_, clone, directory_.path() + path.substr(path.rfind('/')));
    }

    // Gives the clone, which is complete under another name, its own name and its file. Returns
    // what the user should know.
    std::vector<std::string> finish(std::string_view text) {
        directory_.move();
        write_new_vm_file(name_, text);
        directory_.keep();
        for (const std::string& path : permissions_.keep())
            notes_.push_back(shown(path) +
                             " is read-only from now on, for as long as it has clones");
        return std::move(notes_);
    }

  private:
    // The value for the clone of the base's `disk`; nothing when the clone does not get that disk.
    std::optional<std::string> disk_value(const std::string& value, const Disk& disk) {
        if (disk.path.str() == seed_path(base_)) {
            notes_.push_back("without the seed of " + base_.str() +
                             "; it gets one of its own with: tapgate seed " + name_.str());
            return std::nullopt;
        }
        for (std::string& odd : check_disk(disk, true))
            notes_.push_back(std::move(odd));
        return disk.read_only ? value : overlay_on(disk, value);
    }

    std::string overlay_on(const Disk& disk, const std::string& value) {
        const std::vector<ChainLink> chain = chain_of(disk);
        for (const ChainLink& link : chain)
            held_.emplace_back(link.path, HeldImage::For::reading);
        if (is_block_device(chain.back().path))
            notes_.push_back(shown(chain.back().path) +
                             " is a block device, which cannot be made read-only: nothing may "
                             "write to it while it has clones; `tapgate status --verify' tells "
                             "whether something has");
        BaseRecord record{.vm = base_.str(), .format = disk.format, .files = {}};
        for (const ChainLink& link : chain)
            record.files.push_back(base_file(link.path, permissions_, signals_, progress_));
        const std::string overlay = own_image_name(overlays_++);
        make_overlay(directory_.path() + "/" + overlay, paths_of(record), disk.format);
        write_base_record(directory_.path() + "/" + overlay, record);
        return overlay_value(value, directory_.target() + "/" + overlay, chain);
    }

    const VmName& base_;
    const VmName& name_;
    const HeldSignals& signals_;
    const Progress& progress_;
    std::vector<std::string> notes_;
    NewDirectory directory_;
    TakenPermissions permissions_;
    // Keeps a QEMU on another host from writing to the base under the clone.
    std::vector<HeldImage> held_;
    size_t overlays_ = 0;
};

}  // namespace

std::vector<std::string> clone_vm(const VmName& base, const VmName& name,
                                  const std::vector<Setting>& overriding, const Progress& progress,
                                  const std::string& heading) {
    for (const Setting& setting : overriding) {
        if (setting.key == "disk")
            throw UsageError(setting.place + ": a clone's disks are those of " + base.str() +
                             "; add others with: tapgate edit " + name.str());
    }
    require_new(name);
    const VmDescription source = load_vm_file(base);
    const HeldSignals signals;
    const UniqueFd lock = lock_base(base);
    // From here on: nobody can start the base.
    Cloning clone(base, name, signals, progress);
    std::vector<Setting> settings = clone.settings(source, overriding);
    const VmSpec spec = describe_vm(name, settings).spec;
    clone.take_uefi_variables(spec);
    const std::string text =
        heading + vm_file_text(name, with_machine_version(std::move(settings), spec.machine));
    signals.throw_if_any();
    return clone.finish(text);
}

void require_resettable(const VmName& name) {
    const auto overlays = overlays_of(name);
    if (overlays.empty())
        throw LauncherError(name.str() +
                            " is not a clone, so there is no base to go back to; to go back to "
                            "a snapshot: tapgate snapshot restore " +
                            name.str() + " TAG");
    for (const auto& [disk, record] : overlays)
        refuse_base(disk.path.str(), "delete them first");
}

std::vector<std::string> reset_to_base(const VmName& name, const Progress& progress) {
    const VmSpec spec = load_vm_file(name).spec;
    const HeldSignals signals;
    const UniqueFd lock = lock_vm(name);
    // From here on: nobody can start it.
    require_resettable(name);
    auto overlays = overlays_of(name);
    const std::string variables = uefi_variables_path(name, spec.firmware);
    std::vector<HeldImage> held;
    for (const auto& [disk, record] : overlays)
        held.emplace_back(disk.path.str(), HeldImage::For::ending);
    if (!variables.empty())
        held.emplace_back(variables, HeldImage::For::ending);
    // From here on: it does not run on another host either.
    TakenPermissions permissions;
    std::vector<std::string> notes;
    std::list<UnfinishedFile> made;
    for (auto& [disk, record] : overlays) {
        renew_record(record, permissions, signals, progress, notes);
        make_overlay(made.emplace_back(disk.path.str()).path(), paths_of(record), record.format);
    }
    const bool has_variables =
        make_variables_again(overlays.front().second.vm, spec, variables, made);
    signals.throw_if_any();
    // From here on: a few steps, each of which is complete by itself.
    for (const UnfinishedFile& one : made)
        one.replace();
    if (!has_variables && !variables.empty() && unlink(variables.c_str()) != 0 && errno != ENOENT)
        fail_with_errno(shown(variables));
    for (const auto& [disk, record] : overlays)
        write_base_record(disk.path.str(), record);
    permissions.keep();
    forget_hardware(name);
    // A guest that makes its host keys at its first boot makes new ones.
    forget_known_hosts(name);
    return notes;
}

std::vector<BaseVerdict> verify_bases(const VmName& name, const Progress& progress) {
    const HeldSignals signals;
    std::vector<BaseVerdict> verdicts;
    for (auto& [disk, record] : overlays_of(name)) {
        bool outdated = false;
        bool all_same = true;
        for (BaseFile& file : record.files) {
            BaseVerdict& verdict = verdicts.emplace_back();
            verdict.path = file.path;
            const std::string difference = difference_to(file);
            const bool there = access(file.path.c_str(), F_OK) == 0;
            verdict.same = there && content_hash(file.path, signals, progress) == file.sha256;
            all_same = all_same && verdict.same;
            struct stat status {};
            if (!verdict.same || difference.empty() || stat(file.path.c_str(), &status) != 0)
                continue;
            file.inode = status.st_ino;
            file.mtime = modification_time(status);
            outdated = true;
        }
        if (outdated && all_same)
            write_base_record(disk.path.str(), record);
    }
    return verdicts;
}

}  // namespace tapgate
