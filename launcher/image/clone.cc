// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/clone.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "launcher/base/block_device.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/image/base_image.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/lock.h"
#include "launcher/image/seed.h"
#include "launcher/qemu/firmware.h"
#include "launcher/qemu/machine_version.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/setting.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// For another clone of the same base, which reads all of it when it is the first.
constexpr std::chrono::seconds lock_limit{60};

struct ChainLink {
    std::string path;
    ImageFormat format;
};

// The disk's image and what that stands on. check_disk() has seen that each is a file that the disk
// names.
std::vector<ChainLink> chain_of(const Disk& disk) {
    if (disk.any_backing)
        throw LauncherError(shown(disk.path.str()) +
                            ": with backing=any nobody knows what a clone would stand on; name "
                            "each backing file instead");
    std::vector<ChainLink> chain = {{disk.path.str(), disk.format}};
    for (;;) {
        const ChainLink last = chain.back();
        struct stat status {};
        if (stat(last.path.c_str(), &status) != 0)
            fail_with_errno(shown(last.path));
        if ((!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) ||
            (last.format != ImageFormat::raw && last.format != ImageFormat::qcow2))
            throw LauncherError(shown(last.path) +
                                ": only raw and qcow2 images can be a base; tapgate import makes "
                                "one of other formats");
        if (last.format == ImageFormat::raw)
            return chain;
        const Qcow2Names names = read_qcow2_names(last.path);
        if (names.backing.empty())
            return chain;
        chain.push_back({names.backing.starts_with('/')
                             ? names.backing
                             : last.path.substr(0, last.path.rfind('/') + 1) + names.backing,
                         image_format(names.backing_format).value_or(ImageFormat::raw)});
    }
}

// Write permissions that were taken away: given back unless the clone comes into being.
class TakenPermissions {
  public:
    TakenPermissions() = default;
    ~TakenPermissions() {
        for (const auto& [path, mode] : taken_)
            chmod(path.c_str(), mode);
    }
    TakenPermissions(const TakenPermissions&) = delete;
    TakenPermissions& operator=(const TakenPermissions&) = delete;

    void take(const std::string& path, const struct stat& status) {
        const mode_t mode = status.st_mode & 07777;
        if ((mode & write_permissions) == 0 || status.st_uid != geteuid() ||
            S_ISBLK(status.st_mode))
            return;
        if (chmod(path.c_str(), mode & ~write_permissions) != 0)
            fail_with_errno(shown(path));
        taken_.emplace_back(path, mode);
    }

    // For good; returns the paths.
    std::vector<std::string> keep() {
        std::vector<std::string> paths;
        for (auto& [path, mode] : std::exchange(taken_, {}))
            paths.push_back(path);
        return paths;
    }

  private:
    std::vector<std::pair<std::string, mode_t>> taken_;
};

// What records of other overlays say of the file: its mode before it was a base, and its hash.
std::optional<BaseFile> known_base_file(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0)
        return std::nullopt;
    for (const BaseRecord& record : all_base_records()) {
        for (const BaseFile& file : record.files) {
            if (file.inode == status.st_ino && file.path == path)
                return file;
        }
    }
    return std::nullopt;
}

BaseFile base_file(const std::string& path, TakenPermissions& permissions,
                   const HeldSignals& signals, const Progress& progress) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0)
        fail_with_errno(shown(path));
    const auto known = known_base_file(path);
    permissions.take(path, status);
    BaseFile file{.path = path,
                  .size = size_of(path, status),
                  .mtime = modification_time(status),
                  .inode = status.st_ino,
                  .sha256 = {},
                  .mode = known && (status.st_mode & write_permissions) == 0
                              ? known->mode
                              : status.st_mode & 07777};
    file.sha256 = known && difference_to(*known).empty() ? known->sha256
                                                         : content_hash(path, signals, progress);
    if (const std::string difference = difference_to(file); !difference.empty())
        throw LauncherError(shown(path) + " changes while it is read: " + difference);
    return file;
}

std::vector<std::string> paths_of(const BaseRecord& record) {
    std::vector<std::string> paths;
    for (const BaseFile& file : record.files)
        paths.push_back(file.path);
    return paths;
}

