// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// SeaBIOS, or what Xen has instead: the machine pc has such a BIOS by default.
bool is_usual_bios(const std::string& file) {
    constexpr std::array<std::string_view, 3> names = {"seabios", "bios.bin", "hvmloader"};
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view name) { return file.find(name) != std::string::npos; });
}

// What has been found of the guest's firmware.
struct FoundFirmware {
    FirmwareKind kind = FirmwareKind::other;
    std::string was;
    std::string why;
    bool is_kept = false;  // a BIOS from a file, which QEMU gets as it is

    void add_was(const std::string& text) { was.append(was.empty() ? "" : " ").append(text); }
};

// <os firmware='efi'> and the <feature>s of <firmware>: libvirt chooses a file that has them.
void read_wishes(XmlLeft& xml, const pugi::xml_node& os, FoundFirmware& found) {
    const std::string firmware = xml.attribute(os, "firmware");
    if (!firmware.empty())
        found.add_was(tag_of(os));
    if (firmware == "efi")
        found.kind = FirmwareKind::uefi;
    std::optional<bool> secure;
    std::optional<bool> keys;
    xml.attribute(os.child("firmware"), "type");
    for (const pugi::xml_node& feature : os.child("firmware").children("feature")) {
        const std::string name = xml.attribute(feature, "name");
        const bool enabled = xml.attribute(feature, "enabled") == "yes";
        found.add_was(tag_of(feature));
        if (name == "secure-boot")
            secure = enabled;
        else if (name == "enrolled-keys")
            keys = enabled;
    }
    // Only firmware with Secure Boot has keys.
    if (secure ? *secure : keys == true)
        found.kind = FirmwareKind::uefi_secure;
    if (keys && *keys != (found.kind == FirmwareKind::uefi_secure))
        add_reason(found.why, *keys ? "enrolled keys have no effect without secure-boot"
                                    : "uefi-secure always has the keys of its distribution");
}

// A BIOS of the user is kept; instead of the usual one, the guest gets that of this host.
void read_bios(Translation& result, const pugi::xml_node& loader, const std::string& file,
               FoundFirmware& found) {
    if (is_usual_bios(file) || !file.starts_with('/'))
        return;
    result.keep(tag_of(loader) + file, {"-bios", file}, "the guest's firmware");
    found.is_kept = true;
}

// <loader>: the file that the firmware is in.
void read_loader(DomainParts& domain, const pugi::xml_node& os, FoundFirmware& found) {
    XmlLeft& xml = domain.xml;
    const pugi::xml_node loader = os.child("loader");
    if (!loader)
        return;
    const std::string file = xml.text(loader);
    const std::string type = xml.attribute(loader, "type");
    const std::string secure = xml.attribute(loader, "secure");
    for (const char* const plain : {"readonly", "format", "stateless"})
        xml.attribute(loader, plain);
    found.add_was(tag_of(loader) + file);
    const std::string_view wish = os.attribute("firmware").value();
    const FirmwareKind by_name = firmware_kind(file);
    // A file without a type is a ROM, unless there is a file for variables.
    const bool rom = type == "rom" || (type.empty() && !file.empty() && !os.child("nvram"));
    const bool bios = rom && by_name == FirmwareKind::other;
    if (bios && wish.empty())
        read_bios(domain.result, loader, file, found);
    else if (wish != "bios" && (secure == "yes" || by_name == FirmwareKind::uefi_secure))
        found.kind = FirmwareKind::uefi_secure;
    else if (wish != "bios" && found.kind == FirmwareKind::other && (type == "pflash" || !bios))
        found.kind = FirmwareKind::uefi;
    if (!secure.empty() && secure != "yes" && secure != "no")
        add_reason(found.why, "secure=" + quoted_word(secure) + " is neither yes nor no");
    if (secure == "no" && found.kind == FirmwareKind::uefi_secure)
        found.kind = FirmwareKind::uefi;
}

// <nvram>: the file of UEFI's variables.
void read_nvram(DomainParts& domain, const pugi::xml_node& os, FoundFirmware& found) {
    XmlLeft& xml = domain.xml;
    const pugi::xml_node nvram = os.child("nvram");
    if (!nvram)
        return;
    found.add_was(tag_of(nvram) + contents_of(nvram));
    const std::string said = xml.text(nvram);
    const std::string path = said.empty() ? nvram.child("source").attribute("file").value() : said;
    const auto format = image_format(nvram.attribute("format").as_string("raw"));
    xml.take(nvram);
    if (os.attribute("firmware").value() == std::string_view("bios"))
        return;
    if (path.starts_with('/') && format) {
        domain.result.variables = path;
        domain.result.variables_format = *format;
    }
    if (found.kind == FirmwareKind::other)
        found.kind = FirmwareKind::uefi;
}

void set_firmware(DomainParts& domain, FoundFirmware& found) {
    domain.uefi = found.kind != FirmwareKind::other;
    domain.secure_boot = found.kind == FirmwareKind::uefi_secure;
    if (domain.uefi) {
        add_reason(found.why,
                   domain.result.variables.empty()
                       ? "the firmware of this host, with new variables: its boot menu is empty, "
                         "so the guest boots from \\EFI\\BOOT until its entries are made again"
                       : "the firmware of this host; the guest's variables are copied if that file "
                         "can be read, and are new otherwise");
        domain.set(found.was, "firmware", domain.secure_boot ? "uefi-secure" : "uefi", found.why);
    } else if (!found.was.empty() && !found.is_kept) {
        domain.set(found.was, "firmware", "bios",
                   found.why.empty() ? "the firmware of this host" : found.why);
    }
}

}  // namespace

void read_domain_firmware(DomainParts& domain, const pugi::xml_node& os) {
    FoundFirmware found;
    read_wishes(domain.xml, os, found);
    read_loader(domain, os, found);
    read_nvram(domain, os, found);
    if (found.kind == FirmwareKind::uefi_secure && !domain.machine.q35) {
        add_reason(found.why, "without Secure Boot, which machine pc does not have");
        found.kind = FirmwareKind::uefi;
    }
    set_firmware(domain, found);
}

}  // namespace tapgate
