// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/domain/domain_xml.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/kept_places.h"
#include "launcher/foreign/translation/translation.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"
#include "launcher/vm/name.h"

namespace tapgate {

namespace {

class DomainReader {
  public:
    explicit DomainReader(const std::string& source) { domain_.source = source; }

    Translation read(std::string_view text) {
        pugi::xml_document document;
        parse_xml(document, text, domain_.source);
        const pugi::xml_node domain = find_domain(document);
        const std::string type = domain_.xml.attribute(domain, "type");
        read_hypervisor(domain, type);
        read_domain_machine(domain_, domain.child("os"));
        // <cpu> needs the number, wherever it comes in the file.
        domain_.cpus = domain_cpus(domain.child("vcpu"));
        find_controllers(domain.child("devices"));
        note_hypervisor(domain, type);
        // The id is only a number of this run of libvirt.
        domain_.xml.attribute(domain, "id");
        read_domain_os(domain_, domain.child("os"));
        for (const pugi::xml_node& element : domain.children()) {
            if (element.type() == pugi::node_element)
                read_element(element);
        }
        if (!domain_.has_memory)
            read_domain_node_memory(domain_, domain);
        read_domain_backing(domain_, domain);
        read_devices(domain.child("devices"));
        return finish(domain);
    }

  private:
    // A PC can be imported whichever hypervisor ran it. Containers cannot, nor can guests that only
    // run on their own hypervisor.
    void read_hypervisor(const pugi::xml_node& domain, const std::string& type) {
        constexpr std::array<std::string_view, 3> ours = {"kvm", "qemu", "hvf"};
        constexpr std::array<std::string_view, 8> others = {"xen", "vmware",    "bhyve", "hyperv",
                                                            "vz",  "parallels", "vbox",  "test"};
        if (is_one_of(type, ours))
            return;
        if (!is_one_of(type, others) || !domain.child("os").child("type"))
            throw LauncherError(
                domain_.source + ": tapgate cannot import a domain of type " + quoted_word(type) +
                ", only those of kvm and qemu, and PCs (<type>hvm) of other hypervisors");
        domain_.hypervisor = type;
    }

    void note_hypervisor(const pugi::xml_node& domain, const std::string& type) {
        std::string why = "KVM where /dev/kvm can be opened";
        if (type == "hvf")
            why = "KVM instead of hvf, where /dev/kvm can be opened";
        else if (!domain_.hypervisor.empty())
            why += "; it ran on " + type +
                   ": the guest needs drivers for its new devices, and its tools and agents for " +
                   type + " no longer do anything";
        result_.changed(tag_of(domain), "accel = auto", why);
    }

    void name_snapshot(const pugi::xml_node& snapshot) {
        std::string said = tag_of(snapshot);
        for (const pugi::xml_node& child : snapshot.children()) {
            const std::string_view name = child.name();
            if (child.type() == pugi::node_element && name != "domain" && name != "inactiveDomain")
                said += tag_of(child) + contents_of(child);
        }
        result_.dropped(shown(said),
                        "the VM is imported with the settings that it had when this was made; its "
                        "memory and the contents of its disks from then are not");
    }

    // Says so if it is a description of something else in libvirt, or VirtualBox' of a VM.
    static std::string instead_of_domain(const pugi::xml_document& document) {
        const std::string_view root = document.document_element().name();
        if (root == "VirtualBox")
            return ": " + std::string(instead_of_description(".vbox"));
        constexpr std::array<std::string_view, 5> others = {"network", "pool", "volume",
                                                            "domainbackup", "capabilities"};
        return is_one_of(root, others) ? ", but a <" + std::string(root) +
                                             ">; `virsh dumpxml NAME' prints the domain of a VM"
                                       : "";
    }

