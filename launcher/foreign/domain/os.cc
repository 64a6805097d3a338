// SPDX-License-Identifier: GPL-2.0-or-later
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

void read_kernel(DomainParts& domain, const pugi::xml_node& os) {
    for (const char* const key : {"kernel", "initrd", "cmdline"}) {
        const pugi::xml_node node = os.child(key);
        const std::string value = domain.xml.text(node);
        if (value.empty())
            continue;
        const bool append = std::string_view(key) == "cmdline";
        if (std::string_view(key) != "kernel" && domain.xml.text(os.child("kernel")).empty())
            domain.result.dropped(tag_of(node) + value,
                                  "it is for a kernel, and no kernel is given");
        else if (!append && !value.starts_with('/'))
            domain.result.dropped(tag_of(node) + value, "its path is not absolute");
        else
            domain.set(tag_of(node) + value, append ? "append" : key, value);
    }
}

// The user's own ACPI tables, each in a file.
void read_acpi_tables(DomainParts& domain, const pugi::xml_node& acpi) {
    XmlLeft& xml = domain.xml;
    for (const pugi::xml_node& table : acpi.children("table")) {
        const std::string file = xml.text(table);
        if (!file.starts_with('/'))
            continue;
        const std::string type = xml.attribute(table, "type");
        const std::string signature = type == "slic"   ? "sig=SLIC,"
                                      : type == "msdm" ? "sig=MSDM,"
                                                       : "";
        xml.attribute(acpi, "");
        domain.result.keep(tag_of(acpi) + tag_of(table) + file,
                           {"-acpitable", signature + "file=" + commas_doubled(file)});
    }
}

bool wants_secure_boot(const pugi::xml_node& os) {
    const pugi::xml_node feature =
        os.child("firmware").find_child_by_attribute("feature", "name", "secure-boot");
    return feature.attribute("enabled").value() == std::string_view("yes") ||
           os.child("loader").attribute("secure").value() == std::string_view("yes");
}

}  // namespace

void read_domain_machine(DomainParts& domain, const pugi::xml_node& os) {
    XmlLeft& xml = domain.xml;
    const pugi::xml_node type = os.child("type");
    const std::string arch = xml.attribute(type, "arch");
    const std::string machine = xml.attribute(type, "machine");
    if (xml.text(type) == "linux" || xml.text(type) == "xenpvh")
        throw LauncherError(domain.source + ": " + shown(tag_of(type)) +
                            ": the guest was made for Xen and does not start on a PC: virt-v2v(1) "
                            "makes a VM for QEMU of it");
    if (type && ((!arch.empty() && arch != "x86_64" && arch != "i686") || xml.text(type) != "hvm" ||
                 machine == "isapc" || machine == "microvm" || machine == "none"))
        throw LauncherError(
            domain.source + ": " + shown(tag_of(type)) +
            ": tapgate's VMs are x86 PCs (pc, q35), and this is another kind of machine");
    // No PC of another hypervisor's is one of QEMU's two.
    const bool for_secure_boot =
        !domain.hypervisor.empty() && machine.empty() && wants_secure_boot(os);
    domain.machine.q35 = machine.find("q35") != std::string::npos || for_secure_boot;
    const std::string ours = domain.machine.q35 ? "q35" : "pc";
    domain.set(type ? tag_of(type) : "<os>", "machine", ours,
               for_secure_boot                      ? "it has Secure Boot"
               : machine == ours || machine.empty() ? ""
               : machine.starts_with("xen")
                   ? "Xen's own machine is a PC with additional disks and adapters for Xen"
                   : "the version only matters for saved states, which are not imported");
}

void read_domain_os(DomainParts& domain, const pugi::xml_node& os) {
    XmlLeft& xml = domain.xml;
    Translation& result = domain.result;
    read_kernel(domain, os);
    read_domain_firmware(domain, os);
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
        domain.boot.set_kinds(kinds, was);
        domain.boot.set_strict();
        domain.boot.set_first_of_kind();
    }
    for (const pugi::xml_node& element : os.children()) {
        const std::string_view name = element.name();
        if (name == "acpi") {
            read_acpi_tables(domain, element);
        } else if (name == "smbios") {
            domain.smbios = xml.attribute(element, "mode");
            if (domain.smbios != "sysinfo")
                result.dropped(tag_of(element), "the guest sees QEMU as the machine's maker");
        } else if (name == "bootmenu" || name == "bios") {
            xml.take(element);
            result.dropped(
                tag_of(element),
                name == "bios"
                    ? "the firmware starts as usual in QEMU; see -boot in qemu(1), and --qemu-arg"
                    : "a VM starts without waiting at a menu");
        }
    }
    if (const std::string left = domain.xml.left(os); !left.empty())
        result.dropped("<os>", "left out: " + left);
}

}  // namespace tapgate
