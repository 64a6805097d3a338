// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/argv.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// Ordered: the same VM gives the same text, with what matters first.
using Json = nlohmann::ordered_json;

// Of a sockaddr_un's path, without its NUL.
constexpr size_t longest_socket_path = 107;

std::string on_off(bool value) {
    return value ? "on" : "off";
}

std::string_view driver_of(NetModel model) {
    switch (model) {
        case NetModel::virtio:
            return "virtio-net-pci";
        case NetModel::e1000:
            return "e1000";
        case NetModel::e1000e:
            return "e1000e";
        case NetModel::rtl8139:
            return "rtl8139";
    }
    throw std::logic_error("a network adapter without a driver");
}

// "3:4:5", as fds= has them.
std::string fd_list(const std::vector<int>& fds) {
    std::string text;
    for (const int fd : fds)
        text += (text.empty() ? "" : ":") + std::to_string(fd);
    return text;
}

struct CacheMode {
    bool write_cache;
    bool direct;
    bool no_flush;
};

CacheMode mode_of(DiskCache cache) {
    switch (cache) {
        case DiskCache::writeback:
            return {true, false, false};
        case DiskCache::writethrough:
            return {false, false, false};
        case DiskCache::none:
            return {true, true, false};
        case DiskCache::directsync:
            return {false, true, false};
        case DiskCache::unsafe:
            return {true, false, true};
    }
    throw std::logic_error("a cache mode without a meaning");
}

class Builder {
  public:
    Builder(const VmSpec& spec, const HostFacts& host, const std::optional<VmFds>& fds)
        : spec_(spec), host_(host), fds_(fds) {}

    std::vector<std::string> build() {
        argv_ = {host_.qemu};
        add_identity();
        add_machine();
        add_firmware();
        add_kernel();
        add_serial_devices();
        add_disks();
        add_cdroms();
        add_nets();
        add_display();
        add_device({{"driver", "virtio-rng-pci"}, {"id", "rng0"}});
        add_device({{"driver", "virtio-balloon-pci"},
                    {"id", "balloon0"},
                    {"free-page-reporting", true},
                    {"deflate-on-oom", true}});
        add_process();
        argv_.insert(argv_.end(), spec_.extra_arguments.begin(), spec_.extra_arguments.end());
        return std::move(argv_);
    }

  private:
    void add(std::string_view option, std::string value) {
        argv_.emplace_back(option);
        argv_.push_back(std::move(value));
    }
    void add_json(std::string_view option, const Json& value) { add(option, value.dump()); }

    // A PCI device: on q35 below a root port of its own (so that it can be unplugged), eight of
    // which share a slot, from slot 2 on: what a guest calls its adapters depends on the place.
    void add_device(Json device) {
        if (spec_.machine.is_q35()) {
            const unsigned function = ports_ % 8;
            const std::string id = "port" + std::to_string(ports_);
            Json port = {{"driver", "pcie-root-port"},
                         {"id", id},
                         {"bus", "pcie.0"},
                         {"chassis", ports_ + 1},
                         {"addr", pci_address(2 + ports_ / 8, function)}};
            if (function == 0)
                port["multifunction"] = true;
            add_json("-device", port);
            device["bus"] = id;
            ports_++;
        }
        add_json("-device", device);
    }

    static std::string pci_address(unsigned slot, unsigned function) {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string text = "0x";
        if (slot > 15)
            text += digits[slot / 16];
        text += digits[slot % 16];
        return text + "." + std::to_string(function);
    }

    [[nodiscard]] std::string state_file(std::string_view name) const {
        return host_.state_directory + "/" + std::string(name);
    }
    [[nodiscard]] std::string socket(std::string_view name) const {
        std::string path = state_file(name);
        if (path.size() > longest_socket_path)
            throw LauncherError("the socket's path is longer than " +
                                std::to_string(longest_socket_path) + " bytes: " + shown(path));
        return path;
    }

