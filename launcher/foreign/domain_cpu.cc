// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/domain_parts.h"
#include "launcher/foreign/words.h"
#include "launcher/foreign/xml_document.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

// "...,+vmx,-hle"; `forbid' and `disable' take away.
std::string features_of(XmlLeft& xml, const pugi::xml_node& cpu, std::string& why) {
    std::string text;
    for (const pugi::xml_node& feature : cpu.children("feature")) {
        const std::string policy = xml.attribute(feature, "policy");
        const std::string name = xml.attribute(feature, "name");
        if (policy == "optional")
            add_reason(why, name + " was optional, and is not asked for");
        else if (policy == "force" || policy == "require" || policy.empty())
            text += ",+" + name;
        else
            text += ",-" + name;
    }
    return text;
}

void read_model(DomainParts& domain, const pugi::xml_node& cpu, std::string& why) {
    XmlLeft& xml = domain.xml;
    const std::string mode = xml.attribute(cpu, "mode");
    const std::string match = xml.attribute(cpu, "match");
    const pugi::xml_node model_node = cpu.child("model");
    const std::string model = xml.text(model_node);
    const std::string fallback = xml.attribute(model_node, "fallback");
    // How strictly the host's CPU is compared with it: QEMU itself leaves out what cannot be.
    if (const std::string check = xml.attribute(cpu, "check"); check == "full" || match == "strict")
        add_reason(why, "a host whose CPU lacks some of it is not refused");
    if (fallback == "forbid")
        add_reason(why, "no other model takes its place");
    if (const std::string vendor = xml.attribute(model_node, "vendor_id"); !vendor.empty())
        add_reason(why, "left out: vendor_id=" + vendor);
    xml.attribute(cpu, "migratable");
    const std::string features = features_of(xml, cpu, why);
    if (mode == "custom" || (mode.empty() && !model.empty())) {
        const std::string value = model + features;
        const bool fits = CpuModel::parse(value).has_value();
        if (!fits)
            add_reason(why, "no CPU model that QEMU takes");
        domain.set(tag_of(cpu) + model, "cpu", fits ? value : "auto", domain.with_left(cpu, why));
        return;
    }
    if (mode.empty() && !cpu.child("feature")) {
        if (const std::string left = domain.with_left(cpu, why); !left.empty())
            domain.result.dropped(tag_of(cpu), left);
        return;
    }
    add_reason(why, "the host's CPU with KVM");
    if (!features.empty())
        add_reason(why, "left out: " + features.substr(1) + " (cpu=host" + features +
                            " is that, and needs KVM)");
    domain.set(tag_of(cpu), "cpu", "auto", domain.with_left(cpu, why));
}

}  // namespace

void read_domain_cpu(DomainParts& domain, const pugi::xml_node& cpu, std::uint64_t cpus) {
    XmlLeft& xml = domain.xml;
    if (const pugi::xml_node topology = cpu.child("topology")) {
        const auto part = [&](const char* key) {
            const auto number = parse_whole<std::uint64_t>(xml.attribute(topology, key));
            return std::clamp<std::uint64_t>(number.value_or(1), 1, 65535);
        };
        const std::uint64_t sockets = part("sockets");
        const std::uint64_t dies = part("dies") * part("clusters");
        const std::uint64_t cores = part("cores");
        const std::uint64_t threads = part("threads");
        const std::uint64_t total = sockets * dies * cores * threads;
        const std::string was = tag_of(topology);
        if (total == cpus && dies == 1 && total <= CpuTopology::most_cpus)
            domain.set(was, "cpus",
                       std::to_string(cpus) + ",sockets=" + std::to_string(sockets) + ",cores=" +
                           std::to_string(cores) + ",threads=" + std::to_string(threads));
        else if (total == cpus)
            domain.result.dropped(was, "cpus= has sockets, cores and threads");
        else
            domain.result.dropped(was, "it comes to " + std::to_string(total) +
                                           " CPUs, and the guest starts with " +
                                           std::to_string(cpus));
        xml.take(topology);
    }
    std::string why;
    if (const pugi::xml_node numa = cpu.child("numa")) {
        domain.drop(numa, "one node has all of the memory: see -numa in qemu(1), and --qemu-arg");
        xml.take(numa);
    }
    read_model(domain, cpu, why);
}