    // The domain is either alone, or inside what libvirt keeps about one that runs or has
    // snapshots.
    pugi::xml_node find_domain(const pugi::xml_document& document) {
        for (const char* const around : {"domstatus", "domainsnapshot", "domaincheckpoint"}) {
            const pugi::xml_node outer = document.child(around);
            if (!outer)
                continue;
            const pugi::xml_node inner = outer.child("domain");
            // Before a snapshot is made, and in old snapshots, there is at most a UUID.
            if (!inner.attribute("type"))
                throw LauncherError(domain_.source + ": the VM's description is missing in this <" +
                                    around + ">; `virsh dumpxml NAME' prints it");
            if (std::string_view(around) == "domstatus")
                result_.dropped(tag_of(outer), "libvirt's notes on one run of the VM");
            else
                name_snapshot(outer);
            return inner;
        }
        const pugi::xml_node domain = document.child("domain");
        if (!domain)
            throw LauncherError(domain_.source + ": not a libvirt domain" +
                                instead_of_domain(document));
        for (pugi::xml_node other = domain.next_sibling("domain"); other;
             other = other.next_sibling("domain"))
            result_.dropped(tag_of(other) + shown(contents_of(other)),
                            "only the first domain of the file is imported; `virt-install "
                            "--print-xml' writes one for the installation, and then the final one: "
                            "to import that, put it into a file of its own");
        return domain;
    }

    Translation finish(const pugi::xml_node& domain) {
        if (!domain_.has_memory) {
            result_.set("memory", "1G");
            result_.added("memory = 1G", "the domain does not say how much memory it has");
        }
        domain_.disks.finish();
        // If there is no boot order, libvirt itself writes <boot dev='hd'>.
        const bool is_said = domain_.boot.is_said();
        if (!is_said) {
            domain_.boot.set_kinds({BootKind::disk}, "");
            domain_.boot.set_strict();
            domain_.boot.set_first_of_kind();
        }
        domain_.boot.finish(
            result_,
            is_said ? "" : "no boot order is given, and libvirt starts the first disk then");
        place_kept_devices(domain_.machine, result_);
        // Otherwise tapgate's default adapter would be added.
        if (!has_setting("net")) {
            result_.set("net", "none");
            result_.added("net = none", domain_.has_net
                                            ? "all of its network adapters are kept as qemu-arg"
                                            : "no network adapter was imported");
        }
        if (!domain_.has_screen)
            result_.set("display", "none");
        fit_pointers(result_);
        if (domain_.hypervisor.empty() && !has_setting("cpu"))
            result_.added("cpu = auto",
                          "no CPU model is given; libvirt would take QEMU's qemu64 (cpu=qemu64), "
                          "but here the guest has the host's CPU with KVM");
        if (!domain_.has_acpi)
            result_.added("ACPI",
                          "the domain has no <acpi/>, but tapgate's VMs have ACPI, with which "
                          "`tapgate stop' asks the guest to power off (--qemu-arg=-machine "
                          "--qemu-arg=acpi=off turns it off)");
        note_what_all_have(domain);
        for (const pugi::xml_attribute& attribute : domain.attributes()) {
            const std::string_view name = attribute.name();
            if (name != "type" && name != "id" && !name.starts_with("xmlns"))
                result_.dropped(std::string(name) + "='" + attribute.value() + "'",
                                "tapgate has no setting for it");
        }
        if (domain_.xml.places() > 0)
            result_.dropped(std::to_string(domain_.xml.places()) + " <address> and <alias>",
                            "tapgate gives each device its place");
        std::stable_partition(result_.settings.begin(), result_.settings.end(),
                              [](const auto& setting) { return setting.first != "qemu-arg"; });
        return std::move(result_);
    }

