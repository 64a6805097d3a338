// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/host.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <system_error>
#include <utility>

#include "common/unique_fd.h"
#include "launcher/files.h"
#include "launcher/firmware.h"
#include "launcher/vm_state.h"

namespace tapgate {

namespace {

bool can_open(const char* path) {
    return static_cast<bool>(UniqueFd(open(path, O_RDWR | O_CLOEXEC)));
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

}  // namespace

HostFacts host_facts(const VmSpec& spec) {
    HostFacts host;
    host.accelerator = can_open("/dev/kvm") ? Accelerator::kvm : Accelerator::tcg;
    host.owner = {first_word("/etc/machine-id"), getuid()};
    host.state_directory = vm_directory(spec.name);
    host.helper = TAPGATE_HELPER_PATH;
    find_nested(host);
    if (spec.firmware != Firmware::bios)
        host.uefi = find_uefi(spec, firmware_directories());
    for (const Net& net : spec.nets) {
        const auto* const bridged = std::get_if<BridgeNet>(&net.link);
        if (bridged == nullptr)
            continue;
        const std::string text = first_word("/sys/class/net/" + bridged->bridge.str() + "/mtu");
        unsigned mtu = 0;
        std::from_chars(text.data(), text.data() + text.size(), mtu);
        // What virtio can tell a guest; a bridge that is not there has none to tell.
        if (mtu >= 68 && mtu <= 65535)
            host.bridge_mtus.emplace(bridged->bridge.str(), mtu);
    }
    return host;
}

VmFds planned_fds(const VmSpec& spec) {
    const bool vhost = can_open("/dev/vhost-net");
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
