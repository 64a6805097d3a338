// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/attach.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/network/helper_client.h"
#include "launcher/qemu/control.h"
#include "launcher/qemu/hotplug.h"
#include "launcher/qemu/medium.h"
#include "launcher/run/host.h"
#include "launcher/run/prepare_files.h"
#include "launcher/run/process.h"
#include "launcher/vm/change.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/identity.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

constexpr std::string_view first_cdrom = "cdrom0";

// The first number from `least` on after all that devices have: 3 with "disk" and "disk2".
unsigned free_index(const std::set<std::string>& devices, const std::string& kind, size_t least) {
    auto index = static_cast<unsigned>(least);
    while (devices.contains(kind + std::to_string(index)))
        index++;
    return index;
}

// What was removed meanwhile is still the same by its name.
bool is_same_image(const std::string& one, const std::string& other) {
    return one == other || is_same_file(one, other);
}

RunRecord required_record(const VmName& name) {
    auto record = read_run_record(name);
    if (!record)
        throw LauncherError(name.str() + " has no record of its start");
    return std::move(*record);
}

// The change of the VM's file that adds `value` to `key`, if --save asks for that and the file does
// not have the image already (because it was detached without --save).
std::optional<FileChange> added(const VmName& name, const Setting& setting, const std::string& more,
                                const std::string& image, bool save) {
    if (!save)
        return std::nullopt;
    std::vector<std::string> words;
    const VmDescription file = load_vm_file(name);
    for (const Disk& disk : file.spec.disks)
        if (is_same_image(disk.path.str(), image))
            return std::nullopt;
    // A list in the file replaces the default, and `none`.
    const bool adds = setting.key != "net" || !file.spec.nets.empty();
    for (const Setting& old : file.settings)
        if (adds && old.key == setting.key && old.source == Setting::Source::built_in)
            words.push_back(old.key + "+=" + old.value);
    words.push_back(setting.key + (adds ? "+=" : "=") + setting.value + more);
    return FileChange(
        name, [&](std::string_view text) { return changed_text(text, words, setting.directory); });
}

template <typename Change, typename TakeBack>
void change_or_take_back(const Change& change, const TakeBack& take_back) {
    try {
        change();
    } catch (...) {
        take_back();
        throw;
    }
}

// Changes both the VM and its file, or neither. The file comes first: it can be restored, while a
// device only goes when the guest lets go of it.
template <typename Change>
void change_with_file(const std::optional<FileChange>& file, const Change& change) {
    if (file)
        file->write();
    change_or_take_back(change, [&] {
        if (file)
            file->take_back();
    });
}

class Attaching {
  public:
    Attaching(const VmSpec& running, VmSpec wanted, const Setting& setting,
              const AttachOptions& options)
        : running_(running),
          name_(running.name),
          wanted_(std::move(wanted)),
          setting_(setting),
          options_(options),
          plug_(name_) {}

    std::string disk() {
        const Disk& disk = wanted_.disks.at(0);
        if (running_.snapshot && !disk.read_only)
            throw LauncherError(name_.str() +
                                " was started with snapshot=on, which a disk that comes later does "
                                "not have; readonly=on goes");
        refuse_attached(disk.path.str(), !disk.read_only);
        for (const std::string& one : check_drives(wanted_))
            note(one);
        const auto change = added(name_, setting_, "", disk.path.str(), options_.save);
        std::string id =
            "disk" + std::to_string(free_index(plug_.devices(), "disk", running_.disks.size()));
        const HostFacts host = host_facts(wanted_, options_.helper);
        const HeldSignals signals;
        change_with_file(change, [&] { plug_.plug_disk(disk, id, host.devices); });
        return id;
    }

