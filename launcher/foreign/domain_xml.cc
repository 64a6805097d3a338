// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/domain_xml.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/domain_parts.h"
#include "launcher/foreign/words.h"
#include "launcher/foreign/xml_document.h"
#include "launcher/vm/name.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

constexpr double mebibyte = 1048576;

// Bytes of <memory unit='KiB'>; nothing for what is no size.
std::optional<double> bytes_of(XmlLeft& xml, const pugi::xml_node& node) {
    static const std::map<std::string_view, double> units = {
        {"b", 1},      {"bytes", 1},    {"", 1024},   {"k", 1024},   {"KiB", 1024},   {"KB", 1e3},
        {"M", 0x1p20}, {"MiB", 0x1p20}, {"MB", 1e6},  {"G", 0x1p30}, {"GiB", 0x1p30}, {"GB", 1e9},
        {"T", 0x1p40}, {"TiB", 0x1p40}, {"TB", 1e12}, {"P", 0x1p50}, {"PiB", 0x1p50}, {"PB", 1e15}};
    const auto unit = units.find(xml.attribute(node, "unit"));
    const auto number = parse_whole<std::uint64_t>(xml.text(node));
    if (unit == units.end() || !number)
        return std::nullopt;
    return static_cast<double>(*number) * unit->second;
}

class DomainReader {
  public:
    explicit DomainReader(const std::string& source) { domain_.source = source; }

    Translation read(std::string_view text) {
        pugi::xml_document document;
        parse_xml(document, text, domain_.source);
        const pugi::xml_node domain = find_domain(document);
        const std::string type = domain_.xml.attribute(domain, "type");
        if (type != "kvm" && type != "qemu" && type != "hvf")
            throw LauncherError(domain_.source + ": a domain of " + quoted_word(type) +
                                "; tapgate has VMs of kvm and qemu");
        read_machine(domain.child("os"));
        // <cpu> needs it, wherever that stands.
        cpus_ = cpus_of(domain.child("vcpu"));
        find_controllers(domain.child("devices"));
        result_.changed(tag_of(domain), "accel = auto",
                        type == "hvf" ? "KVM, not hvf, where /dev/kvm can be opened"
                                      : "KVM where /dev/kvm can be opened");
        // Only a number of this run of libvirt's.
        domain_.xml.attribute(domain, "id");
        read_kernel(domain.child("os"));
        read_domain_os(domain_, domain.child("os"));
        note_rest(domain.child("os"));
        for (const pugi::xml_node& element : domain.children()) {
            if (element.type() == pugi::node_element)
                read_element(element);
        }
        read_devices(domain.child("devices"));
        return finish(domain);
    }

  private:
    // A domain alone, or in what libvirt keeps of one that runs.
    pugi::xml_node find_domain(const pugi::xml_document& document) {
        for (const char* const around : {"domstatus", "domainsnapshot", "domaincheckpoint"}) {
            const pugi::xml_node outer = document.child(around);
            if (!outer || !outer.child("domain"))
                continue;
            result_.dropped(tag_of(outer), "what libvirt knows of one run of it");
            return outer.child("domain");
        }
        const pugi::xml_node domain = document.child("domain");
        if (!domain)
            throw LauncherError(domain_.source + ": no libvirt domain");
        return domain;
    }

    Translation finish(const pugi::xml_node& domain) {
        if (!has_memory_) {
            result_.set("memory", "1G");
            result_.added("memory = 1G", "the domain does not say how much it has");
        }
        domain_.disks.finish();
        domain_.boot.finish(result_);
        if (!domain_.has_net) {
            result_.set("net", "none");
            result_.added("net = none", "no network interface has been taken over");
        }
        if (!domain_.has_screen)
            result_.set("display", "none");
        if (!has_acpi_)
            result_.added("ACPI",
                          "the domain has no <acpi/>, and tapgate's VMs do; without it "
                          "(--qemu-arg=-machine --qemu-arg=acpi=off) `tapgate stop' cannot "
                          "ask a guest to power off");
        for (const pugi::xml_attribute& attribute : domain.attributes()) {
            const std::string_view name = attribute.name();
            if (name != "type" && name != "id" && !name.starts_with("xmlns"))
                result_.dropped(std::string(name) + "='" + attribute.value() + "'",
                                "no setting is like it");
        }
        if (domain_.xml.places() > 0)
            result_.dropped(std::to_string(domain_.xml.places()) + " <address> and <alias>",
                            "tapgate gives each device its place");
        std::stable_partition(result_.settings.begin(), result_.settings.end(),
                              [](const auto& setting) { return setting.first != "qemu-arg"; });
        return std::move(result_);
    }