    // The device's place in the boot order, as `boot` says. What qemu-arg gives a bootindex= keeps
    // it, and ours go on with the next one: QEMU refuses two that are the same.
    void set_boot_index(Json& device, BootDevice kind, size_t index) const {
        unsigned place = 0;
        for (const BootEntry& entry : spec_.boot) {
            const size_t first = entry.index.value_or(0);
            const size_t end = entry.index ? first + 1 : count(entry.device);
            for (size_t i = first; i < end && i < count(entry.device); i++) {
                do {
                    place++;
                } while (is_taken(place));
                if (entry.device == kind && i == index) {
                    device["bootindex"] = place;
                    return;
                }
            }
        }
    }
    [[nodiscard]] bool is_taken(unsigned place) const {
        constexpr std::string_view key = "bootindex";
        const std::string number = std::to_string(place);
        return std::any_of(
            spec_.extra_arguments.begin(), spec_.extra_arguments.end(),
            [&](const std::string& argument) {
                for (size_t at = argument.find(key); at != std::string::npos;
                     at = argument.find(key, at + 1)) {
                    // `bootindex=1', and `bootindexA=1' of a floppy's controller.
                    const size_t equals = argument.find('=', at);
                    const std::string_view value = std::string_view(argument).substr(std::min(
                        argument.size(), equals == std::string::npos ? equals : equals + 1));
                    if (value.substr(0, value.find_first_not_of("0123456789")) == number)
                        return true;
                }
                return false;
            });
    }
    [[nodiscard]] size_t count(BootDevice kind) const {
        switch (kind) {
            case BootDevice::disk:
                return spec_.disks.size();
            case BootDevice::cdrom:
                return spec_.cdroms.size();
            case BootDevice::net:
                return spec_.nets.size();
        }
        return 0;
    }

    void add_identity() {
        add("-name", "guest=" + spec_.name.str() + ",debug-threads=on");
        add("-uuid", stable_uuid(host_.owner, spec_.name));
        argv_.insert(argv_.end(), {"-no-user-config", "-nodefaults"});
    }

    void add_machine() {
        const bool kvm = spec_.accelerator.value_or(host_.accelerator) == Accelerator::kvm;
        const CpuTopology& cpus = spec_.cpus;
        std::string machine =
            spec_.machine.str() + ",vmport=off,usb=off,dump-guest-core=off,hpet=off";
        if (host_.uefi)
            machine += std::string(host_.uefi->needs_smm ? ",smm=on" : "") +
                       ",pflash0=uefi-code,pflash1=uefi-variables";
        add("-machine", machine);
        add("-accel", kvm ? "kvm" : "tcg");
        std::string cpu = spec_.cpu ? spec_.cpu->str() : kvm ? "host" : "max";
        // TCG has a virtualization of its own, which nobody asked for.
        if (kvm && spec_.nested != Nested::as_the_host && !host_.nested_feature.empty())
            cpu += (spec_.nested == Nested::on ? ",+" : ",-") + host_.nested_feature;
        add("-cpu", cpu);
        add("-smp", "cpus=" + std::to_string(cpus.cpus()) + ",sockets=" +
                        std::to_string(cpus.sockets()) + ",cores=" + std::to_string(cpus.cores()) +
                        ",threads=" + std::to_string(cpus.threads()));
        add("-m", "size=" + std::to_string(spec_.memory.mebibytes()) + "M");
        add_json("-object", Json{{"qom-type", "iothread"}, {"id", "io0"}});
        add("-rtc", "base=utc,driftfix=slew");
        add("-global", "kvm-pit.lost_tick_policy=delay");
        // A suspended guest is one that nobody can wake.
        const std::string chipset = spec_.machine.is_q35() ? "ICH9-LPC" : "PIIX4_PM";
        add("-global", chipset + ".disable_s3=1");
        add("-global", chipset + ".disable_s4=1");
        add("-boot", "strict=on,menu=off");
    }