    std::string nic() {
        const HostFacts host = host_facts(wanted_, options_.helper);
        Net net = wanted_.nets.at(0);
        const RunRecord record = required_record(name_);
        const unsigned index = free_index(plug_.devices(), "nic", running_.nets.size());
        const MacAddress mac = net.mac.value_or(stable_mac(host.owner, name_, index));
        for (const RunNet& other : record.nets)
            if (other.mac == mac.str())
                throw LauncherError(shown(other.id) + " of " + name_.str() + " has the address " +
                                    mac.str() + " already");
        // With its MAC address, so that it has the same at the next start, whatever its number is
        // then.
        const auto change =
            added(name_, setting_, net.mac ? "" : ",mac=" + mac.str(), "", options_.save);
        RunNet recorded{"", mac.str(), "", "nic" + std::to_string(index)};
        // Until the device is in the record, the work is unfinished.
        const HeldSignals signals;
        const Link link = open_link(net, mac, host.helper);
        if (const auto* const bridged = std::get_if<BridgeNet>(&net.link)) {
            recorded.bridge = bridged->bridge.str();
            recorded.tap = tap_name(link.taps.at(0).get());
        }
        const auto found = host.bridge_mtus.find(recorded.bridge);
        const auto mtu =
            found == host.bridge_mtus.end() ? std::nullopt : std::optional(found->second);
        RunRecord with_it = record;
        with_it.nets.push_back(recorded);
        change_with_file(change, [&] {
            write_run_record(name_, with_it);
            change_or_take_back(
                [&] { plug_.plug_nic(net, index, mac, mtu, link.taps, link.vhost.fds); },
                [&] { write_run_record(name_, record); });
        });
        return recorded.id;
    }

  private:
    // What an adapter has open; nothing behind QEMU's NAT.
    struct Link {
        std::vector<UniqueFd> taps;
        VhostQueues vhost;
    };

    // Where the bridge cannot be had, `net` becomes what it falls back to.
    [[nodiscard]] Link open_link(Net& net, const MacAddress& mac, const std::string& helper) const {
        const auto* const bridged = std::get_if<BridgeNet>(&net.link);
        if (bridged == nullptr)
            return {};
        try {
            return {.taps = adapter_taps(name_, *bridged, mac, !net.mac, helper),
                    .vhost = open_vhost(bridged->queues)};
        } catch (const LauncherError& error) {
            auto other = fallen_back(net);
            if (!other)
                throw;
            note("net: QEMU's own NAT in the place of " + bridged->bridge.str() + ": " +
                 error.what());
            net = std::move(*other);
            return {};
        }
    }

    // Several may read the same image, except for the CD in the drive.
    void refuse_attached(const std::string& path, bool writes) {
        for (const PluggedImage& image : plug_.images())
            if (is_same_image(image.path, path) && (writes || !image.read_only))
                throw LauncherError(shown(path) + " is " + image.device + " of " + name_.str() +
                                    " already");
    }

    const VmSpec& running_;
    const VmName& name_;
    VmSpec wanted_;
    const Setting& setting_;
    const AttachOptions& options_;
    Hotplug plug_;
};

// For --save, when the device has no line of its own in the VM's file.
[[noreturn]] void not_in_file(const VmName& name, const std::string& id) {
    throw LauncherError(id + " is not in the VM file of " + name.str() +
                        ", so there is nothing to save: leave --save out");
}

// The position of the device in the VM's file among those of its kind.
size_t index_in_file(const VmName& name, const std::string& id, const std::string& path,
                     const std::vector<RunNet>& nets) {
    const VmSpec spec = load_vm_file(name).spec;
    if (!path.empty()) {
        for (size_t i = 0; i < spec.disks.size(); i++)
            if (is_same_image(spec.disks[i].path.str(), path))
                return i;
        not_in_file(name, id);
    }
    const auto net =
        std::find_if(nets.begin(), nets.end(), [&](const RunNet& one) { return one.id == id; });
    for (size_t i = 0; i < spec.nets.size() && net != nets.end(); i++) {
        const MacAddress mac =
            spec.nets[i].mac.value_or(stable_mac(vm_owner(), name, static_cast<unsigned>(i)));
        if (mac.str() == net->mac)
            return i;
    }
    not_in_file(name, id);
}

std::string list_of(const std::vector<PluggedImage>& images, const std::vector<RunNet>& nets) {
    std::string text;
    const auto add = [&](const std::string& id, const std::string& what) {
        text += (text.empty() ? "" : ", ") + shown(id) + " (" + shown(what) + ")";
    };
    std::string before;
    for (const PluggedImage& image : images)  // what a disk's image stands on comes behind it
        if (std::exchange(before, image.device) != image.device)
            add(image.device, image.path);
    for (const RunNet& net : nets)
        add(net.id, net.bridge.empty() ? "user" : net.bridge);
    return text.empty() ? "neither disks nor adapters" : text;
}