    // First: the machine decides what the disks are on.
    void read_machine(const pugi::xml_node& os) {
        XmlLeft& xml = domain_.xml;
        const pugi::xml_node type = os.child("type");
        const std::string arch = xml.attribute(type, "arch");
        const std::string machine = xml.attribute(type, "machine");
        if (type &&
            ((!arch.empty() && arch != "x86_64" && arch != "i686") || xml.text(type) != "hvm" ||
             machine == "isapc" || machine == "microvm" || machine == "none"))
            throw LauncherError(domain_.source + ": " + shown(tag_of(type)) +
                                ": tapgate makes PCs, and this is a machine of another kind");
        domain_.machine.q35 = machine.find("q35") != std::string::npos;
        const std::string ours = domain_.machine.q35 ? "q35" : "pc";
        domain_.set(type ? tag_of(type) : "<os>", "machine", ours,
                    machine == ours || machine.empty()
                        ? ""
                        : "a version matters to saved states only, and old ones are dropped");
    }

    void find_controllers(const pugi::xml_node& devices) {
        for (const pugi::xml_node& controller : devices.children("controller")) {
            const std::string_view type = controller.attribute("type").value();
            const std::string model = controller.attribute("model").value();
            if (type == "scsi" && !model.empty() && !model.starts_with("virtio") && model != "auto")
                domain_.scsi_controller = model;
            if (type == "usb" && !model.empty() && model != "qemu-xhci" && model != "none")
                domain_.usb_controller = model;
        }
    }

    void read_kernel(const pugi::xml_node& os) {
        for (const char* const key : {"kernel", "initrd", "cmdline"}) {
            const pugi::xml_node node = os.child(key);
            const std::string value = domain_.xml.text(node);
            if (value.empty())
                continue;
            const bool append = std::string_view(key) == "cmdline";
            if (std::string_view(key) != "kernel" && domain_.xml.text(os.child("kernel")).empty())
                result_.dropped(tag_of(node) + value, "it is for a kernel, and there is none");
            else if (!append && !value.starts_with('/'))
                result_.dropped(tag_of(node) + value, "its path is not absolute");
            else
                domain_.set(tag_of(node) + value, append ? "append" : key, value);
        }
    }

    // What of <os> is no firmware.
    void note_rest(const pugi::xml_node& os) {
        XmlLeft& xml = domain_.xml;
        std::vector<BootKind> kinds;
        std::string was;
        for (const pugi::xml_node& boot : os.children("boot")) {
            const std::string device = xml.attribute(boot, "dev");
            was += (was.empty() ? "" : " ") + tag_of(boot);
            kinds.push_back(device == "cdrom"     ? BootKind::cdrom
                            : device == "fd"      ? BootKind::floppy
                            : device == "network" ? BootKind::net
                                                  : BootKind::disk);
        }
        if (!kinds.empty()) {
            domain_.boot.set_kinds(kinds, was);
            domain_.boot.set_strict();
            domain_.boot.set_first_of_kind();
        }
        for (const pugi::xml_node& element : os.children()) {
            const std::string_view name = element.name();
            const pugi::xml_node table = element.child("table");
            if (name == "acpi" && table && xml.text(table).starts_with('/')) {
                const std::string type = xml.attribute(table, "type");
                result_.keep(tag_of(element) + tag_of(table) + xml.text(table),
                             {"-acpitable", (type == "slic" ? "sig=SLIC,file=" : "file=") +
                                                commas_doubled(xml.text(table))});
            } else if (name == "smbios") {
                smbios_ = xml.attribute(element, "mode");
                if (smbios_ != "sysinfo")
                    result_.dropped(tag_of(element), "the guest sees the machine as QEMU's");
            } else if (name == "bootmenu" || name == "bios") {
                xml.take(element);
                result_.dropped(tag_of(element), "a start does not wait for anybody");
            }
        }
        if (const std::string left = domain_.xml.left(os); !left.empty())
            result_.dropped("<os>", "left out: " + left);
    }

