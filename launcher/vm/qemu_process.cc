// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/qemu_process.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

constexpr std::string_view pidfile = "/qemu.pid";

std::vector<std::string_view> words_in(std::string_view words) {
    std::vector<std::string_view> result;
    while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find('\0'));
        words.remove_prefix(std::min(word.size() + 1, words.size()));
        result.push_back(word);
    }
    return result;
}

// The part after "size=" in "size=1024M,slots=2".
std::string property(std::string_view list, std::string_view key) {
    for (const std::string& one : split_at_commas(list)) {
        if (one.starts_with(key))
            return one.substr(key.size());
    }
    return {};
}

// Nothing when the process has ended, too.
std::optional<QemuProcess> qemu_process(pid_t process) {
    constexpr size_t longest = 1024UL * 1024;
    const std::string directory = "/proc/" + std::to_string(process);
    struct stat status {};
    try {
        auto qemu = vm_in_command_line(read_file(directory + "/cmdline", longest).value_or(""));
        if (!qemu || stat(directory.c_str(), &status) != 0)
            return std::nullopt;
        qemu->process = process;
        qemu->user = status.st_uid;
        return qemu;
    } catch (const LauncherError&) {
        return std::nullopt;
    }
}

bool is_lost(const QemuProcess& qemu) {
    // A container's QEMU has its directory in the container.
    const std::string directory =
        "/proc/" + std::to_string(qemu.process) + "/root" + qemu.directory;
    // Without a pidfile, but with a supervisor, it is about to start or to end.
    return access((directory + std::string(pidfile)).c_str(), F_OK) != 0 && errno == ENOENT &&
           !is_locked(directory + "/lock");
}

}  // namespace

bool is_locked(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    return fd && flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::optional<QemuProcess> vm_in_command_line(std::string_view words) {
    const auto list = words_in(words);
    QemuProcess result;
    if (list.empty() || list[0].find("qemu") == std::string_view::npos)
        return std::nullopt;
    for (size_t i = 0; i + 1 < list.size(); i++) {
        if (list[i] == "-name")
            result.vm = property(list[i + 1], "guest=");
        else if (list[i] == "-m")
            result.memory = MemorySize::parse(property(list[i + 1], "size="))
                                .value_or(MemorySize::parse("1M").value())
                                .mebibytes();
        else if (list[i] == "-pidfile" && list[i + 1].ends_with(pidfile))
            result.directory = list[i + 1].substr(0, list[i + 1].size() - pidfile.size());
    }
    const bool is_ours = result.directory.ends_with("/tapgate/" + result.vm);
    return is_ours && VmName::parse(result.vm) ? std::optional(result) : std::nullopt;
}

std::vector<QemuProcess> qemu_processes(std::optional<uid_t> user) {
    std::vector<QemuProcess> all;
    for (const auto& entry : entries_of("/proc")) {
        const auto number = parse_whole<pid_t>(entry.filename().string(), 1);
        struct stat status {};
        if (!number || stat(entry.c_str(), &status) != 0 || (user && status.st_uid != *user))
            continue;
        if (auto qemu = qemu_process(*number))
            all.push_back(std::move(*qemu));
    }
    return all;
}

std::vector<QemuProcess> lost_vms() {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::seconds good_for{1};
    static std::optional<Clock::time_point> looked;
    static std::vector<QemuProcess> lost;
    if (!looked || Clock::now() - *looked > good_for) {
        lost = qemu_processes(geteuid());
        std::erase_if(lost, [](const QemuProcess& qemu) { return !is_lost(qemu); });
        looked = Clock::now();
    }
    return lost;
}

std::optional<QemuProcess> lost_vm(const VmName& name) {
    for (const QemuProcess& qemu : lost_vms()) {
        if (qemu.vm != name.str())
            continue;
        // It may have ended since the last look.
        if (const auto now = qemu_process(qemu.process); now && now->directory == qemu.directory)
            return qemu;
    }
    return std::nullopt;
}

}  // namespace tapgate