void read_domain_os(DomainParts& domain, const pugi::xml_node& os) {
    XmlLeft& xml = domain.xml;
    Translation& result = domain.result;
    const std::string firmware = xml.attribute(os, "firmware");
    FirmwareKind kind = FirmwareKind::other;
    std::string was;
    std::string why;
    const auto add_was = [&](const std::string& text) {
        was.append(was.empty() ? "" : " ").append(text);
    };
    if (!firmware.empty())
        add_was(tag_of(os));
    if (firmware == "efi")
        kind = FirmwareKind::uefi;
    std::optional<bool> keys;
    bool is_own = false;
    xml.attribute(os.child("firmware"), "type");
    for (const pugi::xml_node& feature : os.child("firmware").children("feature")) {
        const std::string name = xml.attribute(feature, "name");
        const bool enabled = xml.attribute(feature, "enabled") == "yes";
        add_was(tag_of(feature));
        if (name == "secure-boot" && enabled)
            kind = FirmwareKind::uefi_secure;
        else if (name == "enrolled-keys")
            keys = enabled;
    }
    if (keys && *keys != (kind == FirmwareKind::uefi_secure))
        add_reason(why, *keys ? "keys without secure-boot check nothing"
                              : "uefi-secure comes with the keys of its distribution");
    if (const pugi::xml_node loader = os.child("loader")) {
        const std::string file = xml.text(loader);
        const std::string type = xml.attribute(loader, "type");
        const std::string secure = xml.attribute(loader, "secure");
        for (const char* const plain : {"readonly", "format", "stateless"})
            xml.attribute(loader, plain);
        add_was(tag_of(loader) + file);
        const FirmwareKind by_name = firmware_kind(file);
        const bool bios = type == "rom" && by_name == FirmwareKind::other;
        if (firmware == "bios" || (bios && firmware.empty())) {
            // SeaBIOS and its like, as pc has it; one that somebody has made stays.
            if (firmware != "bios" && file.find("seabios") == std::string::npos &&
                file.find("bios.bin") == std::string::npos && file.starts_with('/')) {
                result.keep(tag_of(loader) + file, {"-bios", file}, "the guest's firmware");
                is_own = true;
            }
        } else if (secure == "yes" || by_name == FirmwareKind::uefi_secure) {
            kind = FirmwareKind::uefi_secure;
        } else if (kind == FirmwareKind::other && (type == "pflash" || !bios)) {
            kind = FirmwareKind::uefi;
        }
        if (secure == "no" && kind == FirmwareKind::uefi_secure)
            kind = FirmwareKind::uefi;
    }
    if (const pugi::xml_node nvram = os.child("nvram")) {
        add_was(tag_of(nvram) + xml.text(nvram));
        xml.take(nvram);
        if (kind == FirmwareKind::other)
            kind = FirmwareKind::uefi;
    }
    if (kind == FirmwareKind::uefi_secure && !domain.machine.q35) {
        add_reason(why, "without Secure Boot, which machine pc does not have");
        kind = FirmwareKind::uefi;
    }
    domain.uefi = kind != FirmwareKind::other;
    domain.secure_boot = kind == FirmwareKind::uefi_secure;
    if (domain.uefi) {
        add_reason(why,
                   "that of this host, with variables of its own: what the guest has in its "
                   "boot menu it enters anew, or boots by \\EFI\\BOOT");
        domain.set(was, "firmware", domain.secure_boot ? "uefi-secure" : "uefi", why);
    } else if (!was.empty() && !is_own) {
        domain.set(was, "firmware", "bios", why.empty() ? "that of this host" : why);
    }
}

void read_domain_sysinfo(DomainParts& domain, const pugi::xml_node& sysinfo) {
    struct Table {
        const char* element;
        const char* type;
        std::array<std::pair<const char*, const char*>, 7> entries;  // libvirt's name and QEMU's
    };
    static constexpr Table tables[] = {
        {"bios",
         "0",
         {{{"vendor", "vendor"},
           {"version", "version"},
           {"date", "date"},
           {"release", "release"},
           {},
           {},
           {}}}},
        {"system",
         "1",
         {{{"manufacturer", "manufacturer"},
           {"product", "product"},
           {"version", "version"},
           {"serial", "serial"},
           {"uuid", "uuid"},
           {"sku", "sku"},
           {"family", "family"}}}},
        {"baseBoard",
         "2",
         {{{"manufacturer", "manufacturer"},
           {"product", "product"},
           {"version", "version"},
           {"serial", "serial"},
           {"asset", "asset"},
           {"location", "location"},
           {}}}},
        {"chassis",
         "3",
         {{{"manufacturer", "manufacturer"},
           {"version", "version"},
           {"serial", "serial"},
           {"asset", "asset"},
           {"sku", "sku"},
           {},
           {}}}},
    };
    XmlLeft& xml = domain.xml;
    std::vector<std::string> arguments;
    const std::string type = xml.attribute(sysinfo, "type");
    if (type == "fwcfg") {
        for (const pugi::xml_node& entry : sysinfo.children("entry")) {
            const std::string name = xml.attribute(entry, "name");
            const std::string file = xml.attribute(entry, "file");
            const std::string text = xml.text(entry);
            const std::string value =
                file.empty() ? ",string=" + commas_doubled(text) : ",file=" + commas_doubled(file);
            arguments.insert(arguments.end(), {"-fw_cfg", "name=" + commas_doubled(name) + value});
        }
    }
    for (const Table& table : tables) {
        for (const pugi::xml_node& part : sysinfo.children(table.element)) {
            std::string value = std::string("type=") + table.type;
            for (const pugi::xml_node& entry : part.children("entry")) {
                const std::string_view name = entry.attribute("name").value();
                for (const auto& [theirs, ours] : table.entries) {
                    if (theirs == nullptr || name != theirs)
                        continue;
                    xml.attribute(entry, "name");
                    value += std::string(",") + ours + "=" + commas_doubled(xml.text(entry));
                }
            }
            arguments.insert(arguments.end(), {"-smbios", value});
        }
    }
    for (const pugi::xml_node& entry : sysinfo.child("oemStrings").children("entry"))
        arguments.insert(arguments.end(),
                         {"-smbios", "type=11,value=" + commas_doubled(xml.text(entry))});
    for (const pugi::xml_node& part : sysinfo.children())
        xml.attribute(part, "name");
    const std::string why = domain.with_left(sysinfo, "");
    if (arguments.empty())
        domain.result.dropped(tag_of(sysinfo), why.empty() ? "nothing is in it" : why);
    else
        domain.result.keep(tag_of(sysinfo), arguments, why);
}

}  // namespace tapgate