    void read_element(const pugi::xml_node& element) {
        struct DroppedElement {
            std::string_view element;
            std::string_view why;
        };
        constexpr std::string_view host =
            "what a VM may take of the host is not in its "
            "description: see systemd.resource-control(5)";
        constexpr std::string_view words = "words about it, for people and programs";
        static constexpr DroppedElement dropped[] = {
            {"title", words},
            {"description", words},
            {"metadata", words},
            {"currentMemory", "the guest has all of memory = from the start"},
            {"maxMemory", "memory cannot be plugged in"},
            {"cputune", host},
            {"numatune", host},
            {"blkiotune", host},
            {"memtune", host},
            {"resource", host},
            {"iothreads", "tapgate's disks share one"},
            {"iothreadids", "tapgate's disks share one"},
            {"defaultiothread", "tapgate's disks share one"},
            {"vcpus", "all CPUs are there from the start"},
            {"memoryBacking", "memory is plain: see -mem-path in qemu(1), and --qemu-arg"},
            {"on_poweroff", "a guest that powers off ends its VM"},
            {"on_crash", "QEMU ends when it crashes; status tells"},
            {"on_lockfailure", "there is no lock manager"},
            {"pm", "a guest cannot suspend: nobody would wake it"},
            {"seclabel", "confinement is that of tapgate(1) and of the host"},
            {"launchSecurity", "its memory is NOT encrypted for the host: no setting is like it"},
            {"perf", "no setting is like it"},
            {"bootloader", "it is Xen's"},
            {"throttlegroups", host},
        };
        const std::string name(element.name());
        if (name == "devices" || name == "os")
            return;
        if (read_known(element, name))
            return;
        const auto* const known =
            std::find_if(std::begin(dropped), std::end(dropped),
                         [&](const DroppedElement& one) { return one.element == name; });
        result_.dropped(
            tag_of(element) + shown(contents_of(element)),
            std::string(known != std::end(dropped) ? known->why : "no setting is like it"));
    }

    // The elements that become something.
    bool read_known(const pugi::xml_node& element, const std::string& name) {
        XmlLeft& xml = domain_.xml;
        const std::string was = tag_of(element) + std::string(xml.text(element));
        if (name == "name") {
            result_.name = fitting_name(element.child_value());
            result_.changed(was, "VM " + result_.name, "the VM's name is that of its file");
        } else if (name == "uuid") {
            result_.keep(was, {"-uuid", xml.text(element)});
        } else if (name == "genid" && !xml.text(element).empty()) {
            result_.keep(was, {"-device", "vmgenid,guid=" + xml.text(element)});
        } else if (name == "memory") {
            read_memory(element, was);
        } else if (name == "vcpu") {
            read_vcpu(element, was);
        } else if (name == "cpu") {
            read_domain_cpu(domain_, element, cpus_);
        } else if (name == "clock") {
            read_clock(element, was);
        } else if (name == "features") {
            read_features(element);
        } else if (name == "sysinfo") {
            read_sysinfo(element);
        } else if (name == "on_reboot" && xml.text(element) == "destroy") {
            result_.keep(was, {"-no-reboot"});
        } else if (name == "on_reboot") {
            result_.dropped(was, "a guest that reboots starts again");
        } else if (name.ends_with(":commandline")) {
            read_command_line(element);
        } else {
            return false;
        }
        return true;
    }

    void read_memory(const pugi::xml_node& element, const std::string& was) {
        const auto bytes = bytes_of(domain_.xml, element);
        if (!bytes || *bytes == 0)
            throw LauncherError(domain_.source + ": " + shown(was) + ": no memory size");
        constexpr double most = 16.0 * 1024 * 1024;
        const double size = std::ceil(*bytes / mebibyte);
        if (size > most)
            throw LauncherError(domain_.source + ": " + shown(was) + ": too much memory");
        has_memory_ = true;
        std::string why;
        if (size * mebibyte != *bytes)
            add_reason(why, "rounded up to whole MiB");
        domain_.set(was, "memory", std::to_string(static_cast<std::uint64_t>(size)) + "M",
                    domain_.with_left(element, why));
    }

