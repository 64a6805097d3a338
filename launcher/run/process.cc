// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <ctime>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/network/helper_client.h"
#include "launcher/network/host_network.h"
#include "launcher/network/mac_user.h"
#include "launcher/qemu/argv.h"
#include "launcher/run/console_log.h"
#include "launcher/run/prepare_files.h"

namespace tapgate {

namespace {

// The systemd unit that this process is in, if it is the one that `tapgate start` makes.
std::string own_unit(const VmName& name) {
    const std::string unit = "tapgate-" + name.str() + ".scope";
    // There is a line for each hierarchy, of which there can be several.
    const auto groups = read_file("/proc/self/cgroup");
    return groups && groups->find("/" + unit + "\n") != std::string::npos ? unit : "";
}

MacAddress mac_of(const VmSpec& spec, size_t index, const HostFacts& host) {
    return spec.nets[index].mac.value_or(
        stable_mac(host.owner, spec.name, static_cast<unsigned>(index)));
}

// The record, without the names of taps and the words of the command line.
RunRecord record_of_start(const VmSpec& spec, const HostFacts& host) {
    RunRecord record;
    record.supervisor = getpid();
    record.started = std::time(nullptr);
    record.qemu = host.qemu;
    const Accelerator accelerator = spec.accelerator.value_or(host.accelerator);
    record.accelerator = accelerator == Accelerator::kvm ? "kvm" : "tcg";
    record.unit = own_unit(spec.name);
    for (size_t i = 0; i < spec.nets.size(); i++) {
        const auto* const bridged = std::get_if<BridgeNet>(&spec.nets[i].link);
        record.nets.push_back({.bridge = bridged == nullptr ? "" : bridged->bridge.str(),
                               .mac = mac_of(spec, i, host).str(),
                               .tap = {},
                               .id = "nic" + std::to_string(i)});
    }
    return record;
}

// The descriptors of vhost-net, one for each queue on a bridge, or none.
std::vector<UniqueFd> vhosts_for(const VmSpec& spec, std::vector<std::string>& notes) {
    unsigned queues = 0;
    for (const Net& net : spec.nets) {
        if (const auto* const bridged = std::get_if<BridgeNet>(&net.link))
            queues += bridged->queues;
    }
    if (queues == 0)
        return {};
    VhostQueues vhost = open_vhost(queues);
    if (!vhost.why_not.empty())
        notes.push_back("without vhost, so with a slower network: " + vhost.why_not);
    return std::move(vhost.fds);
}

// Gets the taps of the adapters on bridges, and vhost for them, in the order of planned_fds(). An
// adapter whose bridge is not available becomes its fallback. Returns whether there is vhost.
bool open_adapters(VmSpec& spec, const HostFacts& host, PreparedVm& vm) {
    std::vector<UniqueFd> vhosts = vhosts_for(spec, vm.notes);
    auto next_vhost = std::make_move_iterator(vhosts.begin());
    for (size_t i = 0; i < spec.nets.size(); i++) {
        Net& net = spec.nets[i];
        const auto* const bridged = std::get_if<BridgeNet>(&net.link);
        if (bridged == nullptr)
            continue;
        RunNet& recorded = vm.record.nets[i];
        try {
            for (UniqueFd& tap :
                 adapter_taps(spec.name, *bridged, mac_of(spec, i, host), !net.mac, host.helper))
                vm.fds.push_back(std::move(tap));
        } catch (const LauncherError& error) {
            auto other = fallen_back(net);
            if (!other)
                throw;
            vm.notes.push_back("net: QEMU's own NAT in the place of " + recorded.bridge + ": " +
                               error.what());
            net = std::move(*other);
            recorded.bridge.clear();
            continue;
        }
        recorded.tap = tap_name(vm.fds.back().get());
        for (unsigned queue = 0; !vhosts.empty() && queue < bridged->queues; queue++)
            vm.fds.push_back(*next_vhost++);
    }
    return !vhosts.empty();
}

}  // namespace

std::vector<UniqueFd> adapter_taps(const VmName& vm, const BridgeNet& net, const MacAddress& mac,
                                   bool own_mac, const std::string& helper) {
    require_free_mac(net.bridge, mac, own_mac,
                     {.network = host_network,
                      .vm_elsewhere = [&] { return host_of_running(vm); },
                      .sleep = [](auto time) { std::this_thread::sleep_for(time); },
                      .tell = note});
    return request_taps(
        helper,
        {.bridge = net.bridge, .queues = net.queues, .vnet_header = true, .mac = mac, .vm = vm});
}

PreparedVm prepare_vm(VmSpec spec, const HostFacts& host, bool plain_bridge) {
    PreparedVm vm;
    vm.notes = prepare_files(spec, host);
    vm.record = record_of_start(spec, host);
    if (geteuid() == 0)
        vm.notes.emplace_back(
            "QEMU runs as root, and so does whatever breaks out of the guest; as a user of the "
            "host it is as good, and safer");
    if (!host.why_not_kvm.empty())
        vm.notes.push_back("without KVM, so more slowly: " + host.why_not_kvm);
    std::optional<VmFds> fds;
    if (!plain_bridge) {
        const bool vhost = open_adapters(spec, host, vm);
        fds = planned_fds(spec, vhost);
    }
    vm.argv = qemu_argv(spec, host, fds);
    return vm;
}

std::unique_ptr<ChildProcess> start_qemu(const VmName& name, const PreparedVm& vm) {
    write_run_record(name, vm.record);
    remove_console_log(name);
    const std::string path = qemu_log_path(name);
    const UniqueFd log(
        open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!log)
        fail_with_errno(shown(path));
    Launch launch{.program = vm.record.qemu,
                  .argv = vm.argv,
                  .inherited = {},
                  .output = log.get(),
                  .deaf = true};
    for (const UniqueFd& fd : vm.fds)
        launch.inherited.push_back(fd.get());
    return std::make_unique<ChildProcess>(launch);
}

std::string qemu_log_path(const VmName& name) {
    return vm_directory(name) + "/qemu.log";
}

std::string qemu_words(const VmName& name) {
    return end_of_file(qemu_log_path(name));
}

}  // namespace tapgate
