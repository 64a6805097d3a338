// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/overlay.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <system_error>

#include "common/unique_fd.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/text.h"
#include "launcher/image/disk_image.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/file.h"

namespace tapgate {

namespace {

// What the records of other overlays say about the file: its mode before it was a base, and its
// hash.
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

// Whether nothing has been made in the directory for a day.
bool is_old(const std::filesystem::path& directory) {
    std::error_code error;
    const auto written = std::filesystem::last_write_time(directory, error);
    return !error &&
           std::filesystem::file_time_type::clock::now() - written > std::chrono::hours(24);
}

// Removes clones whose makers were killed. Not recent ones: on a home that hosts share, another
// host, which has its own process numbers, may be making one right now.
void remove_left_over() {
    for (const std::filesystem::path& entry : entries_of(data_directory())) {
        const std::string name = entry.filename().string();
        const size_t dot = name.rfind('.');
        if (!name.starts_with('.') || dot == 0 || !VmName::parse(name.substr(1, dot - 1)))
            continue;
        const auto pid = parse_whole<pid_t>(std::string_view(name).substr(dot + 1), 1);
        std::error_code ignored;
        if (pid && kill(*pid, 0) != 0 && errno == ESRCH && is_old(entry))
            std::filesystem::remove_all(entry, ignored);
    }
}

}  // namespace

std::vector<ChainLink> chain_of(const Disk& disk) {
    if (disk.any_backing)
        throw LauncherError(shown(disk.path.str()) +
                            ": with backing=any nobody can tell what a clone's base would be; "
                            "name each backing file instead");
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

TakenPermissions::~TakenPermissions() {
    for (const auto& [path, mode] : taken_)
        chmod(path.c_str(), mode);
}

void TakenPermissions::take(const std::string& path, const struct stat& status) {
    const mode_t mode = status.st_mode & 07777;
    if ((mode & write_permissions) == 0 || status.st_uid != geteuid() || S_ISBLK(status.st_mode))
        return;
    if (chmod(path.c_str(), mode & ~write_permissions) != 0)
        fail_with_errno(shown(path));
    taken_.emplace_back(path, mode);
}

std::vector<std::string> TakenPermissions::keep() {
    std::vector<std::string> paths;
    for (auto& [path, mode] : std::exchange(taken_, {}))
        paths.push_back(path);
    return paths;
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

std::string overlay_value(const std::string& value, const std::string& overlay,
                          const std::vector<ChainLink>& chain) {
    std::vector<std::string> words = split_at_commas(value);
    words[0] = overlay;
    std::erase_if(words, [](const std::string& word) {
        return word.starts_with("format=") || word.starts_with("backing=");
    });
    words.emplace_back("format=qcow2");
    for (const ChainLink& link : chain)
        words.push_back("backing=" + link.path);
    return joined_by_commas(words);
}

NewDirectory::NewDirectory(const VmName& name)
    : name_(name),
      target_(vm_data_directory(name)),
      path_(data_directory() + "/." + name.str() + "." + std::to_string(getpid())) {
    make_private_directory(data_directory());
    remove_left_over();
    make_private_directory(path_);
}

NewDirectory::~NewDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void NewDirectory::move() {
    // rename() replaces an empty directory; any other belongs to somebody.
    if (rename(path_.c_str(), target_.c_str()) != 0) {
        if (errno == ENOTEMPTY || errno == EEXIST)
            throw LauncherError(
                shown(target_) +
                (has_vm_file(name_)
                     ? " is of another VM of this name, which has come first; take another name"
                     : " holds what is left of an earlier VM of this name, if no other tapgate "
                       "makes one just now; take another name, or remove it with: tapgate delete "
                       "--disks " +
                           name_.str()));
        fail_with_errno(shown(target_));
    }
    path_ = target_;
}

}  // namespace tapgate
