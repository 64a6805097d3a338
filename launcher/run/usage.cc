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
#include "launcher/vm/qemu_process.h"

namespace tapgate {

namespace {

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

VmUsage usage_of(const QemuProcess& qemu) {
    constexpr size_t user_time = 11;  // counted from the state, which is the first field
    constexpr size_t system_time = 12;
    constexpr size_t start_time = 19;
    constexpr size_t resident_pages = 21;
    constexpr std::uint64_t milliseconds = 1000;
    const auto fields = fields_of("/proc/" + std::to_string(qemu.process));
    const auto ticks = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    VmUsage usage;
    usage.user = qemu.user;
    usage.name = qemu.vm;
    usage.process = qemu.process;
    usage.memory = qemu.memory;
    usage.resident = number_in(fields, resident_pages) * page >> 20U;
    usage.cpu_milliseconds =
        (number_in(fields, user_time) + number_in(fields, system_time)) * milliseconds / ticks;
    usage.seconds = now.tv_sec - static_cast<std::int64_t>(number_in(fields, start_time) / ticks);
    return usage;
}

}  // namespace

std::vector<VmUsage> vms_in_use(std::optional<uid_t> user) {
    std::vector<VmUsage> all;
    for (const QemuProcess& qemu : qemu_processes(user)) {
        try {
            VmUsage usage = usage_of(qemu);
            if (qemu.user == geteuid())
                usage.disk = written_by(VmName::parse(qemu.vm).value());
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