    static std::uint64_t cpus_of(const pugi::xml_node& vcpu) {
        const std::string current = vcpu.attribute("current").value();
        const std::string all(trimmed(vcpu.child_value(), " \t\r\n"));
        return parse_whole<std::uint64_t>(current.empty() ? all : current).value_or(1);
    }

    void read_vcpu(const pugi::xml_node& element, const std::string& was) {
        XmlLeft& xml = domain_.xml;
        const auto most = parse_whole<std::uint64_t>(xml.text(element)).value_or(1);
        for (const char* const part : {"current", "placement"})
            xml.attribute(element, part);
        std::string why;
        if (cpus_ < most)
            add_reason(why, "more, up to " + std::to_string(most) +
                                ", cannot be plugged in: cpus = says how many there are");
        if (cpus_ == 0 || cpus_ > CpuTopology::most_cpus)
            throw LauncherError(domain_.source + ": " + shown(was) + ": a VM has 1 to 255 CPUs");
        domain_.set(was, "cpus", std::to_string(cpus_), domain_.with_left(element, why));
    }

    void read_clock(const pugi::xml_node& clock, const std::string& was) {
        XmlLeft& xml = domain_.xml;
        const std::string offset = xml.attribute(clock, "offset");
        const std::string adjustment = xml.attribute(clock, "adjustment");
        if (!adjustment.empty() && adjustment != "0" && adjustment != "reset")
            result_.dropped(was, "the clock was " + adjustment + " s off, and starts right");
        else if (offset == "localtime" || xml.attribute(clock, "basis") == "localtime")
            result_.keep(was, {"-rtc", "base=localtime"});
        else if (offset == "timezone" || offset == "absolute")
            result_.dropped(was, "the clock starts as UTC: see -rtc in qemu(1), and --qemu-arg");
        else
            result_.dropped(was, "tapgate's VMs have it so: UTC");
        for (const pugi::xml_node& timer : clock.children("timer")) {
            const std::string name = xml.attribute(timer, "name");
            const bool present = xml.attribute(timer, "present") != "no";
            const std::string policy = xml.attribute(timer, "tickpolicy");
            const bool ours = (name == "rtc" && policy == "catchup") ||
                              (name == "pit" && policy == "delay") ||
                              (name == "hpet" && !present) || (name == "kvmclock" && present);
            if (name == "hpet" && present)
                result_.keep(tag_of(timer), {"-machine", "hpet=on"});
            else
                result_.dropped(tag_of(timer),
                                domain_.with_left(timer, ours ? "tapgate's VMs have it so"
                                                              : "tapgate has its own way"));
        }
    }

    void read_features(const pugi::xml_node& features) {
        XmlLeft& xml = domain_.xml;
        for (const pugi::xml_node& feature : features.children()) {
            if (feature.type() != pugi::node_element)
                continue;
            const std::string_view name = feature.name();
            const bool off = xml.attribute(feature, "state") == "off";
            has_acpi_ = has_acpi_ || name == "acpi";
            std::string inside;
            for (const pugi::xml_node& child : feature.children())
                inside += child.type() == pugi::node_element ? tag_of(child) : child.value();
            const std::string was = tag_of(feature) + shown(trimmed(inside, " \t\r\n"));
            if (name == "acpi" || (name == "apic" && inside.empty()) || name == "pae" ||
                (name == "vmport" && off) || (name == "smm" && !off) || (name == "pmu" && !off))
                result_.dropped(was, "tapgate's VMs have it so, where their firmware needs it");
            else if (name == "hyperv")
                result_.dropped(was,
                                "they make Windows faster: cpu=host,hv-relaxed=on,"
                                "hv-vapic=on,hv-time=on has them, with KVM");
            else if (name == "kvm" || name == "pmu")
                result_.dropped(was, "it belongs to the CPU: cpu=MODEL," +
                                         std::string(name == "pmu" ? "pmu=off" : "kvm=off"));
            else if (name == "vmcoreinfo")
                result_.keep(was, {"-device", "vmcoreinfo"});
            else
                result_.dropped(was, "no setting is like it; see --qemu-arg");
        }
    }

    void read_sysinfo(const pugi::xml_node& sysinfo) {
        const std::string_view type = sysinfo.attribute("type").value();
        if (type == "smbios" && smbios_ != "sysinfo")
            result_.dropped(tag_of(sysinfo),
                            "without <smbios mode='sysinfo'> the guest did not "
                            "see it");
        else
            read_domain_sysinfo(domain_, sysinfo);
    }

