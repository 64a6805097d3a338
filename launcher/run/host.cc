// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/host.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "launcher/base/batch_job.h"
#include "launcher/base/block_device.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/memory.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/network/helper_client.h"
#include "launcher/qemu/firmware.h"
#include "launcher/qemu/probe.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// The id by which this user's VMs differ from those on other hosts. Where the host has none (a
// container, an image before its first boot), the user gets one.
std::string machine_id() {
    // The cluster's before the host's, so that a VM is the same on each node.
    if (std::string id = first_word("/etc/tapgate/machine-id"); !id.empty())
        return id;
    if (std::string id = first_word("/etc/machine-id"); !id.empty() && id != "uninitialized")
        return id;
    const std::string path = config_directory() + "/machine-id";
    if (std::string id = first_word(path); !id.empty())
        return id;
    try {
        write_new_file(path, first_word("/proc/sys/kernel/random/uuid") + "\n", "");
    } catch (const LauncherError& error) {
        // An empty text means that another tapgate was first.
        if (*error.what() != '\0')
            throw;
    }
    return first_word(path);
}

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

// QEMU goes on translating up to 1 GiB, however small the guest is, so twenty small guests would
// need twenty times that. And in a job, the kernel kills QEMU when it uses more than the job's
// memory.
std::optional<std::uint64_t> room_for_translated_code(const VmSpec& spec) {
    const std::uint64_t limit = batch_job() ? memory().limit : 0;
    if (limit == 0) {
        const std::uint64_t room = std::max(spec.memory.mebibytes(), translated_code);
        return room < most_translated_code ? std::optional(room) : std::nullopt;
    }
    const std::uint64_t others = spec.memory.mebibytes() + memory_beside_guest(spec.memory);
    return std::clamp(limit - std::min(limit, others), least_translated_code, most_translated_code);
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
    if (spec.accelerator.value_or(host.accelerator) == Accelerator::tcg)
        host.translated_code = room_for_translated_code(spec);
    host.owner = vm_owner();
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
        // The MTU that virtio can tell a guest; a bridge that does not exist has none.
        if (const auto mtu = parse_whole<unsigned>(
                first_word("/sys/class/net/" + bridged->bridge.str() + "/mtu"), 68, 65535))
            host.bridge_mtus.emplace(bridged->bridge.str(), *mtu);
    }
    return host;
}

bool has_vhost() {
    return open_vhost(1).why_not.empty();
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

Owner vm_owner() {
    return {machine_id(), getuid()};
}

}  // namespace tapgate
