// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/domain/export.h"

#include <algorithm>
#include <array>
#include <pugixml.hpp>
#include <sstream>

#include "launcher/base/block_device.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using pugi::xml_node;

void set(xml_node node, const char* name, const std::string& value) {
    node.append_attribute(name).set_value(value.c_str());
}

xml_node add(xml_node parent, const char* name) {
    return parent.append_child(name);
}

void add_text(xml_node parent, const char* name, const std::string& text) {
    add(parent, name).text().set(text.c_str());
}

// "vda", "sdb": the names by which libvirt tells the devices of a bus apart.
std::string target_name(DiskBus bus, size_t index) {
    const std::string letters = bus == DiskBus::virtio ? "vd" : bus == DiskBus::ide ? "hd" : "sd";
    constexpr size_t alphabet = 26;
    std::string name(1, static_cast<char>('a' + index % alphabet));
    if (index >= alphabet)
        name.insert(0, 1, static_cast<char>('a' + index / alphabet - 1));
    return letters + name;
}

class Writer {
  public:
    Writer(const VmSpec& spec, const Owner& owner, const std::string& variables)
        : spec_(spec), owner_(owner), variables_(variables) {}

    DomainText write() {
        xml_node domain = add(document_, "domain");
        set(domain, "type", spec_.accelerator == Accelerator::tcg ? "qemu" : "kvm");
        add_text(domain, "name", spec_.name.str());
        add_text(domain, "uuid", stable_uuid(owner_, spec_.name));
        xml_node memory = add(domain, "memory");
        set(memory, "unit", "MiB");
        memory.text().set(std::to_string(spec_.memory.mebibytes()).c_str());
        if (std::any_of(spec_.shares.begin(), spec_.shares.end(),
                        [](const Share& share) { return share.via == ShareProtocol::virtiofs; })) {
            xml_node backing = add(domain, "memoryBacking");
            set(add(backing, "source"), "type", "memfd");
            set(add(backing, "access"), "mode", "shared");
        }
        add_text(domain, "vcpu", std::to_string(spec_.cpus.cpus()));
        write_os(add(domain, "os"));
        xml_node features = add(domain, "features");
        add(features, "acpi");
        add(features, "apic");
        if (spec_.firmware == Firmware::uefi_secure)
            set(add(features, "smm"), "state", "on");
        write_cpu(add(domain, "cpu"));
        xml_node devices = add(domain, "devices");
        for (const Disk& disk : spec_.disks)
            write_disk(devices, disk);
        for (const HostPath& cdrom : spec_.cdroms)
            write_cdrom(devices, cdrom.str());
        for (const Share& share : spec_.shares)
            write_share(devices, share);
        for (size_t i = 0; i < spec_.nets.size(); i++)
            write_net(devices, spec_.nets[i], i);
        write_rest(devices);
        if (!spec_.extra_arguments.empty())
            left_.emplace_back(
                "qemu-arg: libvirt only takes QEMU's arguments in an XML namespace of their own");
        if (spec_.snapshot)
            left_.emplace_back("snapshot=on: with libvirt, the guest writes to its disks");
        if (spec_.nested != Nested::as_the_host)
            left_.emplace_back("nested: with libvirt, the guest has the host's CPU");
        std::ostringstream text;
        document_.save(text, "  ", pugi::format_default | pugi::format_no_declaration);
        return {text.str(), std::move(left_)};
    }

  private:
    void write_os(xml_node os) {
        if (spec_.firmware != Firmware::bios)
            set(os, "firmware", "efi");
        xml_node type = add(os, "type");
        set(type, "arch", "x86_64");
        set(type, "machine", spec_.machine.str());
        type.text().set("hvm");
        if (spec_.firmware != Firmware::bios)
            write_firmware(os, spec_.firmware == Firmware::uefi_secure ? "yes" : "no");
        if (!variables_.empty())
            add_text(os, "nvram", variables_);
        if (spec_.kernel)
            add_text(os, "kernel", spec_.kernel->str());
        if (spec_.initrd)
            add_text(os, "initrd", spec_.initrd->str());
        if (spec_.append)
            add_text(os, "cmdline", *spec_.append);
        // The order is either by kind, or device by device.
        by_device_ = std::any_of(spec_.boot.begin(), spec_.boot.end(),
                                 [](const BootEntry& one) { return one.index.has_value(); });
        if (by_device_ || spec_.kernel)
            return;
        for (const BootEntry& entry : spec_.boot)
            set(add(os, "boot"), "dev",
                entry.device == BootDevice::disk    ? "hd"
                : entry.device == BootDevice::cdrom ? "cdrom"
                                                    : "network");
    }

    // If nothing else is said, libvirt takes the first UEFI that its host describes: on Debian 12
    // the plain one, on 13 the one with Secure Boot and Microsoft's keys.
    static void write_firmware(xml_node os, const char* secure) {
        xml_node firmware = add(os, "firmware");
        for (const char* const name : {"enrolled-keys", "secure-boot"}) {
            xml_node feature = add(firmware, "feature");
            set(feature, "enabled", secure);
            set(feature, "name", name);
        }
    }

    void write_order(xml_node device, BootDevice kind, size_t index) {
        if (!by_device_ || spec_.kernel)
            return;
        for (size_t i = 0; i < spec_.boot.size(); i++) {
            if (spec_.boot[i].device == kind && spec_.boot[i].index == index) {
                set(add(device, "boot"), "order", std::to_string(i + 1));
                return;
            }
        }
    }