    // <qemu:commandline>: what somebody gave to QEMU himself.
    void read_command_line(const pugi::xml_node& element) {
        std::vector<std::string> arguments;
        for (const pugi::xml_node& child : element.children()) {
            const std::string_view name = local_name(child.name());
            if (name == "arg")
                arguments.push_back(domain_.xml.attribute(child, "value"));
            else if (child.type() == pugi::node_element)
                result_.dropped(tag_of(child), name == "env" ? "tapgate gives QEMU an environment "
                                                               "of its own"
                                                             : "no setting is like it");
        }
        if (!arguments.empty())
            result_.keep(tag_of(element), arguments,
                         "as they were; see whether QEMU still takes "
                         "them");
    }

    void read_devices(const pugi::xml_node& devices) {
        std::vector<pugi::xml_node> all;
        for (const pugi::xml_node& device : devices.children()) {
            if (device.type() == pugi::node_element)
                all.push_back(device);
        }
        order_disks(all);
        // <console> may name the serial line, which comes first then.
        std::stable_partition(all.begin(), all.end(), [](const pugi::xml_node& node) {
            return std::string_view(node.name()) != "console";
        });
        for (const pugi::xml_node& device : all)
            read_domain_device(domain_, device);
    }

    // As libvirt orders the disks of a bus by their targets, whatever their order in the file.
    static void order_disks(std::vector<pugi::xml_node>& devices) {
        std::map<std::string, std::vector<size_t>> places;
        for (size_t i = 0; i < devices.size(); i++) {
            const pugi::xml_node target = devices[i].child("target");
            const std::string name = target.attribute("dev").value();
            const std::string bus = target.attribute("bus").value();
            if (std::string_view(devices[i].name()) == "disk")
                places[bus.empty() ? name.substr(0, 2) : bus].push_back(i);
        }
        for (const auto& [bus, of_bus] : places) {
            std::vector<pugi::xml_node> disks;
            for (const size_t place : of_bus)
                disks.push_back(devices[place]);
            std::stable_sort(disks.begin(), disks.end(),
                             [](const pugi::xml_node& a, const pugi::xml_node& b) {
                                 return target_key(a) < target_key(b);
                             });
            for (size_t i = 0; i < disks.size(); i++)
                devices[of_bus[i]] = disks[i];
        }
    }

    // "vdb" comes before "vdaa".
    static std::pair<size_t, std::string> target_key(const pugi::xml_node& disk) {
        const std::string name = disk.child("target").attribute("dev").value();
        return {name.size(), name};
    }

    DomainParts domain_;
    Translation& result_ = domain_.result;
    bool has_acpi_ = false;
    bool has_memory_ = false;
    std::uint64_t cpus_ = 1;
    std::string smbios_;
};

}  // namespace

void DomainParts::set(const std::string& was, const std::string& key, const std::string& value,
                      const std::string& why) {
    result.set(key, value);
    result.changed(was, key + " = " + value, why);
}

std::string DomainParts::with_left(const pugi::xml_node& node, std::string why) {
    if (const std::string left = xml.left(node); !left.empty())
        add_reason(why, "left out: " + left);
    return why;
}

void DomainParts::drop(const pugi::xml_node& node, const std::string& why) {
    std::string was = tag_of(node);
    for (const pugi::xml_node& child : node.children()) {
        const std::string_view name = child.name();
        if (name == "source" || name == "target" || name == "model") {
            was += tag_of(child);
            for (const pugi::xml_attribute& attribute : child.attributes())
                xml.attribute(child, attribute.name());
        }
    }
    for (const pugi::xml_attribute& attribute : node.attributes())
        xml.attribute(node, attribute.name());
    result.dropped(was, with_left(node, why));
}

std::optional<std::uint64_t> boot_order_of(DomainParts& domain, const pugi::xml_node& device) {
    const pugi::xml_node boot = device.child("boot");
    const auto order = parse_whole<std::uint64_t>(domain.xml.attribute(boot, "order"));
    if (order) {
        domain.boot.add_source(tag_of(boot));
        domain.boot.set_strict();
    }
    return order;
}

Translation translate_domain(std::string_view text, const std::string& source) {
    return DomainReader(source).read(text);
}

}  // namespace tapgate