// `chain`: the base's image, of `format`, and what that stands on.
void make_overlay(const std::string& overlay, const std::vector<std::string>& chain,
                  ImageFormat format) {
    const std::string& base = chain.front();
    make_target(overlay);
    const ProgramResult made = run_qemu_img(
        {"create", "-q", "-f", "qcow2", "-F", std::string(name_of(format)), "-b", base, overlay},
        FileAccess{.read = chain, .parts = {}, .write = {overlay}});
    if (made.exit_code != 0)
        throw LauncherError("cannot make an overlay of " + shown(base) + ": " +
                            terminal_text(made.errors));
    const UniqueFd fd(open(overlay.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || fchmod(fd.get(), 0600) != 0 || fsync(fd.get()) != 0)
        fail_with_errno(shown(overlay));
}

// What becomes the new VM's data directory, by one rename. Its name is no VM's.
class NewDirectory {
  public:
    explicit NewDirectory(const VmName& name)
        : target_(data_directory() + "/" + name.str()),
          path_(data_directory() + "/." + name.str() + "." + std::to_string(getpid())) {
        make_private_directory(data_directory());
        remove_left_over();
        make_private_directory(path_);
    }
    ~NewDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    NewDirectory(const NewDirectory&) = delete;
    NewDirectory& operator=(const NewDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::string& target() const { return target_; }

    // From then on this is the VM's directory, and still goes unless kept.
    void move() {
        // An empty directory in the way is replaced; any other belongs to somebody.
        if (rename(path_.c_str(), target_.c_str()) != 0) {
            if (errno == ENOTEMPTY || errno == EEXIST)
                throw LauncherError(shown(target_) +
                                    " holds what is left of an earlier VM of this name; move it "
                                    "away, or take another name");
            fail_with_errno(shown(target_));
        }
        path_ = target_;
    }
    void keep() { path_.clear(); }

  private:
    // Of clones that were killed while they were made.
    static void remove_left_over() {
        for (const std::filesystem::path& entry : entries_of(data_directory())) {
            const std::string name = entry.filename().string();
            const size_t dot = name.rfind('.');
            if (!name.starts_with('.') || dot == 0 || !VmName::parse(name.substr(1, dot - 1)))
                continue;
            const auto pid = parse_whole<pid_t>(std::string_view(name).substr(dot + 1), 1);
            std::error_code ignored;
            if (pid && kill(*pid, 0) != 0 && errno == ESRCH)
                std::filesystem::remove_all(entry, ignored);
        }
    }

    std::string target_;
    std::string path_;
};

std::string disk_value(const Setting& setting, const std::string& overlay,
                       const std::vector<ChainLink>& chain) {
    std::vector<std::string> words = split_at_commas(setting.value);
    words[0] = overlay;
    std::erase_if(words, [](const std::string& word) {
        return word.starts_with("format=") || word.starts_with("backing=");
    });
    words.emplace_back("format=qcow2");
    for (const ChainLink& link : chain)
        words.push_back("backing=" + link.path);
    return joined_by_commas(words);
}

// Without what only one VM on a bridge, or on this host, can have.
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

// "vnc:localhost:5" is a port that one VM can have.
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

// The clone's variables as base's are, made in `directory`; false when base has none.
bool copy_uefi_variables(const VmName& base, const VmSpec& clone, const std::string& target) {
    const std::string source = uefi_variables_path(base, clone.firmware);
    if (source.empty() || access(source.c_str(), F_OK) != 0)
        return false;
    make_uefi_variables(
        {.code = {}, .variables_template = {source, ImageFormat::qcow2}, .variables = target});
    return true;
}

}  // namespace

std::vector<std::string> clone_vm(const VmName& base, const VmName& name,
                                  const std::vector<Setting>& overriding, const Progress& progress,
                                  const std::string& heading) {
    for (const Setting& setting : overriding) {
        if (setting.key == "disk")
            throw UsageError(setting.place + ": a clone's disks are those of " + base.str() +
                             "; add others with: tapgate edit " + name.str());
    }
    const std::string file = vm_file_path(name);
    const std::string exists = shown(file) + ": there is a VM of this name already";
    if (has_vm_file(name))
        throw LauncherError(exists);
    const VmDescription source = load_vm_file(base);
    const HeldSignals signals;
    const UniqueFd lock = lock_base(base);
    // From here on: nobody starts base.
    std::vector<std::string> notes;
    std::vector<Setting> settings = overriding;
    NewDirectory directory(name);
    TakenPermissions permissions;
    // Nor does anybody on another host, whose QEMU would write to it under the clone.
    std::vector<HeldImage> held;
    size_t next_disk = 0;
    size_t overlays = 0;
    for (Setting setting : source.settings) {
        const bool overridden =
            std::any_of(overriding.begin(), overriding.end(),
                        [&](const Setting& one) { return one.key == setting.key; });
        if (setting.source == Setting::Source::built_in || overridden)
            continue;
        if (setting.key == "net") {
            setting.value = net_value(setting.value, notes);
        } else if (setting.key == "display") {
            setting.value = display_value(setting.value, notes);
        } else if (setting.key == "disk") {
            const Disk& disk = source.spec.disks[next_disk++];
            if (disk.path.str() == seed_path(base)) {
                notes.push_back("without the seed of " + base.str() +
                                "; it gets one of its own with: tapgate seed " + name.str());
                continue;
            }
            for (std::string& odd : check_disk(disk, true))
                notes.push_back(std::move(odd));
            if (!disk.read_only) {
                const std::vector<ChainLink> chain = chain_of(disk);
                for (const ChainLink& link : chain)
                    held.emplace_back(link.path, HeldImage::For::reading);
                if (is_block_device(chain.back().path))
                    notes.push_back(shown(chain.back().path) +
                                    " is a block device, which cannot be made read-only: nothing "
                                    "may write to it while it has clones; `tapgate status "
                                    "--verify' tells whether something has");
                BaseRecord record{.vm = base.str(), .format = disk.format, .files = {}};
                for (const ChainLink& link : chain)
                    record.files.push_back(base_file(link.path, permissions, signals, progress));
                const std::string overlay = own_image_name(overlays++);
                make_overlay(directory.path() + "/" + overlay, paths_of(record), disk.format);
                write_base_record(directory.path() + "/" + overlay, record);
                setting.value = disk_value(setting, directory.target() + "/" + overlay, chain);
            }
        }
        settings.push_back(std::move(setting));
    }
    const VmSpec spec = describe_vm(name, settings).spec;
    if (const std::string variables = uefi_variables_path(name, spec.firmware); !variables.empty())
        copy_uefi_variables(base, spec, directory.path() + variables.substr(variables.rfind('/')));
    const std::string text =
        heading + vm_file_text(name, with_machine_version(std::move(settings), spec.machine));
    signals.throw_if_any();
    // From here on: all that the clone needs is there, under another name.
    directory.move();
    write_new_file(file, text, exists);
    directory.keep();
    for (const std::string& path : permissions.keep())
        notes.push_back(shown(path) + " is read-only from now on, for as long as it has clones");
    return notes;
}

void require_resettable(const VmName& name) {
    const auto overlays = overlays_of(name);
    if (overlays.empty())
        throw LauncherError(name.str() + " is no clone: there is no base to go back to");
    for (const auto& [disk, record] : overlays)
        refuse_base(disk.path.str(), "delete them first");
}

std::vector<std::string> reset_to_base(const VmName& name, const Progress& progress) {
    const VmSpec spec = load_vm_file(name).spec;
    const HeldSignals signals;
    const UniqueFd lock = lock_vm(name);
    // From here on: nobody starts it.
    require_resettable(name);
    std::vector<std::string> notes;
    auto overlays = overlays_of(name);
    const std::string variables = uefi_variables_path(name, spec.firmware);
    std::vector<HeldImage> held;
    for (const auto& [disk, record] : overlays)
        held.emplace_back(disk.path.str(), HeldImage::For::ending);
    if (!variables.empty())
        held.emplace_back(variables, HeldImage::For::ending);
    // From here on: nor does it run on another host.
    const std::string suffix = "." + std::to_string(getpid());
    TakenPermissions permissions;
    std::vector<std::pair<std::string, std::string>> made;
    try {
        for (auto& [disk, record] : overlays) {
            for (BaseFile& file : record.files) {
                if (difference_to(file).empty())
                    continue;
                notes.push_back(shown(file.path) + " is not what it was: " + difference_to(file) +
                                "; it is taken as it is now");
                file = base_file(file.path, permissions, signals, progress);
            }
            const std::string path = disk.path.str() + suffix;
            made.emplace_back(path, disk.path.str());
            make_overlay(path, paths_of(record), record.format);
        }
        const auto base = VmName::parse(overlays.front().second.vm);
        if (!variables.empty() && base) {
            unlink((variables + suffix).c_str());
            if (copy_uefi_variables(*base, spec, variables + suffix))
                made.emplace_back(variables + suffix, variables);
            else
                made.emplace_back("", variables);
        }
        signals.throw_if_any();
        // From here on: only renames, each a whole step.
        for (const auto& [from, to] : made) {
            if (from.empty() ? unlink(to.c_str()) != 0 && errno != ENOENT
                             : rename(from.c_str(), to.c_str()) != 0)
                fail_with_errno(shown(to));
        }
    } catch (...) {
        for (const auto& [from, to] : made)
            unlink(from.c_str());
        throw;
    }
    for (const auto& [disk, record] : overlays)
        write_base_record(disk.path.str(), record);
    permissions.keep();
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
