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

}  // namespace

void read_domain_firmware(DomainParts& domain, const pugi::xml_node& os) {
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
        // A file without a type is a ROM, unless there is a file for variables.
        const bool rom = type == "rom" || (type.empty() && !file.empty() && !os.child("nvram"));
        const bool bios = rom && by_name == FirmwareKind::other;
        if (firmware == "bios" || (bios && firmware.empty())) {
            // A BIOS that somebody has built is kept.
            if (firmware != "bios" && !is_usual_bios(file) && file.starts_with('/')) {
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
        add_was(tag_of(nvram) + contents_of(nvram));
        const std::string path = xml.text(nvram);
        const auto format = image_format(nvram.attribute("format").as_string("raw"));
        if (path.starts_with('/') && format) {
            result.variables = path;
            result.variables_format = *format;
        }
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
        add_reason(why, result.variables.empty()
                            ? "that of this host, with variables of its own: what the guest has in "
                              "its boot menu it enters anew, or boots by \\EFI\\BOOT"
                            : "that of this host; the variables are taken over when that file can "
                              "be read, and else are new ones");
        domain.set(was, "firmware", domain.secure_boot ? "uefi-secure" : "uefi", why);
    } else if (!was.empty() && !is_own) {
        domain.set(was, "firmware", "bios", why.empty() ? "that of this host" : why);
    }
}

}  // namespace tapgate