    // Notes what every VM here has or lacks, unless the domain mentions it; then a note of its own
    // says it.
    void note_what_all_have(const pugi::xml_node& domain) {
        const pugi::xml_node devices = domain.child("devices");
        std::string all;
        const auto add = [&](bool said, std::string_view what) {
            if (!said)
                all.append(all.empty() ? "" : ", ").append(what);
        };
        add(devices.child("serial") || devices.child("console"), "a serial line");
        add(devices.child("channel"), "the guest agent's channel");
        add(devices.child("rng"), "a random number generator");
        add(!domain_.has_screen || devices.find_child_by_attribute("input", "type", "tablet"),
            "a USB tablet");
        add(domain.child("clock").find_child_by_attribute("timer", "name", "hpet"), "no HPET");
        add(domain.child("features").child("vmport"), "no vmport");
        add(domain.child("pm"), "no sleep states");
        if (!all.empty())
            result_.added(all, "all of tapgate's VMs are like this");
    }

    [[nodiscard]] bool has_setting(std::string_view key) const {
        return std::any_of(result_.settings.begin(), result_.settings.end(),
                           [&](const auto& setting) { return setting.first == key; });
    }

    void find_controllers(const pugi::xml_node& devices) {
        unsigned unnumbered = 0;
        for (const pugi::xml_node& controller : devices.children("controller")) {
            const std::string_view type = controller.attribute("type").value();
            const std::string model = controller.attribute("model").value();
            // Controllers without an index get the next one.
            std::string index = controller.attribute("index").value();
            if (type == "scsi" && index.empty())
                index = std::to_string(unnumbered++);
            if (type == "scsi" && !model.empty() && model != "auto")
                domain_.scsi_controllers.emplace(index, model);
            if (type == "nvme")
                domain_.nvme_serial = trimmed(controller.child("serial").child_value(), " \t\r\n");
            if (type == "usb" && !model.empty() && model != "qemu-xhci" && model != "none")
                domain_.usb_controller = model;
        }
    }

    void read_element(const pugi::xml_node& element) {
        struct DroppedElement {
            std::string_view element;
            std::string_view why;
        };
        constexpr std::string_view host =
            "tapgate has no settings for how much of the host a VM may use; see "
            "systemd.resource-control(5)";
        constexpr std::string_view words =
            "a description for people and programs, which changes nothing";
        static constexpr DroppedElement dropped[] = {
            {"title", words},
            {"description", words},
            {"metadata", words},
            {"currentMemory", "the guest has all of its memory (memory =) from the start"},
            {"maxMemory", "memory cannot be plugged in later"},
            {"cputune", host},
            {"numatune", host},
            {"blkiotune", host},
            {"memtune", host},
            {"resource", host},
            {"iothreads", "tapgate's disks run in QEMU's main loop"},
            {"iothreadids", "tapgate's disks run in QEMU's main loop"},
            {"defaultiothread", "tapgate's disks run in QEMU's main loop"},
            {"vcpus", "all CPUs are there from the start"},
            {"on_poweroff", "when the guest powers off, its VM ends"},
            {"on_crash", "a VM that crashes ends, and tapgate status says so"},
            {"on_lockfailure", "tapgate has no lock manager"},
            {"pm", "the guest cannot suspend: nobody would wake it"},
            {"seclabel", "tapgate and the host confine the VM in their own way; see tapgate(1)"},
            {"launchSecurity",
             "the guest's memory is NOT encrypted against the host: tapgate has no setting for "
             "that"},
            {"perf", "tapgate has no setting for it"},
            {"bootloader",
             "it is for Xen or bhyve; tapgate's VMs boot from their disks without it"},
            {"bootloader_args",
             "it is for Xen or bhyve; tapgate's VMs boot from their disks without it"},
            {"throttlegroups", host},
        };
        const std::string name(element.name());
        if (name == "devices" || name == "os" || name == "memoryBacking")
            return;
        if (read_known(element, name))
            return;
        const auto* const known =
            std::find_if(std::begin(dropped), std::end(dropped),
                         [&](const DroppedElement& one) { return one.element == name; });
        const std::string_view why =
            known != std::end(dropped) ? known->why : "tapgate has no setting for it";
        const std::string inside = contents_of(element);
        result_.dropped(tag_of(element) + (why == words ? shown(inside) : inside),
                        std::string(why));
    }

