// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/unfinished_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

constexpr std::string_view part_ending = ".part.";

// Writes under another name first, so that a full disk leaves no partial file.
void write_into(const UnfinishedFile& file, const std::string& path, std::string_view text) {
    const UniqueFd fd = file.create(0600);
    if (!write_all(fd.get(), text) || fsync(fd.get()) != 0)
        fail_with_errno(shown(path));
}

}  // namespace

UnfinishedFile::UnfinishedFile(const std::string& target)
    : target_(target), path_(target + std::string(part_ending) + std::to_string(getpid())) {
    remove_left_over();
}

UnfinishedFile::~UnfinishedFile() {
    unlink(path_.c_str());
}

UniqueFd UnfinishedFile::create(mode_t mode) const {
    UniqueFd fd(open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd)
        fail_with_errno(shown(target_));
    return fd;
}

void UnfinishedFile::finish() const {
    const UniqueFd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    // link() fails if there is a target already, unlike rename().
    if (!fd || fsync(fd.get()) != 0 || chmod(path_.c_str(), 0600) != 0)
        fail_with_errno(shown(target_));
    if (link(path_.c_str(), target_.c_str()) == 0)
        return;
    if (errno == EEXIST)
        throw LauncherError(shown(target_) +
                            " is there already, of somebody who was faster; take another name");
    fail_with_errno(shown(target_));
}

void UnfinishedFile::replace() const {
    if (rename(path_.c_str(), target_.c_str()) != 0)
        fail_with_errno(shown(target_));
}

// Removes files of processes that were killed.
void UnfinishedFile::remove_left_over() const {
    const std::filesystem::path target(target_);
    const std::string beginning = target.filename().string() + std::string(part_ending);
    for (const std::filesystem::path& entry : entries_of(target.parent_path())) {
        const std::string name = entry.filename().string();
        if (!name.starts_with(beginning))
            continue;
        const auto pid = parse_whole<pid_t>(std::string_view(name).substr(beginning.size()), 1);
        // Including one that had this process's number: in containers it is the same each time.
        if (pid && (*pid == getpid() || (kill(*pid, 0) != 0 && errno == ESRCH)))
            unlink(entry.c_str());
    }
}

void write_new_file(const std::string& path, std::string_view text, const std::string& exists) {
    std::error_code error;
    const std::string directory = path.substr(0, path.rfind('/'));
    std::filesystem::create_directories(directory, error);
    if (error)
        throw LauncherError(shown(directory) + ": " + error.message());
    // A signal between the two steps would leave the other name behind.
    const HeldSignals signals;
    const UnfinishedFile file(path);
    write_into(file, path, text);
    // link() fails if there is a file already, unlike rename().
    if (link(file.path().c_str(), path.c_str()) == 0)
        return;
    if (errno == EEXIST)
        throw LauncherError(exists);
    fail_with_errno(shown(path));
}

void replace_file(const std::string& path, std::string_view text) {
    const HeldSignals signals;
    const UnfinishedFile file(path);
    write_into(file, path, text);
    file.replace();
}

}  // namespace tapgate