    void add_firmware() {
        if (!host_.uefi)
            return;
        add_flash("uefi-code", host_.uefi->code, true);
        add_flash("uefi-variables", {host_.uefi->variables, ImageFormat::qcow2}, false);
        // Only from SMM can a guest's kernel not change what Secure Boot trusts.
        if (host_.uefi->needs_smm)
            add("-global", "driver=cfi.pflash01,property=secure,value=on");
    }

    void add_flash(const std::string& node, const FirmwareFile& file, bool read_only) {
        add_json("-blockdev", Json{{"driver", "file"},
                                   {"node-name", node + "-file"},
                                   {"filename", file.path},
                                   {"read-only", read_only}});
        add_json("-blockdev", Json{{"driver", name_of(file.format)},
                                   {"node-name", node},
                                   {"file", node + "-file"},
                                   {"read-only", read_only}});
    }

    void add_kernel() {
        if (spec_.kernel)
            add("-kernel", spec_.kernel->str());
        if (spec_.initrd)
            add("-initrd", spec_.initrd->str());
        if (spec_.append)
            add("-append", *spec_.append);
    }

    // The serial console, QMP and the guest agent's channel.
    void add_serial_devices() {
        add("-chardev", "socket,id=console,path=" + commas_doubled(socket(vm_files::console)) +
                            ",server=on,wait=off,logfile=" +
                            commas_doubled(state_file("console.log")) + ",logappend=on");
        add_json("-device", Json{{"driver", "isa-serial"}, {"chardev", "console"}});
        add("-chardev",
            "socket,id=qmp,path=" + commas_doubled(socket(vm_files::qmp)) + ",server=on,wait=off");
        add("-mon", "chardev=qmp,mode=control");
        add_device({{"driver", "virtio-serial-pci"}, {"id", "serial0"}});
        add("-chardev", "socket,id=agent,path=" + commas_doubled(socket(vm_files::agent)) +
                            ",server=on,wait=off");
        add_json("-device", Json{{"driver", "virtserialport"},
                                 {"bus", "serial0.0"},
                                 {"chardev", "agent"},
                                 {"name", "org.qemu.guest_agent.0"}});
    }

    // The image below `node`. Not as -blockdev when what the guest writes is thrown away: only
    // -drive can do that.
    void add_image(const std::string& node, const Disk& disk) {
        const CacheMode mode = mode_of(disk.cache);
        const std::string_view format = name_of(disk.format);
        if (spec_.snapshot && !disk.read_only) {
            add("-drive", "if=none,id=" + node + ",snapshot=on,driver=" + std::string(format) +
                              ",file.driver=" + std::string(protocol_of(disk.path.str())) +
                              ",file.aio=threads,file.filename=" + commas_doubled(disk.path.str()) +
                              ",discard=" + (disk.discard ? "unmap" : "ignore"));
            return;
        }
        const std::string discard = disk.discard ? "unmap" : "ignore";
        const Json cache = {{"direct", mode.direct}, {"no-flush", mode.no_flush}};
        add_json("-blockdev", Json{{"driver", protocol_of(disk.path.str())},
                                   {"node-name", node + "-file"},
                                   {"filename", disk.path.str()},
                                   {"aio", "threads"},
                                   {"discard", discard},
                                   {"cache", cache},
                                   {"auto-read-only", true}});
        Json image = {{"driver", format},   {"node-name", node}, {"file", node + "-file"},
                      {"discard", discard}, {"cache", cache},    {"read-only", disk.read_only}};
        if (disk.discard && !disk.read_only)
            image["detect-zeroes"] = "unmap";
        add_json("-blockdev", image);
    }

    // Of what a disk's or a CD-ROM's bytes lie in.
    [[nodiscard]] std::string_view protocol_of(const std::string& path) const {
        return host_.cd_drives.contains(path)       ? "host_cdrom"
               : host_.block_devices.contains(path) ? "host_device"
                                                    : "file";
    }