    // Elements that become a setting or a kept argument.
    bool read_known(const pugi::xml_node& element, const std::string& name) {
        XmlLeft& xml = domain_.xml;
        const std::string was = tag_of(element) + std::string(xml.text(element));
        if (name == "name") {
            result_.name = fitting_name(element.child_value());
            result_.changed(was, "VM " + result_.name, why_name);
        } else if (name == "uuid" && xml.text(element).empty()) {
            result_.dropped(was, "it is empty");
        } else if (name == "uuid") {
            result_.keep(was, {"-uuid", xml.text(element)});
        } else if (name == "genid" && !xml.text(element).empty()) {
            result_.keep(was, {"-device", "vmgenid,guid=" + xml.text(element)});
        } else if (name == "memory") {
            read_domain_memory(domain_, element);
        } else if (name == "vcpu") {
            read_vcpu(element);
        } else if (name == "cpu") {
            // The topology replaces the number alone, wherever that comes in the file.
            read_vcpu(element.parent().child("vcpu"));
            read_domain_cpu(domain_, element);
        } else if (name == "clock") {
            read_domain_clock(domain_, element);
        } else if (name == "features") {
            read_domain_features(domain_, element);
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

    void read_vcpu(const pugi::xml_node& vcpu) {
        if (vcpu && !std::exchange(has_vcpu_, true))
            read_domain_vcpu(domain_, vcpu);
    }

    void read_sysinfo(const pugi::xml_node& sysinfo) {
        const std::string_view type = sysinfo.attribute("type").value();
        if (type == "smbios" && domain_.smbios != "sysinfo")
            result_.dropped(tag_of(sysinfo),
                            "without <smbios mode='sysinfo'> the guest did not "
                            "see it");
        else
            read_domain_sysinfo(domain_, sysinfo);
    }

    // <qemu:commandline> holds arguments that somebody gave to QEMU directly.
    void read_command_line(const pugi::xml_node& element) {
        if (!domain_.hypervisor.empty()) {
            result_.dropped(tag_of(element) + contents_of(element),
                            "these arguments were for " + domain_.hypervisor + ", not for QEMU");
            return;
        }
        std::vector<std::string> arguments;
        for (const pugi::xml_node& child : element.children()) {
            const std::string_view name = local_name(child.name());
            if (name == "arg")
                arguments.push_back(domain_.xml.attribute(child, "value"));
            else if (child.type() == pugi::node_element)
                result_.dropped(tag_of(child), name == "env"
                                                   ? "tapgate gives QEMU an environment of its own"
                                                   : "tapgate has no setting for it");
        }
        drop_removed(tag_of(element), arguments);
        if (arguments.empty())
            return;
        std::string why = "unchanged; check that QEMU still takes them";
        if (needs_usb(arguments) && !domain_.machine.has_usb) {
            domain_.machine.has_usb = true;
            arguments.insert(arguments.begin(), {"-device", kept_usb_controller});
            add_reason(why, "with a USB controller of its own (USB 3: qemu-xhci)");
        }
        result_.keep(tag_of(element), arguments, why);
    }

    // QEMU refuses to start with an option that it has no longer.
    void drop_removed(const std::string& was, std::vector<std::string>& arguments) {
        struct Removed {
            std::string_view option;
            int values;
            const char* instead;
        };
        constexpr Removed all[] = {
            {"-redir", 1, "--net=user,hostfwd=... does that now"},
            {"-soundhw", 1, "--qemu-arg=-device --qemu-arg=intel-hda and the like do that now"},
            {"-balloon", 1, "all of tapgate's VMs have a balloon"},
            {"-realtime", 1, "--qemu-arg=-overcommit --qemu-arg=mem-lock=on does that now"},
            {"-no-kvm", 0, "--accel=tcg does that now"},
            {"-tdf", 0, "it had no effect"},
        };
        for (auto at = arguments.begin(); at != arguments.end();) {
            const Removed* const removed = std::find_if(
                std::begin(all), std::end(all), [&](const auto& one) { return *at == one.option; });
            const auto end =
                removed == std::end(all)
                    ? at
                    : at + std::min(1 + removed->values, static_cast<int>(arguments.end() - at));
            if (end == at) {
                at++;
                continue;
            }
            std::string text = *at;
            for (auto value = at + 1; value != end; value++)
                text += " " + *value;
            result_.dropped(was + " " + text,
                            std::string("QEMU has it no longer: ") + removed->instead);
            at = arguments.erase(at, end);
        }
    }

    // A device on any controller: libvirt gave the VM one, while tapgate's own comes after the
    // arguments that are kept.
    static bool needs_usb(const std::vector<std::string>& arguments) {
        bool has_device = false;
        for (const std::string& one : arguments) {
            if (one == "-usb" || one.find("hci") != std::string::npos)
                return false;
            has_device = has_device || (one.starts_with("usb-") && one.find("bus=") == one.npos);
        }
        return has_device;
    }

    void read_devices(const pugi::xml_node& devices) {
        std::vector<pugi::xml_node> all;
        for (const pugi::xml_node& device : devices.children()) {
            if (device.type() == pugi::node_element)
                all.push_back(device);
        }
        order_disks(all);
        order_adapters(all);
        order_serial_lines(all);
        // <console> may name the serial line, which has to come first then.
        std::stable_partition(all.begin(), all.end(), [](const pugi::xml_node& node) {
            return std::string_view(node.name()) != "console";
        });
        for (const pugi::xml_node& device : all)
            read_domain_device(domain_, device);
    }

    // libvirt orders the disks of a bus by their targets, whatever their order in the file.
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

    // Puts the devices of one name into an order, among the seats that they have.
    template <typename Key>
    static void sort_named(std::vector<pugi::xml_node>& devices, std::string_view name, Key key) {
        std::vector<size_t> seats;
        std::vector<pugi::xml_node> named;
        for (size_t i = 0; i < devices.size(); i++) {
            if (devices[i].name() == name) {
                seats.push_back(i);
                named.push_back(devices[i]);
            }
        }
        std::stable_sort(
            named.begin(), named.end(),
            [&](const pugi::xml_node& a, const pugi::xml_node& b) { return key(a) < key(b); });
        for (size_t i = 0; i < seats.size(); i++)
            devices[seats[i]] = named[i];
    }

    // A guest finds adapters in the order of their places, if all give theirs.
    void order_adapters(std::vector<pugi::xml_node>& devices) {
        bool all_placed = true;
        for (const pugi::xml_node& device : devices) {
            if (std::string_view(device.name()) != "interface")
                continue;
            domain_.adapters.emplace(device.internal_object(),
                                     static_cast<unsigned>(domain_.adapters.size()));
            all_placed = all_placed && domain_pci_place(device).has_value();
        }
        if (all_placed)
            sort_named(devices, "interface", domain_pci_place);
    }

    // The guest's first line is the one with the lowest port.
    static void order_serial_lines(std::vector<pugi::xml_node>& devices) {
        sort_named(devices, "serial", [](const pugi::xml_node& line) {
            return line.child("target").attribute("port").as_uint();
        });
    }

    // "vdb" comes before "vdaa".
    static std::pair<size_t, std::string> target_key(const pugi::xml_node& disk) {
        const std::string name = disk.child("target").attribute("dev").value();
        return {name.size(), name};
    }

    DomainParts domain_;
    Translation& result_ = domain_.result;
    bool has_vcpu_ = false;
};

}  // namespace

Translation translate_domain(std::string_view text, const std::string& source) {
    return DomainReader(source).read(text);
}

}  // namespace tapgate
