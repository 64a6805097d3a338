// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/setting.h"

namespace tapgate {

namespace {

constexpr std::string_view ending = ".conf";

std::vector<Setting> with_environment(std::vector<Setting> settings) {
    const auto lookup = [](const std::string& variable) {
        return std::getenv(variable.c_str());  // NOLINT(concurrency-mt-unsafe): one thread
    };
    for (Setting& setting : environment_settings(lookup, current_directory()))
        settings.push_back(std::move(setting));
    return settings;
}

std::string is_taken(const VmName& name) {
    return shown(vm_file_path(name)) +
           ": there is a VM of this name already; take another name, or remove it with: tapgate "
           "delete " +
           name.str();
}

}  // namespace

std::string vm_file_path(const VmName& name) {
    return config_directory() + "/" + name.str() + std::string(ending);
}

bool has_vm_file(const VmName& name) {
    return access(vm_file_path(name).c_str(), F_OK) == 0;
}

std::optional<std::string> vm_file_value(const VmName& name, std::string_view key) {
    try {
        const std::string path = vm_file_path(name);
        const auto text = read_file(path);
        for (Setting& setting : text ? parse_vm_file(path, *text) : std::vector<Setting>())
            if (setting.key == key)
                return std::move(setting.value);
    } catch (const LauncherError&) {
        // Whoever starts the VM is told what is wrong with it.
    }
    return std::nullopt;
}

void require_new(const VmName& name) {
    if (has_vm_file(name))
        throw LauncherError(is_taken(name));
}

void write_new_vm_file(const VmName& name, std::string_view text) {
    write_new_file(vm_file_path(name), text, is_taken(name));
}

UniqueFd lock_vm_files() {
    constexpr std::chrono::seconds limit{10};
    const std::string directory = config_directory();
    make_private_directory(directory);
    UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd)
        fail_with_errno(shown(directory));
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        // Some file systems have no locks.
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        if (std::chrono::steady_clock::now() >= deadline)
            throw LauncherError(shown(directory) + ": another tapgate has been changing it for " +
                                std::to_string(limit.count()) + " s; try again when it has ended");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return fd;
}

bool replace_vm_file(const VmName& name, std::string_view before, std::string_view after) {
    const std::string path = vm_file_path(name);
    const UniqueFd lock = lock_vm_files();
    if (read_file(path) != before)
        return false;
    replace_file(path, after);
    return true;
}

LauncherError no_such_vm(const VmName& name) {
    const std::vector<VmName> names = vm_names();
    std::vector<std::string_view> words;
    words.reserve(names.size());
    for (const VmName& one : names)
        // The name itself may be taken by a link that leads nowhere.
        if (one.str() != name.str())
            words.push_back(one.str());
    if (const std::string meant = did_you_mean(name.str(), words); !meant.empty())
        return LauncherError("no VM is called " + name.str() + meant +
                             "; yours are in: tapgate list --all");
    LauncherError error("no VM is called " + name.str() + ": there is no " +
                        shown(vm_file_path(name)) + "; make one with: tapgate create " +
                        name.str() + " --disk=PATH");
    return error;
}

std::vector<VmName> vm_names() {
    std::vector<VmName> names;
    std::error_code error;
    for (auto entry = std::filesystem::directory_iterator(config_directory(), error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
        const std::string file = entry->path().filename().string();
        if (!file.ends_with(ending))
            continue;
        if (auto name = VmName::parse(file.substr(0, file.size() - ending.size())))
            names.push_back(std::move(*name));
    }
    if (error && error != std::errc::no_such_file_or_directory)
        throw LauncherError(shown(config_directory()) + ": " + error.message());
    std::sort(names.begin(), names.end(),
              [](const VmName& a, const VmName& b) { return a.str() < b.str(); });
    return names;
}

VmDescription load_vm(const VmName& name, const std::vector<Setting>& settings) {
    const std::string path = vm_file_path(name);
    const auto text = read_file(path);
    if (!text && settings.empty())
        throw no_such_vm(name);
    std::vector<Setting> all = with_environment(settings);
    if (text) {
        for (Setting& setting : parse_vm_file(path, *text))
            all.push_back(std::move(setting));
    }
    return describe_vm(name, all);
}

VmDescription load_vm_file(const VmName& name) {
    const std::string path = vm_file_path(name);
    const auto text = read_file(path);
    if (!text)
        throw no_such_vm(name);
    return describe_vm(name, parse_vm_file(path, *text));
}

VmDescription describe_unfiled_vm(const VmName& name, const std::vector<Setting>& settings) {
    return describe_vm(name, with_environment(settings));
}

}  // namespace tapgate