    void add_disks() {
        const auto has_bus = [&](DiskBus bus) {
            return std::any_of(spec_.disks.begin(), spec_.disks.end(),
                               [&](const Disk& disk) { return disk.bus == bus; });
        };
        if (has_bus(DiskBus::scsi))
            add_device({{"driver", "virtio-scsi-pci"}, {"id", "scsi0"}, {"iothread", "io0"}});
        if (has_bus(DiskBus::sata) && !spec_.machine.is_q35())
            add_device({{"driver", "ich9-ahci"}, {"id", "sata0"}});
        for (size_t i = 0; i < spec_.disks.size(); i++)
            add_disk(i);
    }

    void add_disk(size_t i) {
        const Disk& disk = spec_.disks[i];
        const std::string id = "disk" + std::to_string(i);
        add_image(id + "-image", disk);
        Json device;
        switch (disk.bus) {
            case DiskBus::virtio:
                device = {{"driver", "virtio-blk-pci"}, {"iothread", "io0"}};
                break;
            case DiskBus::scsi:
                device = {{"driver", "scsi-hd"}, {"bus", "scsi0.0"}, {"scsi-id", i}};
                break;
            case DiskBus::sata:
            case DiskBus::ide:
                device = next_ata_place("ide-hd", disk.bus);
                break;
        }
        device["id"] = id;
        device["drive"] = id + "-image";
        device["write-cache"] = on_off(mode_of(disk.cache).write_cache);
        if (disk.serial)
            device["serial"] = disk.serial->str();
        set_boot_index(device, BootDevice::disk, i);
        if (disk.bus == DiskBus::virtio)
            add_device(device);
        else
            add_json("-device", device);
    }

    // q35 has six SATA buses called ide.0 to ide.5; pc has two IDE buses of two, and SATA with
    // ich9-ahci only.
    Json next_ata_place(std::string_view driver, DiskBus bus) {
        if (bus == DiskBus::sata) {
            const std::string controller = spec_.machine.is_q35() ? "ide." : "sata0.";
            return {{"driver", driver}, {"bus", controller + std::to_string(sata_++)}};
        }
        const unsigned place = ide_++;
        return {
            {"driver", driver}, {"bus", "ide." + std::to_string(place / 2)}, {"unit", place % 2}};
    }

    void add_cdroms() {
        for (size_t i = 0; i < spec_.cdroms.size(); i++) {
            const std::string id = "cdrom" + std::to_string(i);
            add_json("-blockdev", Json{{"driver", protocol_of(spec_.cdroms[i].str())},
                                       {"node-name", id + "-image-file"},
                                       {"filename", spec_.cdroms[i].str()},
                                       {"aio", "threads"},
                                       {"read-only", true}});
            add_json("-blockdev", Json{{"driver", "raw"},
                                       {"node-name", id + "-image"},
                                       {"file", id + "-image-file"},
                                       {"read-only", true}});
            Json device =
                next_ata_place("ide-cd", spec_.machine.is_q35() ? DiskBus::sata : DiskBus::ide);
            device["id"] = id;
            device["drive"] = id + "-image";
            set_boot_index(device, BootDevice::cdrom, i);
            add_json("-device", device);
        }
    }

    void add_nets() {
        size_t bridged = 0;
        for (size_t i = 0; i < spec_.nets.size(); i++) {
            const Net& net = spec_.nets[i];
            const std::string id = "net" + std::to_string(i);
            Json device = {{"driver", driver_of(net.model)},
                           {"netdev", id},
                           {"id", "nic" + std::to_string(i)}};
            device["mac"] =
                net.mac.value_or(stable_mac(host_.owner, spec_.name, static_cast<unsigned>(i)))
                    .str();
            if (const auto* const user = std::get_if<UserNet>(&net.link))
                add_user_net(id, *user);
            else
                add_bridge_net(id, net.model, std::get<BridgeNet>(net.link), bridged++, device);
            set_boot_index(device, BootDevice::net, i);
            add_device(device);
        }
    }

    void add_user_net(const std::string& id, const UserNet& user) {
        Json netdev = {{"type", "user"}, {"id", id}};
        for (const HostForward& forward : user.forwards)
            netdev["hostfwd"].push_back({{"str", forward.str()}});
        add_json("-netdev", netdev);
    }

