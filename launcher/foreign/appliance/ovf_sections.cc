// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_sections.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

std::string_view why_left_out(std::string_view known) {
    if (known == "OperatingSystemSection")
        return "tapgate reads from it only whether the guest is DOS, or Windows up to 7";
    if (known == "ProductSection")
        return "these properties are for the guest, which would ask VMware for them; tapgate does "
               "not pass them on";
    if (known == "VirtualHardwareSection")
        return "only the first VirtualHardwareSection is imported";
    if (known == "BootOrderSection")
        return "of the boot order, only the first disk and a first network adapter are imported; "
               "--boot= changes it";
    if (known == "Machine")
        return "VirtualBox's own description of the same machine: tapgate reads firmware, "
               "adapters, clock and network boot from it, and everything else from the OVF "
               "hardware";
    return "tapgate has no setting for it";
}

// Sections of OVF 0.9 are all <Section>; they are named by their type.
void name_section(const pugi::xml_node& section, Translation& translation) {
    const std::string known = ovf_name(section);
    if (section.type() == pugi::node_element)
        translation.dropped(tag_of(section) + (known == local_name(section.name()) ? "" : known) +
                                contents_of(section),
                            std::string(why_left_out(known)));
}

void name_element(const pugi::xml_node& node, Translation& translation) {
    if (node.type() == pugi::node_element)
        translation.dropped(tag_of(node) + contents_of(node), "tapgate has no setting for it");
}

// What a section of files or disks has besides these; oVirt repeats its adapters' ids there.
void name_rest(const pugi::xml_node& section, Translation& translation) {
    for (const pugi::xml_node& child : section.children()) {
        if (!is_one_of(local_name(child.name()), {"Info", "File", "Disk", "Nic"}))
            name_element(child, translation);
    }
}

void name_left_hardware(const pugi::xml_node& hardware, Translation& translation) {
    if (!attribute_of(hardware, "transport").empty())
        translation.dropped(tag_of(hardware),
                            "how the guest would get its properties, which tapgate does not pass "
                            "on");
    const pugi::xml_node system = hardware.parent();
    for (const pugi::xml_node& said : child_named(hardware, "System").children()) {
        const std::string_view name = local_name(said.name());
        const std::string text(trimmed(said.child_value(), " \t\r\n"));
        // Mostly the VM's name once more.
        if (name == "VirtualSystemIdentifier" &&
            (text.empty() || text == text_of(system, "Name") || text == attribute_of(system, "id")))
            continue;
        if (!is_one_of(name, {"ElementName", "InstanceID", "InstanceId", "VirtualSystemType",
                              "Caption", "Description"}))
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
        if (is_one_of(ovf_name(section), {"References", "DiskSection"}))
            name_rest(section, translation);
        else if (!is_one_of(ovf_name(section), {"VirtualSystem", "VirtualSystemCollection",
                                                "DeploymentOptionSection"}))
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
