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

bool is_efi(std::string_view firmware) {
    return firmware.starts_with("efi") || firmware.starts_with("EFI");
}

// What has been found of the firmware; of several statements, the last one counts.
class FoundFirmware {
  public:
    explicit FoundFirmware(Translation& translation) : translation_(translation) {}

    void set_firmware(const std::string& value, const std::string& tag) {
        leave_out(was, tag, is_efi(firmware) == is_efi(value));
        firmware = value;
    }

    void set_secure(bool value, const std::string& tag) {
        leave_out(secure_was, tag, secure == value);
        secure = value;
    }

    std::string firmware;
    std::string was;  // the tags that say so
    bool secure = false;
    std::string secure_was;

  private:
    // Names the tags until now if the new one contradicts them.
    void leave_out(std::string& tags, const std::string& tag, bool same) {
        if (!tags.empty() && !same) {
            translation_.dropped(tags, "it contradicts " + tag + ", which comes later and counts");
            tags.clear();
        }
        tags += tag;
    }

    Translation& translation_;
};

// VMware's words; `others` are keys that are about something else.
void read_config(const pugi::xml_node& config, Translation& translation, FoundFirmware& found,
                 std::string& others) {
    const std::string key = attribute_of(config, "key");
    const std::string value = attribute_of(config, "value");
    const bool yes = value == "true" || value == "TRUE" || value == "1";
    if (key == "firmware" && !value.empty()) {
        found.set_firmware(value, tag_of(config));
    } else if (key == "bootOptions.efiSecureBootEnabled" || key == "uefi.secureBoot.enabled") {
        found.set_secure(yes, tag_of(config));
    } else if (key == "nestedHVEnabled" && yes) {
        translation.dropped(tag_of(config),
                            "the guest can do this if the host's KVM allows it (nested = auto); "
                            "--nested=on insists on it");
    } else {
        others += (others.empty() ? "" : ", ") + key + "=" + value + contents_of(config);
    }
}

// Returns the keys that are about something else.
std::string read_configs(const pugi::xml_node& hardware, const std::string& configuration,
                         Translation& translation, FoundFirmware& found) {
    std::string others;
    for (const pugi::xml_node& config : hardware.children()) {
        const std::string_view name = local_name(config.name());
        if (name != "Config" && name != "ExtraConfig")
            continue;
        if (is_for_configuration(config, configuration))
            read_config(config, translation, found, others);
        else
            translation.dropped(tag_of(config), for_another_configuration);
    }
    return others;
}

// Xen's words.
void read_other_data(const pugi::xml_node& hardware, Translation& translation,
                     FoundFirmware& found) {
    for (const pugi::xml_node& data : hardware.children()) {
        if (local_name(data.name()) != "VirtualSystemOtherConfigurationData")
            continue;
        const std::string value = text_of(data, "Value");
        if (has_word(value, "firmware=uefi")) {
            found.set_firmware("efi", tag_of(data) + value);
        } else if (has_word(value, "secureboot=true")) {
            found.set_secure(true, tag_of(data) + value);
        } else {
            translation.dropped(tag_of(data) + contents_of(data), "tapgate has no setting for it");
        }
    }
}

// VirtualBox's words.
void read_virtualbox(const pugi::xml_node& system, FoundFirmware& found) {
    for (const pugi::xml_node& machine : system.children()) {
        const pugi::xml_node firmware = child_named(child_named(machine, "Hardware"), "Firmware");
        if (local_name(machine.name()) != "Machine" || !firmware)
            continue;
        found.set_firmware(attribute_of(firmware, "type"), tag_of(firmware));
    }
}

// oVirt's number for the machine and its firmware.
void read_ovirt(const pugi::xml_node& system, Translation& translation, FoundFirmware& found) {
    const std::string kind = text_of(system, "BiosType");
    if (kind.empty())
        return;
    if (const OvirtKind* const known = ovirt_kind(kind)) {
        found.set_firmware(std::string(known->firmware), "<BiosType>" + kind);
        found.secure = found.secure || known->secure;
    } else {
        translation.dropped("<BiosType>" + kind, "tapgate does not know this number");
    }
}

void set_firmware(const FoundFirmware& found, Translation& translation) {
    const std::string was = found.was + found.secure_was;
    if (is_efi(found.firmware)) {
        const std::string value = found.secure ? "uefi-secure" : "uefi";
        translation.set("firmware", value);
        translation.changed(was, "firmware = " + value,
                            "the firmware of this host, with new variables");
    } else if (!found.firmware.empty()) {
        translation.changed(was, "firmware = bios");
    } else if (!found.secure_was.empty()) {
        translation.dropped(found.secure_was, "without EFI there is no Secure Boot");
    }
}

}  // namespace

void read_ovf_firmware(const pugi::xml_node& system, const pugi::xml_node& hardware,
                       const std::string& configuration, Translation& translation) {
    FoundFirmware found(translation);
    const std::string others = read_configs(hardware, configuration, translation, found);
    read_other_data(hardware, translation, found);
    read_virtualbox(system, found);
    read_ovirt(system, translation, found);
    set_firmware(found, translation);
    if (!others.empty())
        translation.dropped("<Config> " + others, "tapgate has no setting for it");
}

std::string_view ovirt_machine(const pugi::xml_node& system) {
    const OvirtKind* const known = ovirt_kind(text_of(system, "BiosType"));
    return known == nullptr ? std::string_view() : known->machine;
}

}  // namespace tapgate
