// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/domain_xml.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/xml_document.h"
#include "launcher/vm/name.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

std::uint64_t whole_number(const std::string& text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

template <size_t n>
bool is_one_of(std::string_view word, const std::array<std::string_view, n>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

class DomainReader {
  public:
    explicit DomainReader(const std::string& source) : source_(source) {}

    Translation read(std::string_view text) {
        pugi::xml_document document;
        parse_xml(document, text, source_);
        const pugi::xml_node domain = document.child("domain");
        if (!domain)
            throw LauncherError(source_ + ": no libvirt domain");
        const std::string type = domain.attribute("type").value();
        if (type != "kvm" && type != "qemu")
            throw LauncherError(source_ + ": a domain of " + quoted_word(type) +
                                "; tapgate has VMs of kvm and qemu");
        result_.changed(tag_of(domain), "accel = auto", "KVM where /dev/kvm can be opened");
        read_os(domain.child("os"));
        for (const pugi::xml_node& element : domain.children()) {
            if (element.type() == pugi::node_element)
                read_element(element);
        }
        add_boot();
        if (!has_net_) {
            result_.set("net", "none");
            result_.added("net = none", "the domain has no network interface");
        }
        if (!has_screen_)
            result_.set("display", "none");
        std::stable_partition(result_.settings.begin(), result_.settings.end(),
                              [](const auto& setting) { return setting.first != "qemu-arg"; });
        return std::move(result_);
    }

  private:
    void set(const std::string& was, const std::string& key, const std::string& value,
             const std::string& why = {}) {
        result_.set(key, value);
        result_.changed(was, key + " = " + value, why);
    }

    // First: the machine decides what the disks are on.
    void read_os(const pugi::xml_node& os) {
        const pugi::xml_node type = os.child("type");
        const std::string arch = type.attribute("arch").value();
        if (type && ((!arch.empty() && arch != "x86_64" && arch != "i686") ||
                     std::string_view(type.child_value()) != "hvm"))
            throw LauncherError(source_ + ": " + shown(tag_of(type)) +
                                ": tapgate makes PCs, and this is a machine of another kind");
        q35_ = std::string_view(type.attribute("machine").value()).find("q35") !=
               std::string_view::npos;
        set(type ? tag_of(type) : "<os>", "machine", q35_ ? "q35" : "pc");
        for (const pugi::xml_node& element : os.children()) {
            const std::string name = element.name();
            const std::string was = tag_of(element) + element.child_value();
            if (name == "loader" || name == "nvram" || name == "firmware")
                set(was, "firmware", "uefi", "that of this host, with variables of its own");
            else if (name == "kernel" || name == "initrd")
                set(was, name, element.child_value());
            else if (name == "cmdline")
                set(was, "append", text_of(os, "cmdline"));
            else if (name == "boot")
                read_boot(element);
            else if (name != "type" && element.type() == pugi::node_element)
                result_.dropped(was, "no setting is like it");
        }
        if (std::string_view(os.attribute("firmware").value()) == "efi")
            set(tag_of(os), "firmware", "uefi");
    }

    void read_boot(const pugi::xml_node& element) {
        const std::string device = element.attribute("dev").value();
        const char* const ours = device == "hd"        ? "disk"
                                 : device == "cdrom"   ? "cdrom"
                                 : device == "network" ? "net"
                                                       : "";
        if (*ours == '\0') {
            result_.dropped(tag_of(element), "no such device");
            return;
        }
        boot_.emplace(boot_.size(), ours);
        result_.changed(tag_of(element), std::string("boot = ...") + ours);
    }

    void add_boot() {
        std::string devices;
        for (const auto& [order, device] : boot_) {
            if (devices.find(device) == std::string::npos)
                devices.append(devices.empty() ? "" : ",").append(device);
        }
        if (!devices.empty())
            result_.set("boot", devices);
    }

    void read_element(const pugi::xml_node& element) {
        const std::string name = element.name();
        const std::string was = tag_of(element) + element.child_value();
        if (name == "devices") {
            for (const pugi::xml_node& device : element.children()) {
                if (device.type() == pugi::node_element)
                    read_device(device);
            }
        } else if (name == "name") {
            result_.name = fitting_name(element.child_value());
            result_.changed(was, "VM " + result_.name, "the VM's name is that of its file");
        } else if (name == "uuid") {
            result_.keep(was, {"-uuid", element.child_value()});
        } else if (name == "memory") {
            read_memory(element, was);
        } else if (name == "vcpu") {
            cpus_ = element.child_value();
            set(was, "cpus", cpus_);
        } else if (name == "cpu") {
            read_cpu(element);
        } else if (name == "clock" &&
                   std::string_view(element.attribute("offset").value()) == "localtime") {
            result_.keep(was, {"-rtc", "base=localtime"});
        } else if (name != "os") {
            constexpr std::array<std::string_view, 8> plain = {
                "currentMemory", "on_poweroff", "on_reboot", "on_crash",
                "features",      "clock",       "pm",        "resource"};
            result_.dropped(
                was, is_one_of(name, plain) ? "tapgate has its own way" : "no setting is like it");
        }
    }

    void read_memory(const pugi::xml_node& element, const std::string& was) {
        static const std::map<std::string_view, double> units = {
            {"b", 1},         {"bytes", 1}, {"KB", 1e3},       {"k", 1024},
            {"KiB", 1024},    {"", 1024},   {"MB", 1e6},       {"M", 1048576},
            {"MiB", 1048576}, {"GB", 1e9},  {"G", 1073741824}, {"GiB", 1073741824}};
        const auto unit = units.find(element.attribute("unit").value());
        const std::uint64_t number = whole_number(element.child_value());
        if (unit == units.end() || number == 0)
            throw LauncherError(source_ + ": " + shown(was) + ": no memory size");
        const double size = static_cast<double>(number) * unit->second / 1048576;
        constexpr double most = 16.0 * 1024 * 1024;
        if (size > most)
            throw LauncherError(source_ + ": " + shown(was) + ": too much memory");
        set(was, "memory",
            std::to_string(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(size))) + "M");
    }

    void read_cpu(const pugi::xml_node& cpu) {
        const std::string mode = cpu.attribute("mode").value();
        const std::string model = text_of(cpu, "model");
        std::string value = model;
        for (const pugi::xml_node& feature : cpu.children("feature")) {
            const std::string_view policy = feature.attribute("policy").value();
            value += std::string(policy == "disable" || policy == "forbid" ? ",-" : ",+") +
                     feature.attribute("name").value();
        }
        if (mode == "custom" || (mode.empty() && !model.empty()))
            set(tag_of(cpu), "cpu", CpuModel::parse(value) ? value : "auto");
        else
            set(tag_of(cpu), "cpu", "auto", "the host's CPU with KVM");
        if (const pugi::xml_node topology = cpu.child("topology")) {
            const auto part = [&](const char* key) {
                return std::max<std::uint64_t>(1, whole_number(topology.attribute(key).value()));
            };
            const std::uint64_t total =
                part("sockets") * part("dies") * part("cores") * part("threads");
            if (total == whole_number(cpus_) && part("dies") == 1)
                set(tag_of(topology), "cpus",
                    cpus_ + ",sockets=" + std::to_string(part("sockets")) +
                        ",cores=" + std::to_string(part("cores")) +
                        ",threads=" + std::to_string(part("threads")));
            else
                result_.dropped(tag_of(topology), "it does not come to the number of CPUs");
        }
        for (const pugi::xml_node& other : cpu.children()) {
            const std::string_view name = other.name();
            if (other.type() == pugi::node_element && name != "model" && name != "feature" &&
                name != "topology")
                result_.dropped(tag_of(other), "no setting is like it");
        }
    }

    void read_device(const pugi::xml_node& device) {
        constexpr std::array<std::string_view, 9> own = {"emulator", "controller", "input",
                                                         "console",  "memballoon", "rng",
                                                         "video",    "serial",     "audio"};
        const std::string name = device.name();
        if (name == "disk") {
            read_disk(device);
        } else if (name == "interface") {
            read_interface(device);
        } else if (name == "graphics") {
            has_screen_ = true;
            set(tag_of(device), "display", "vnc", "on a socket that only you can open");
        } else if (name == "channel" &&
                   std::string_view(device.child("target").attribute("name").value()) ==
                       "org.qemu.guest_agent.0") {
            result_.dropped(tag_of(device), "all of tapgate's VMs have the guest agent's channel");
        } else {
            result_.dropped(tag_of(device) + tag_of(device.first_child()),
                            is_one_of(name, own) ? "tapgate's VMs have their own"
                                                 : "no setting is like it; see --qemu-arg");
        }
    }

    void note_boot(const pugi::xml_node& device, const char* kind) {
        if (const pugi::xml_node boot = device.child("boot"))
            boot_.emplace(whole_number(boot.attribute("order").value()), kind);
    }

    void read_disk(const pugi::xml_node& disk) {
        const pugi::xml_node source = disk.child("source");
        const std::string file = source.attribute("file").value();
        const std::string was = tag_of(disk) + (source ? tag_of(source) : "");
        const std::string kind = disk.attribute("device").value();
        if (kind == "floppy" || kind == "lun" || (!source && kind == "cdrom") || file.empty()) {
            result_.dropped(was, !source ? "an empty drive" : "not a file, or no disk");
            return;
        }
        if (kind == "cdrom") {
            note_boot(disk, "cdrom");
            set(was, "cdrom", file);
            return;
        }
        note_boot(disk, "disk");
        const pugi::xml_node driver = disk.child("driver");
        std::string format = driver.attribute("type").value();
        std::string why;
        if (format.empty()) {
            format = format_by_name(file).first;
            why = "no format was said, the name decides";
        }
        const std::string target = disk.child("target").attribute("bus").value();
        const char* const ata = q35_ ? "sata" : "ide";
        const bool read_only = static_cast<bool>(disk.child("readonly"));
        const std::string bus = target == "virtio" || read_only ? "virtio"
                                : target == "scsi"              ? "scsi"
                                                                : ata;
        std::string value = commas_doubled(file) + ",format=" + format + ",bus=" + bus;
        if (read_only)
            value += ",readonly=on";
        const std::string cache = driver.attribute("cache").value();
        if (!cache.empty() && cache != "default" && cache != "writeback")
            value += ",cache=" + cache;
        const std::string serial = text_of(disk, "serial");
        if (DiskSerial::parse(serial))
            value += ",serial=" + serial;
        set(was, "disk", value, why);
    }

    void read_interface(const pugi::xml_node& interface) {
        const std::string type = interface.attribute("type").value();
        const pugi::xml_node source = interface.child("source");
        const std::string was = tag_of(interface) + (source ? tag_of(source) : "");
        const std::string model = interface.child("model").attribute("type").value();
        std::string why;
        std::string value = "user";
        if (type == "bridge" || type == "network" || type == "direct") {
            std::string bridge = source.attribute("bridge").value();
            const std::string network = source.attribute("network").value();
            if (bridge.empty() && network == "default") {
                bridge = "virbr0";
                why = "virbr0 is the bridge of libvirt's network `default'";
            }
            if (!InterfaceName::parse(bridge)) {
                bridge = "br0";
                why = network.empty() ? "it was on no bridge: br0 is a guess"
                                      : "libvirt's network " + quoted_word(network) +
                                            ": br0 is a guess, virsh net-info tells its bridge";
            }
            value = "bridge:" + bridge;
        } else if (type != "user") {
            result_.dropped(was, "net= has no such network");
            return;
        }
        has_net_ = true;
        const bool known =
            model == "virtio" || model == "e1000" || model == "e1000e" || model == "rtl8139";
        value += ",model=" + (known ? model : std::string("e1000"));
        if (!known && !model.empty())
            why += (why.empty() ? "" : "; ") + ("the adapter was a " + model);
        if (const auto mac = MacAddress::parse(interface.child("mac").attribute("address").value()))
            value += ",mac=" + mac->str();
        note_boot(interface, "net");
        for (const pugi::xml_node& other : interface.children()) {
            constexpr std::array<std::string_view, 9> known_parts = {
                "source", "model", "mac", "boot", "target", "alias", "address", "link", "driver"};
            if (other.type() == pugi::node_element && !is_one_of(other.name(), known_parts))
                why += (why.empty() ? "" : "; ") + ("left out: " + tag_of(other));
        }
        set(was, "net", value, why);
    }

    const std::string& source_;
    Translation result_;
    bool q35_ = false;
    bool has_net_ = false;
    bool has_screen_ = false;
    std::string cpus_ = "1";
    std::multimap<std::uint64_t, std::string> boot_;
};

}  // namespace

Translation translate_domain(std::string_view text, const std::string& source) {
    return DomainReader(source).read(text);
}

}  // namespace tapgate