std::string attach_cd(const VmName& name, const std::string& path, const Setting& setting,
                      const AttachOptions& options) {
    {
        Hotplug plug(name);
        for (const PluggedImage& image : plug.images())
            if (is_same_image(image.path, path))
                throw LauncherError(shown(path) + " is " + image.device + " of " + name.str() +
                                    " already");
    }
    std::optional<FileChange> change;
    if (options.save)
        change.emplace(name, [&](std::string_view text) {
            return with_value(text, "cdrom", 0, setting.value, setting.directory);
        });
    const HeldSignals signals;
    change_with_file(change, [&] { insert_medium(name, path, options.force); });
    return std::string(first_cdrom);
}

bool is_device(const std::string& word, std::string_view kind) {
    return word.starts_with(kind) &&
           parse_whole<unsigned>(std::string_view(word).substr(kind.size()), 0).has_value();
}

// The change of the VM's file that removes the line of the device.
FileChange without_line(const VmName& name, const std::string& key, size_t index) {
    // Without any line, the key would have its default, which may be an adapter.
    const bool last = key == "net" && load_vm_file(name).spec.nets.size() == 1;
    return {name, [&](std::string_view text) {
                return with_value(text, key, index, last ? "none" : "", "/");
            }};
}

void detach_cd(const VmName& name, const DetachOptions& options) {
    std::optional<FileChange> change;
    if (options.save)
        change.emplace(without_line(name, "cdrom", 0));
    const HeldSignals signals;
    change_with_file(change, [&] { take_medium(name, options.force); });
}

// A disk or an adapter.
struct Device {
    std::string id;
    std::string path;  // of a disk's image, if it has one
    bool is_disk = false;
};

// The device that the user calls `word`, by its id or its image. Throws when there is none.
Device required_device(const VmName& name, Hotplug& plug, const std::vector<RunNet>& nets,
                       const std::string& word) {
    Device device{.id = word, .path = {}};
    const std::vector<PluggedImage> images = plug.images();
    for (const PluggedImage& image : images) {
        if (is_device(image.device, "disk") &&
            (image.device == word || is_same_image(image.path, word))) {
            device.id = image.device;
            device.path = image.path;
        }
    }
    device.is_disk = is_device(device.id, "disk") && plug.has_part_of(device.id);
    const bool is_nic = std::any_of(nets.begin(), nets.end(),
                                    [&](const RunNet& net) { return net.id == device.id; });
    if (!device.is_disk && !is_nic)
        throw LauncherError(name.str() + " has no " + quoted_word(word) + "; it has " +
                            list_of(images, nets));
    return device;
}

void detach_part(const VmName& name, const std::string& word, const DetachOptions& options) {
    Hotplug plug(name);
    RunRecord record = required_record(name);
    const Device device = required_device(name, plug, record.nets, word);
    std::optional<FileChange> change;
    if (options.save)
        change.emplace(without_line(name, device.is_disk ? "disk" : "net",
                                    index_in_file(name, device.id, device.path, record.nets)));
    // The guest has let go of it, and it is gone.
    if (change)
        change->rehearse();
    plug.unplug(device.id, options.limit);
    if (!device.is_disk) {
        std::erase_if(record.nets, [&](const RunNet& net) { return net.id == device.id; });
        write_run_record(name, record);
    }
    if (change)
        change->write();
}

}  // namespace

std::string attach_device(const VmSpec& running, const Setting& setting,
                          const AttachOptions& options) {
    VmSpec wanted = describe_vm(running.name, {setting}).spec;
    // KVM is neither asked for nor needed: the VM runs already.
    wanted.accelerator = Accelerator::tcg;
    wanted.firmware = Firmware::bios;
    try {
        if (setting.key == "cdrom") {
            check_drives(wanted);
            return attach_cd(running.name, wanted.cdroms.at(0).str(), setting, options);
        }
        if (setting.key == "net" && wanted.nets.empty())
            throw UsageError("net=" + setting.value + " is no adapter");
        Attaching attaching(running, std::move(wanted), setting, options);
        return setting.key == "disk" ? attaching.disk() : attaching.nic();
    } catch (const QmpError& error) {
        throw qmp_failure(running.name, error);
    }
}

void detach_device(const VmName& name, const std::string& word, const DetachOptions& options) {
    try {
        if (word == "cdrom" || word == first_cdrom)
            detach_cd(name, options);
        else
            detach_part(name, word, options);
    } catch (const QmpError& error) {
        throw qmp_failure(name, error);
    }
}

}  // namespace tapgate
