// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/usage.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <sstream>
#include <tuple>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

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

// The fields of /proc/PID/stat after the command's name, which may contain blanks and brackets.
std::vector<std::string> fields_of(const std::string& process) {
    const std::string text = read_file(process + "/stat").value_or("");
    std::istringstream rest(text.substr(std::min(text.rfind(')') + 1, text.size())));
    std::vector<std::string> fields;
    for (std::string field; rest >> field;)
        fields.push_back(field);
    return fields;
}

std::uint64_t number_in(const std::vector<std::string>& fields, size_t index) {
    return index < fields.size() ? parse_whole<std::uint64_t>(fields[index]).value_or(0) : 0;
}

// The room that the images take in the host's file systems.
std::optional<std::uint64_t> written_by(const VmName& name) {
    try {
        std::uint64_t bytes = 0;
        for (const Disk& disk : load_vm_file(name).spec.disks) {
            struct stat status {};
            constexpr unsigned block = 512;
            if (!disk.read_only && stat(disk.path.str().c_str(), &status) == 0)
                bytes += static_cast<std::uint64_t>(status.st_blocks) * block;
        }
        return bytes;
    } catch (const LauncherError&) {
        return std::nullopt;
    }
}

VmUsage usage_of(const std::string& process, uid_t user, const QemuWords& words) {
    constexpr size_t user_time = 11;  // counted from the state, which is the first field
    constexpr size_t system_time = 12;
    constexpr size_t start_time = 19;
    constexpr size_t resident_pages = 21;
    constexpr std::uint64_t milliseconds = 1000;
    const auto fields = fields_of(process);
    const auto ticks = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    VmUsage usage;
    usage.user = user;
    usage.name = words.name;
    usage.memory = words.memory;
    usage.resident = number_in(fields, resident_pages) * page >> 20U;
    usage.cpu_milliseconds =
        (number_in(fields, user_time) + number_in(fields, system_time)) * milliseconds / ticks;
    usage.seconds = now.tv_sec - static_cast<std::int64_t>(number_in(fields, start_time) / ticks);
    return usage;
}

}  // namespace

std::optional<QemuWords> vm_in_command_line(std::string_view words) {
    const auto list = words_in(words);
    QemuWords result;
    bool is_ours = false;
    if (list.empty() || list[0].find("qemu") == std::string_view::npos)
        return std::nullopt;
    for (size_t i = 0; i + 1 < list.size(); i++) {
        if (list[i] == "-name")
            result.name = property(list[i + 1], "guest=");
        else if (list[i] == "-m")
            result.memory = MemorySize::parse(property(list[i + 1], "size="))
                                .value_or(MemorySize::parse("1M").value())
                                .mebibytes();
        else if (list[i] == "-pidfile")
            is_ours = list[i + 1].ends_with("/tapgate/" + result.name + "/qemu.pid");
    }
    return is_ours && VmName::parse(result.name) ? std::optional(result) : std::nullopt;
}

std::vector<VmUsage> vms_in_use(std::optional<uid_t> user) {
    constexpr size_t longest = 1024UL * 1024;
    std::vector<VmUsage> all;
    for (const auto& process : entries_of("/proc")) {
        const auto number = parse_whole<pid_t>(process.filename().string(), 1);
        struct stat status {};
        if (!number || stat(process.c_str(), &status) != 0 || (user && status.st_uid != *user))
            continue;
        try {
            const auto words =
                vm_in_command_line(read_file(process.string() + "/cmdline", longest).value_or(""));
            if (!words)
                continue;
            VmUsage usage = usage_of(process.string(), status.st_uid, *words);
            usage.process = *number;
            if (status.st_uid == geteuid())
                usage.disk = written_by(VmName::parse(words->name).value());
            all.push_back(std::move(usage));
        } catch (const LauncherError&) {
            // It has ended just now.
        }
    }
    std::sort(all.begin(), all.end(), [](const VmUsage& a, const VmUsage& b) {
        return std::tie(a.user, a.name) < std::tie(b.user, b.name);
    });
    return all;
}

std::map<std::pair<uid_t, std::string>, unsigned> taps_in_use(const HostNetwork& network,
                                                              std::optional<uid_t> user) {
    std::map<std::pair<uid_t, std::string>, unsigned> taps;
    for (const HostLink& bridge : network.links) {
        for (const HostLink* const port : network.ports(bridge.index)) {
            if (const auto tag = port_tag(*port); tag && (!user || tag->owner == *user))
                taps[{tag->owner, bridge.name}]++;
        }
    }
    return taps;
}

}  // namespace tapgate