    void write_cpu(xml_node cpu) {
        set(cpu, "mode", spec_.accelerator == Accelerator::tcg ? "maximum" : "host-passthrough");
        if (spec_.cpu)
            left_.push_back("cpu = " + shown(spec_.cpu->str()) +
                            ": with libvirt, the guest has the host's CPU");
        xml_node topology = add(cpu, "topology");
        set(topology, "sockets", std::to_string(spec_.cpus.sockets()));
        set(topology, "cores", std::to_string(spec_.cpus.cores()));
        set(topology, "threads", std::to_string(spec_.cpus.threads()));
    }

    void write_source(xml_node disk, const std::string& path) {
        const bool device = is_block_device(path);
        disk.attribute("type").set_value(device ? "block" : "file");
        set(add(disk, "source"), device ? "dev" : "file", path);
    }

    void write_target(xml_node disk, DiskBus bus) {
        xml_node target = add(disk, "target");
        // SCSI and SATA share the names sda, sdb, ...
        size_t& next = next_.at(bus == DiskBus::virtio ? 0 : bus == DiskBus::ide ? 1 : 2);
        set(target, "dev", target_name(bus, next++));
        set(target, "bus", std::string(word_for(bus, disk_buses)));
    }

    void write_disk(xml_node devices, const Disk& disk) {
        xml_node node = add(devices, "disk");
        set(node, "type", "file");
        set(node, "device", "disk");
        xml_node driver = add(node, "driver");
        set(driver, "name", "qemu");
        set(driver, "type", std::string(name_of(disk.format)));
        set(driver, "cache", std::string(word_for(disk.cache, disk_caches)));
        set(driver, "discard", disk.discard ? "unmap" : "ignore");
        write_source(node, disk.path.str());
        write_target(node, disk.bus);
        if (disk.ssd)
            set(node.child("target"), "rotation_rate", "1");
        if (disk.read_only)
            add(node, "readonly");
        if (disk.serial)
            add_text(node, "serial", disk.serial->str());
        write_order(node, BootDevice::disk, disks_++);
    }

    void write_cdrom(xml_node devices, const std::string& path) {
        xml_node node = add(devices, "disk");
        set(node, "type", "file");
        set(node, "device", "cdrom");
        xml_node driver = add(node, "driver");
        set(driver, "name", "qemu");
        set(driver, "type", "raw");
        write_source(node, path);
        write_target(node, spec_.machine.is_q35() ? DiskBus::sata : DiskBus::ide);
        add(node, "readonly");
        write_order(node, BootDevice::cdrom, cdroms_++);
    }

    static void write_share(xml_node devices, const Share& share) {
        xml_node node = add(devices, "filesystem");
        set(node, "type", "mount");
        set(node, "accessmode", "passthrough");
        if (share.via == ShareProtocol::virtiofs)
            set(add(node, "driver"), "type", "virtiofs");
        set(add(node, "source"), "dir", share.path.str());
        set(add(node, "target"), "dir", share.tag);
        if (share.read_only)
            add(node, "readonly");
    }

    void write_net(xml_node devices, const Net& net, size_t index) {
        xml_node node = add(devices, "interface");
        const auto* const bridged = std::get_if<BridgeNet>(&net.link);
        set(node, "type", bridged != nullptr ? "bridge" : "user");
        set(add(node, "mac"), "address",
            net.mac.value_or(stable_mac(owner_, spec_.name, static_cast<unsigned>(index))).str());
        if (bridged != nullptr)
            set(add(node, "source"), "bridge", bridged->bridge.str());
        set(add(node, "model"), "type", std::string(word_for(net.model, net_models)));
        if (bridged != nullptr && bridged->queues > 1)
            set(add(node, "driver"), "queues", std::to_string(bridged->queues));
        if (net.slot) {
            xml_node address = add(node, "address");
            set(address, "type", "pci");
            set(address, "domain", "0x0000");
            set(address, "bus", "0x00");
            set(address, "slot", std::to_string(*net.slot));
            set(address, "function", "0x0");
        }
        write_order(node, BootDevice::net, index);
        const auto* const user = std::get_if<UserNet>(&net.link);
        if (user != nullptr && !user->forwards.empty())
            left_.emplace_back("hostfwd: libvirt's user network forwards no ports to the guest");
        if (bridged != nullptr && bridged->fallback)
            left_.emplace_back("net: libvirt has no fallback if the bridge cannot be used");
    }

    void write_rest(xml_node devices) {
        set(add(devices, "serial"), "type", "pty");
        set(add(devices, "console"), "type", "pty");
        xml_node channel = add(devices, "channel");
        set(channel, "type", "unix");
        xml_node target = add(channel, "target");
        set(target, "type", "virtio");
        set(target, "name", "org.qemu.guest_agent.0");
        if (spec_.display == Display::vnc) {
            xml_node graphics = add(devices, "graphics");
            set(graphics, "type", "vnc");
            set(graphics, "autoport", "yes");
            set(add(add(devices, "video"), "model"), "type", "vga");
            if (spec_.vnc.password_file || spec_.vnc.reach == Vnc::Reach::everyone)
                left_.emplace_back(
                    "display: with libvirt, the screen is only on this host, without a password");
        }
        xml_node rng = add(devices, "rng");
        set(rng, "model", "virtio");
        xml_node backend = add(rng, "backend");
        set(backend, "model", "random");
        backend.text().set("/dev/urandom");
    }

    const VmSpec& spec_;
    const Owner& owner_;
    const std::string& variables_;
    pugi::xml_document document_;
    std::vector<std::string> left_;
    std::array<size_t, 3> next_{};  // of vd, hd and sd
    size_t disks_ = 0;
    size_t cdroms_ = 0;
    bool by_device_ = false;
};

}  // namespace

DomainText domain_text(const VmSpec& spec, const Owner& owner, const std::string& variables) {
    return Writer(spec, owner, variables).write();
}

}  // namespace tapgate
