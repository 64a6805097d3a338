// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_firmware.h"

#include <iterator>
#include <string>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

struct OvirtKind {
    std::string_view machine;
    std::string_view firmware;
    bool secure = false;
};

// By its number in a descriptor, which is one less than in oVirt's interface; null if there is
// none.
const OvirtKind* ovirt_kind(const std::string& number) {
    static constexpr OvirtKind kinds[] = {
        {"pc", "bios"}, {"q35", "bios"}, {"q35", "efi"}, {"q35", "efi", true}};
    const auto place = parse_whole<size_t>(number);
    return place && *place < std::size(kinds) ? &kinds[*place] : nullptr;
}

// Is the word one of those in Xen's value, such as "firmware=uefi;order=dc"?
bool has_word(const std::string& value, std::string_view word) {
    return (";" + value + ";").find(";" + std::string(word) + ";") != std::string::npos;
}

}  // namespace

void read_ovf_firmware(const pugi::xml_node& system, const pugi::xml_node& hardware,
                       const std::string& configuration, Translation& translation) {
    std::string firmware;
    std::string was;
    bool secure = false;
    std::string secure_was;
    std::string others;
    for (const pugi::xml_node& config : hardware.children()) {
        const std::string_view name = local_name(config.name());
        if (name != "Config" && name != "ExtraConfig")
            continue;
        if (!is_for_configuration(config, configuration)) {
            translation.dropped(tag_of(config), "it is for another configuration");
            continue;
        }
        const std::string key = attribute_of(config, "key");
        const std::string value = attribute_of(config, "value");
        const bool yes = value == "true" || value == "TRUE" || value == "1";
        if (key == "firmware") {
            firmware = value;
            was = tag_of(config);
        } else if (key == "bootOptions.efiSecureBootEnabled" || key == "uefi.secureBoot.enabled") {
            secure = yes;
            secure_was = tag_of(config);
        } else if (key == "nestedHVEnabled" && yes) {
            translation.dropped(tag_of(config),
                                "the guest has what the host's KVM gives it (nested = auto); "
                                "--nested=on insists on it");
        } else {
            others += (others.empty() ? "" : ", ") + key + "=" + value;
        }
    }
    for (const pugi::xml_node& data : hardware.children()) {
        if (local_name(data.name()) != "VirtualSystemOtherConfigurationData")
            continue;
        const std::string value = text_of(data, "Value");
        if (has_word(value, "firmware=uefi")) {
            firmware = "efi";
            was += tag_of(data) + value;
        } else if (has_word(value, "secureboot=true")) {
            secure = true;
            secure_was += tag_of(data) + value;
        } else {
            translation.dropped(tag_of(data) + contents_of(data), "no setting is like it");
        }
    }
    for (const pugi::xml_node& machine : system.children()) {
        const pugi::xml_node found = child_named(child_named(machine, "Hardware"), "Firmware");
        if (local_name(machine.name()) != "Machine" || !found)
            continue;
        firmware = attribute_of(found, "type");
        was = tag_of(found);
    }
    if (const std::string kind = text_of(system, "BiosType"); !kind.empty()) {
        if (const OvirtKind* const known = ovirt_kind(kind)) {
            firmware = known->firmware;
            secure = known->secure;
            was = "<BiosType>" + kind;
        } else {
            translation.dropped("<BiosType>" + kind, "nobody knows this number");
        }
    }
    was += secure_was;
    const bool efi = firmware.starts_with("efi") || firmware.starts_with("EFI");
    if (efi) {
        translation.set("firmware", secure ? "uefi-secure" : "uefi");
        translation.changed(was, std::string("firmware = ") + (secure ? "uefi-secure" : "uefi"),
                            "that of this host, with variables of its own");
    } else if (!firmware.empty()) {
        translation.changed(was, "firmware = bios");
    } else if (!secure_was.empty()) {
        translation.dropped(secure_was, "without EFI there is no Secure Boot");
    }
    if (!others.empty())
        translation.dropped("<Config>", shown(others) + ": no setting is like it");
}

std::string_view ovirt_machine(const pugi::xml_node& system) {
    const OvirtKind* const known = ovirt_kind(text_of(system, "BiosType"));
    return known == nullptr ? std::string_view() : known->machine;
}

}  // namespace tapgate
