// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/host.h"

#include <fcntl.h>
#include <linux/if_bridge.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/base/block_device.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/network/helper_client.h"
#include "launcher/qemu/firmware.h"
#include "launcher/qemu/probe.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// What makes this user's VMs different from those of other hosts. Where the host has no id (a
// container, an image before its first boot) the user gets one.
std::string machine_id() {
    if (std::string id = first_word("/etc/machine-id"); !id.empty() && id != "uninitialized")
        return id;
    const std::string path = config_directory() + "/machine-id";
    if (std::string id = first_word(path); !id.empty())
        return id;
    try {
        write_new_file(path, first_word("/proc/sys/kernel/random/uuid") + "\n", "");
    } catch (const LauncherError& error) {
        // Empty: another tapgate was first.
        if (*error.what() != '\0')
            throw;
    }
    return first_word(path);
}

// Entries of the bridge's forwarding database: struct __fdb_entry in linux/if_bridge.h.
std::vector<__fdb_entry> forwarding_entries(const InterfaceName& bridge) {
    const UniqueFd fd(
        open(("/sys/class/net/" + bridge.str() + "/brforward").c_str(), O_RDONLY | O_CLOEXEC));
    std::vector<__fdb_entry> all;
    std::array<__fdb_entry, 256> some{};
    // Whole entries, as many as fit.
    while (fd) {
        const ssize_t got = read(fd.get(), some.data(), sizeof some);
        if (got <= 0)
            break;
        all.insert(all.end(), some.begin(),
                   some.begin() + got / static_cast<ssize_t>(sizeof some[0]));
    }
    return all;
}

// Linux's ageing timer in this file is in hundredths of a second.
constexpr unsigned lately = 30 * 100;

void find_nested(HostFacts& host) {
    for (const auto& [module, feature] : {std::pair("kvm_intel", "vmx"), {"kvm_amd", "svm"}}) {
        const std::string value =
            first_word(std::string("/sys/module/") + module + "/parameters/nested");
        if (value.empty())
            continue;
        host.nested_feature = feature;
        host.nested_enabled = value == "Y" || value == "1";
    }
}

void find_devices(const VmSpec& spec, HostFacts& host) {
    std::vector<std::string> paths;
    for (const Disk& disk : spec.disks)
        paths.push_back(disk.path.str());
    for (const HostPath& cdrom : spec.cdroms)
        paths.push_back(cdrom.str());
    for (const std::string& path : paths) {
        if (is_block_device(path))
            host.devices.block_devices.insert(path);
        if (is_cd_drive(path))
            host.devices.cd_drives.insert(path);
    }
}

}  // namespace

HostFacts host_facts(const VmSpec& spec, const std::string& helper) {
    HostFacts host;
    host.qemu = find_qemu();
    if (spec.accelerator != Accelerator::tcg)
        host.why_not_kvm = why_not_kvm(host.qemu, spec.cpu ? spec.cpu->str() : "host");
    if (spec.accelerator == Accelerator::kvm && !host.why_not_kvm.empty())
        throw LauncherError("accel=kvm: " + host.why_not_kvm +
                            "; with accel=auto it runs without KVM, more slowly");
    host.accelerator = host.why_not_kvm.empty() ? Accelerator::kvm : Accelerator::tcg;
    host.owner = {machine_id(), getuid()};
    host.state_directory = vm_directory(spec.name);
    host.helper = helper_path(helper);
    find_nested(host);
    find_devices(spec, host);
    if (spec.firmware != Firmware::bios)
        host.uefi = find_uefi(spec, firmware_directories());
    for (const Net& net : spec.nets) {
        const auto* const bridged = std::get_if<BridgeNet>(&net.link);
        if (bridged == nullptr)
            continue;
        // What virtio can tell a guest; a bridge that is not there has none to tell.
        if (const auto mtu = parse_whole<unsigned>(
                first_word("/sys/class/net/" + bridged->bridge.str() + "/mtu"), 68, 65535))
            host.bridge_mtus.emplace(bridged->bridge.str(), *mtu);
    }
    return host;
}

bool has_vhost() {
    return open_vhost(1).why_not.empty();
}

std::string user_of_mac(const InterfaceName& bridge, const MacAddress& mac) {
    const std::string directory = "/sys/class/net/" + bridge.str() + "/brif";
    std::map<unsigned, std::string> ports;
    for (const std::filesystem::path& entry : entries_of(directory)) {
        const std::string port = entry.filename().string();
        // Before its guest has sent anything: as the helper makes it of the guest's. A plain tap,
        // or the outer end of a contained one.
        if (first_word("/sys/class/net/" + port + "/address") == mac.host_side().str() &&
            port.starts_with("tap"))
            return "the tap " + shown(port);
        ports[static_cast<unsigned>(
            std::strtoul(first_word((entry / "port_no").string()).c_str(), nullptr, 0))] = port;
    }
    for (const __fdb_entry& entry : forwarding_entries(bridge)) {
        if (entry.is_local != 0 || entry.ageing_timer_value > lately ||
            !std::equal(mac.bytes().begin(), mac.bytes().end(), entry.mac_addr))
            continue;
        const unsigned port = entry.port_no | static_cast<unsigned>(entry.port_hi) << 8;
        return "a station behind the port " + shown(ports[port]);
    }
    return {};
}

VmFds planned_fds(const VmSpec& spec, bool vhost) {
    VmFds all;
    int next = STDERR_FILENO + 1;
    for (const Net& net : spec.nets) {
        const auto* const bridged = std::get_if<BridgeNet>(&net.link);
        if (bridged == nullptr)
            continue;
        NetFds fds;
        for (unsigned queue = 0; queue < bridged->queues; queue++)
            fds.taps.push_back(next++);
        for (unsigned queue = 0; vhost && queue < bridged->queues; queue++)
            fds.vhosts.push_back(next++);
        all.push_back(std::move(fds));
    }
    return all;
}

}  // namespace tapgate
