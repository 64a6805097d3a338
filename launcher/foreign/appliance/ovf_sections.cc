// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_sections.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

std::string why_left_out(const pugi::xml_node& section, std::string_view known) {
    if (known == "OperatingSystemSection") {
        const std::string guest = text_of(section, "Description");
        return "no setting depends on it" + (guest.empty() ? "" : ": " + guest);
    }
    if (known == "ProductSection")
        return "its properties are for the guest, which asks VMware for them";
    if (known == "VirtualHardwareSection")
        return "the first hardware is taken";
    if (known == "BootOrderSection")
        return "--boot= says what the VM boots from besides its first disk";
    if (known == "Machine")
        return "VirtualBox's own words of the same machine: but for its firmware, its adapters, "
               "its clock and a boot from the network, what the OVF hardware says is taken";
    return "no setting is like it";
}

// Sections of OVF 0.9 are all <Section>; they are named by their type.
void name_section(const pugi::xml_node& section, Translation& translation) {
    const std::string known = ovf_name(section);
    if (section.type() == pugi::node_element)
        translation.dropped(tag_of(section) + (known == local_name(section.name()) ? "" : known) +
                                contents_of(section),
                            why_left_out(section, known));
}

void name_element(const pugi::xml_node& node, Translation& translation) {
    if (node.type() == pugi::node_element)
        translation.dropped(tag_of(node) + contents_of(node), "no setting is like it");
}

void name_left_hardware(const pugi::xml_node& hardware, Translation& translation) {
    for (const pugi::xml_node& said : child_named(hardware, "System").children()) {
        if (!is_one_of(local_name(said.name()),
                       {"ElementName", "InstanceID", "InstanceId", "VirtualSystemIdentifier",
                        "VirtualSystemType", "Caption", "Description"}))
            name_element(said, translation);
    }
    for (const pugi::xml_node& child : hardware.children()) {
        const std::string_view name = local_name(child.name());
        if (!name.ends_with("Item") && !is_one_of(name, {"Info", "System", "Config", "ExtraConfig",
                                                         "VirtualSystemOtherConfigurationData"}))
            name_element(child, translation);
    }
}

}  // namespace

void name_left_sections(const pugi::xml_node& envelope, const pugi::xml_node& system,
                        const std::vector<pugi::xml_node>& read, Translation& translation) {
    const pugi::xml_node hardware = ovf_section(system, "VirtualHardwareSection");
    for (const pugi::xml_node& section : envelope.children()) {
        if (!is_one_of(ovf_name(section), {"References", "DiskSection", "VirtualSystem",
                                           "VirtualSystemCollection", "DeploymentOptionSection"}))
            name_section(section, translation);
    }
    for (const pugi::xml_node& section : system.children()) {
        if (section != hardware && std::find(read.begin(), read.end(), section) == read.end() &&
            !is_one_of(ovf_name(section), {"Name", "Info", "BiosType"}))
            name_section(section, translation);
    }
    name_left_hardware(hardware, translation);
}

}  // namespace tapgate