    void add_bridge_net(const std::string& id, NetModel model, const BridgeNet& net, size_t index,
                        Json& device) {
        const auto mtu = host_.bridge_mtus.find(net.bridge.str());
        if (model == NetModel::virtio && mtu != host_.bridge_mtus.end())
            device["host_mtu"] = mtu->second;
        if (!fds_) {
            if (net.queues > 1)
                throw LauncherError("queues=" + std::to_string(net.queues) +
                                    ": QEMU asks the helper for one queue only");
            add_json("-netdev", Json{{"type", "bridge"},
                                     {"id", id},
                                     {"br", net.bridge.str()},
                                     {"helper", host_.helper}});
            sandboxed_ = false;
            return;
        }
        const NetFds& fds = fds_->at(index);
        if (fds.taps.size() != net.queues ||
            (!fds.vhosts.empty() && fds.vhosts.size() != net.queues))
            throw std::logic_error("descriptors and queues of " + id + " differ in number");
        const bool multiqueue = net.queues > 1;
        Json netdev = {{"type", "tap"}, {"id", id}, {multiqueue ? "fds" : "fd", fd_list(fds.taps)}};
        if (!fds.vhosts.empty()) {
            netdev["vhost"] = true;
            netdev[multiqueue ? "vhostfds" : "vhostfd"] = fd_list(fds.vhosts);
        }
        add_json("-netdev", netdev);
        if (multiqueue) {
            device["mq"] = true;
            // For each queue one for what comes and one for what goes; control; configuration.
            device["vectors"] = 2 * net.queues + 2;
        }
    }

    void add_display() {
        if (spec_.display == Display::none) {
            add("-display", "none");
            return;
        }
        std::string vnc;
        switch (spec_.vnc.reach) {
            case Vnc::Reach::unix_socket:
                vnc = "unix:" + commas_doubled(socket(vm_files::vnc));
                break;
            case Vnc::Reach::localhost:
                vnc = "127.0.0.1:";
                break;
            case Vnc::Reach::everyone:
                vnc = ":";
                break;
        }
        if (spec_.vnc.reach != Vnc::Reach::unix_socket)
            // QEMU takes the first free one up to `to`; query-vnc tells which.
            vnc += spec_.vnc.display ? std::to_string(*spec_.vnc.display) : "0,to=99";
        if (spec_.vnc.password_file) {
            add_json("-object", Json{{"qom-type", "secret"},
                                     {"id", "vnc-password"},
                                     {"file", spec_.vnc.password_file->str()}});
            vnc += ",password-secret=vnc-password";
        }
        add("-vnc", vnc);
        // No PCI Express device, so on the root bus itself.
        Json screen = {{"driver", "VGA"}, {"id", "vga0"}};
        if (spec_.machine.is_q35()) {
            screen["bus"] = "pcie.0";
            screen["addr"] = "0x1";
        }
        add_json("-device", screen);
        add_device({{"driver", "qemu-xhci"}, {"id", "usb0"}});
        // Absolute: the pointer is where the viewer's is.
        add_json("-device", Json{{"driver", "usb-tablet"}, {"bus", "usb0.0"}});
    }

    void add_process() {
        if (sandboxed_)
            add("-sandbox",
                "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
        add("-msg", "timestamp=on");
        add("-pidfile", state_file(vm_files::pid));
    }

    const VmSpec& spec_;
    const HostFacts& host_;
    const std::optional<VmFds>& fds_;
    std::vector<std::string> argv_;
    unsigned ports_ = 0;  // PCI Express root ports so far
    unsigned sata_ = 0;   // places taken
    unsigned ide_ = 0;
    bool sandboxed_ = true;
};

}  // namespace

std::vector<std::string> qemu_argv(const VmSpec& spec, const HostFacts& host,
                                   const std::optional<VmFds>& fds) {
    return Builder(spec, host, fds).build();
}

}  // namespace tapgate
