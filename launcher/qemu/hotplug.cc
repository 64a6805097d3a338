// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/hotplug.h"

#include <algorithm>
#include <string_view>
#include <thread>

#include "launcher/base/error.h"
#include "launcher/qemu/argv_nets.h"
#include "launcher/qemu/control.h"

namespace tapgate {

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// The path at which QEMU has the devices with an id.
constexpr std::string_view named_devices = "/machine/peripheral/";

// For a moment, QEMU still holds what a guest has let go of.
constexpr std::chrono::milliseconds release_limit{5000};
constexpr std::chrono::milliseconds release_pause{50};

std::string string_in(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// QMP takes an object in any order.
json unordered(const ArgvJson& value) {
    return json::parse(value.dump());
}

std::string netdev_of(const std::string& nic) {
    return "net" + nic.substr(std::string_view("nic").size());
}

bool is_nic(const std::string& id) {
    return id.starts_with("nic");
}

}  // namespace

Hotplug::Hotplug(const VmName& name)
    : vm_(name.str()), qmp_(QmpClient::connect(qmp_path(name), qmp_limit)) {}

json Hotplug::command(const std::string& command, const json& arguments) {
    return qmp_command(qmp_, command, arguments);
}

// What it undoes may not exist, and an error is being reported already: so it ignores failures.
void Hotplug::undo(const std::string& command, const json& arguments) noexcept {
    try {
        qmp_.execute(command, arguments, qmp_limit);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    }
}

std::set<std::string> Hotplug::devices() {
    std::set<std::string> names;
    for (const json& one : command("qom-list", {{"path", "/machine/peripheral"}})) {
        if (string_in(one, "type").starts_with("child<"))
            names.insert(string_in(one, "name"));
    }
    return names;
}

std::vector<PluggedImage> Hotplug::images() {
    std::vector<PluggedImage> images;
    for (const json& one : command("query-block")) {
        std::string device = string_in(one, "qdev");
        if (device.starts_with(named_devices))
            device.erase(0, named_devices.size());
        device = device.substr(0, device.find('/'));
        const auto inserted = one.find("inserted");
        if (device.empty() || inserted == one.end() || !inserted->is_object())
            continue;
        // With snapshot=on, what the guest writes is in an unnamed file above the disk's.
        const std::string backing = string_in(*inserted, "backing_file");
        const std::string file = string_in(*inserted, "file");
        images.push_back({device, file, inserted->value("ro", false)});
        if (!backing.empty())
            images.push_back({device, backing, true});
    }
    return images;
}

// On a q35 a root port must be free; a pc's bus takes any device.
void Hotplug::place(ArgvJson& device) {
    const std::set<std::string> there = devices();
    if (!there.contains("port0"))
        return;
    unsigned ports = 0;
    for (const std::string& id : there) {
        if (!id.starts_with("spare"))
            continue;
        ports++;
        bool is_free = true;
        for (const json& one :
             command("qom-list", {{"path", std::string(named_devices) + id + "/" + id}}))
            is_free = is_free && !string_in(one, "name").starts_with("child[");
        if (is_free) {
            device["bus"] = id;
            return;
        }
    }
    throw LauncherError(
        ports == 0
            ? vm_ + " was started by a tapgate that kept no place free; after tapgate restart " +
                  vm_ + " there are some"
            : "all " + std::to_string(ports) + " free places of " + vm_ +
                  " are taken; take something out with tapgate detach, or give it to the VM's file "
                  "with tapgate set, and restart it");
}

void Hotplug::plug_disk(const Disk& disk, const std::string& id, const HostDevices& host) {
    ArgvJson device;
    if (disk.bus == DiskBus::virtio) {
        device = {{"driver", "virtio-blk-pci"}};
        place(device);
    } else if (disk.bus == DiskBus::scsi) {
        if (!devices().contains("scsi0"))
            throw LauncherError(vm_ +
                                " was started without a SCSI controller, which it has when one of "
                                "its disks is on bus=scsi; bus=virtio goes without");
        device = {{"driver", "scsi-hd"}, {"bus", "scsi0.0"}};
    } else {
        throw LauncherError("a disk on " + std::string(disk.bus == DiskBus::sata ? "sata" : "ide") +
                            " cannot be plugged in while " + vm_ +
                            " runs; bus=virtio and bus=scsi can");
    }
    complete_disk_device(device, disk, id);
    const DiskNodes nodes = disk_nodes(disk, id + "-image", host);
    const std::string image = id + "-image";
    const std::string file = image + "-file";
    try {
        command("blockdev-add", unordered(nodes.file));
        command("blockdev-add", unordered(nodes.image));
        command("device_add", unordered(device));
    } catch (const std::exception&) {
        undo("blockdev-del", {{"node-name", image}});
        undo("blockdev-del", {{"node-name", file}});
        throw;
    }
}

void Hotplug::plug_nic(const Net& net, unsigned index, const MacAddress& mac,
                       std::optional<unsigned> mtu, const std::vector<UniqueFd>& taps,
                       const std::vector<UniqueFd>& vhosts) {
    const std::string number = std::to_string(index);
    const std::string id = "nic" + number;
    const std::string netdev = netdev_of(id);
    ArgvJson device = net_device(net, id, netdev, mac, mtu);
    place(device);
    // Names of descriptors must begin with a letter: QEMU would take a digit for one of its own.
    TapWords words;
    const auto give = [&](const UniqueFd& fd, const char* kind, std::vector<std::string>& names) {
        const std::string name = netdev + "-" + kind + std::to_string(names.size());
        names.push_back(name);
        const QmpAnswer answer = qmp_.execute_with_fd("getfd", {{"fdname", name}}, fd.get());
        if (!answer.ok())
            throw LauncherError("QEMU does not take the descriptor of the tap: " + answer.error);
    };
    try {
        for (const UniqueFd& tap : taps)
            give(tap, "tap", words.taps);
        for (const UniqueFd& vhost : vhosts)
            give(vhost, "vhost", words.vhosts);
        const auto* const user = std::get_if<UserNet>(&net.link);
        command("netdev_add", unordered(user != nullptr ? user_netdev(netdev, *user)
                                                        : tap_netdev(netdev, words)));
        command("device_add", unordered(device));
    } catch (const std::exception&) {
        undo("netdev_del", {{"id", netdev}});
        for (const auto& names : {words.taps, words.vhosts})
            for (const std::string& name : names)
                undo("closefd", {{"fdname", name}});
        throw;
    }
}

std::vector<std::string> Hotplug::nodes_of(const std::string& id) {
    std::set<std::string> there;
    for (const json& node : command("query-named-block-nodes", {{"flat", true}}))
        there.insert(string_in(node, "node-name"));
    std::vector<std::string> nodes;
    for (const char* const suffix : {"-image", "-image-file"})
        if (there.contains(id + suffix))
            nodes.push_back(id + suffix);
    return nodes;
}

bool Hotplug::has_part_of(const std::string& id) {
    return devices().contains(id) || !nodes_of(id).empty();
}

void Hotplug::wait_until_gone(const std::string& id, std::chrono::milliseconds limit) {
    const auto deadline = Clock::now() + limit;
    const QmpAnswer answer = qmp_.execute("device_del", {{"id", id}}, qmp_limit);
    // If it was asked already, or the guest lets go right now, only wait.
    if (!answer.ok() && answer.error.find("already in the process") == std::string::npos &&
        answer.error_class != "DeviceNotFound")
        throw LauncherError("QEMU refuses device_del: " + answer.error);
    while (devices().contains(id)) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        const auto event = left.count() > 0
                               ? qmp_.next_event(std::min(left, std::chrono::milliseconds(1000)))
                               : std::nullopt;
        if (event && (*event)["event"] == "DEVICE_UNPLUG_GUEST_ERROR" &&
            string_in(event->value("data", json::object()), "device") == id)
            throw LauncherError("the guest of " + vm_ + " refuses to give " + id + " away");
        if (left.count() <= 0)
            throw LauncherError(
                "the guest of " + vm_ + " has not let go of " + id + " within " +
                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(limit).count()) +
                " s: it has to run, past its boot, and to know of unplugging. It was asked, and "
                "may "
                "still do so; then, or to wait longer: tapgate detach " +
                vm_ + " " + id + " --timeout=SECONDS");
    }
}

void Hotplug::remove_node(const std::string& node) {
    for (const auto deadline = Clock::now() + release_limit;;) {
        const QmpAnswer answer = qmp_.execute("blockdev-del", {{"node-name", node}}, qmp_limit);
        if (answer.ok())
            return;
        if (Clock::now() >= deadline)
            throw LauncherError("QEMU keeps the image " + node + ": " + answer.error);
        std::this_thread::sleep_for(release_pause);
    }
}

void Hotplug::unplug(const std::string& id, std::chrono::milliseconds limit) {
    if (devices().contains(id))
        wait_until_gone(id, limit);
    // From here on: the guest does not have the device any more.
    for (const std::string& node : nodes_of(id))
        remove_node(node);
    if (!is_nic(id))
        return;
    const QmpAnswer answer = qmp_.execute("netdev_del", {{"id", netdev_of(id)}}, qmp_limit);
    // An earlier call may have removed it already.
    if (!answer.ok() && answer.error_class != "DeviceNotFound")
        throw LauncherError("QEMU refuses netdev_del: " + answer.error);
}

}  // namespace tapgate
