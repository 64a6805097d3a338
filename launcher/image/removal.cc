// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/removal.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/image/base_image.h"
#include "launcher/image/lock.h"
#include "launcher/image/snapshot_hardware.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/file.h"
#include "launcher/vm/known_hosts.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// The VM as its file describes it; nothing when the file is not valid: that may be the reason to
// delete it.
std::optional<VmSpec> described(const VmName& name) {
    try {
        return load_vm_file(name).spec;
    } catch (const LauncherError&) {
        return std::nullopt;
    }
}

std::vector<std::string> images_of(const VmName& name) {
    std::vector<std::string> paths;
    const auto spec = described(name);
    if (!spec)
        return paths;
    for (const Disk& disk : spec->disks) {
        paths.push_back(disk.path.str());
        for (const HostPath& backing : disk.backing)
            paths.push_back(backing.str());
    }
    for (const HostPath& cdrom : spec->cdroms)
        paths.push_back(cdrom.str());
    return paths;
}

std::string canonical(const std::string& path) {
    std::error_code error;
    const auto found = std::filesystem::weakly_canonical(path, error);
    return error ? path : found.string();
}

bool contains(const std::vector<std::string>& paths, const std::string& path) {
    return std::any_of(paths.begin(), paths.end(),
                       [&](const std::string& one) { return canonical(one) == canonical(path); });
}

}  // namespace

std::string Removal::text() const {
    std::string text;
    for (const std::string& file : files)
        text += "  " + shown(file) + "\n";
    for (const std::string& image : kept)
        text += "  (stays: " + shown(image) + ")\n";
    return text;
}

Removal plan_removal(const VmName& name, OwnImages own) {
    const bool has_file = has_vm_file(name);
    // What an earlier deletion has left can be removed, too.
    const bool has_remains = !has_file && !entries_of(vm_data_directory(name)).empty();
    if (has_remains && own == OwnImages::stay)
        throw LauncherError("no VM is called " + name.str() +
                            " any more; its images go with: tapgate delete --disks " + name.str());
    if (!has_file && !has_remains)
        throw no_such_vm(name);
    Removal removal;
    for (const std::filesystem::path& entry : entries_of(vm_data_directory(name))) {
        const std::string file = entry.filename().string();
        if (own == OwnImages::go || file.starts_with("uefi-") || file.starts_with("known_hosts") ||
            is_hardware_record(file))
            removal.files.push_back(entry.string());
    }
    if (exists(pattern_known_hosts_path(name)))
        removal.files.push_back(pattern_known_hosts_path(name));
    std::sort(removal.files.begin(), removal.files.end());
    for (const std::string& file : removal.files)
        refuse_base(file, "delete them first", removal.files);
    refuse_cloned(name, "delete them first");
    for (const std::string& image : images_of(name)) {
        if (!contains(removal.files, image))
            removal.kept.push_back(image);
    }
    for (const VmName& other : vm_names()) {
        if (other.str() == name.str())
            continue;
        for (const std::string& image : images_of(other)) {
            if (contains(removal.files, image))
                throw LauncherError(shown(image) + " is an image of the VM " + other.str() +
                                    " too; without --disks it stays");
        }
    }
    // The file last, so that what went wrong before can be tried again.
    if (has_file)
        removal.files.push_back(vm_file_path(name));
    return removal;
}

std::vector<std::string> remove_vm(const VmName& name, const Removal& removal) {
    // Once begun, it must be completed: half of a VM is of no use.
    const HeldSignals signals;
    const UniqueFd lock = lock_vm(name);
    // From here on: nobody can start it.
    std::vector<HeldImage> held;
    for (const std::string& file : removal.files)
        held.emplace_back(file, HeldImage::For::ending);
    // From here on: it does not run, on this host or on another.
    for (const std::string& file : removal.files) {
        const std::string directory = file.substr(0, file.rfind('/'));
        if (exists(file) && access(directory.c_str(), W_OK | X_OK) != 0)
            fail_with_errno("nothing was deleted: " + shown(directory));
    }
    std::vector<BaseRecord> bases;
    for (const std::string& file : removal.files) {
        if (auto record = readable_base_record(file))
            bases.push_back(std::move(*record));
    }
    for (const std::string& file : removal.files) {
        if (unlink(file.c_str()) != 0 && errno != ENOENT)
            fail_with_errno(shown(file));
    }
    // This fails when something stays in it, which is fine.
    rmdir(vm_data_directory(name).c_str());
    std::error_code error;
    std::filesystem::remove_all(vm_directory(name), error);
    if (error)
        throw LauncherError(shown(vm_directory(name)) + ": " + error.message());
    std::vector<std::string> notes = release_bases(bases);
    const std::string own = vm_data_directory(name) + "/";
    for (const std::string& image : removal.kept) {
        if (image.starts_with(own) && exists(image))
            notes.push_back(shown(image) + " stays; it goes with: tapgate delete --disks " +
                            name.str());
    }
    return notes;
}

}  // namespace tapgate
