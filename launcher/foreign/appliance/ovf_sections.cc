// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_sections.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/appliance/ovf_words.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// Sections that belong directly in the envelope.
constexpr std::array<std::string_view, 4> of_envelope = {
    "References", "DiskSection", "NetworkSection", "DeploymentOptionSection"};

std::string_view why_left_out(std::string_view known, const pugi::xml_node& around) {
    const bool is_outside = ovf_name(around) == "Envelope";
    if (!is_outside && is_one_of(known, of_envelope))
        return "it is inside of the VM's element, but belongs directly in <Envelope>: tapgate does "
               "not read it here";
    if (is_outside && (known == "VirtualHardwareSection" || known == "OperatingSystemSection"))
        return "it is not inside of a VM's element, where it belongs, and so of no VM";
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
                            std::string(why_left_out(known, section.parent())));
}

void name_element(const pugi::xml_node& node, Translation& translation) {
    if (node.type() == pugi::node_element)
        translation.dropped(tag_of(node) + contents_of(node), "tapgate has no setting for it");
}

// Words between the elements, where the standard has none.
void name_loose_text(const pugi::xml_node& around, Translation& translation) {
    if (const std::string text = own_text(around); !text.empty())
        translation.dropped(tag_of(around) + text, "tapgate has no setting for it");
}

bool is_first_info(const pugi::xml_node& node) {
    return local_name(node.name()) == "Info" && node == child_named(node.parent(), "Info");
}

// What a section of files or disks has besides these; oVirt repeats its adapters' ids there.
void name_rest(const pugi::xml_node& section, Translation& translation) {
    name_loose_text(section, translation);
    for (const pugi::xml_node& child : section.children()) {
        if (!is_first_info(child) && !is_one_of(local_name(child.name()), {"File", "Disk", "Nic"}))
            name_element(child, translation);
    }
}

// An element of the VM that has a note of its own; a second one of its kind has none.
bool is_read(const pugi::xml_node& node) {
    const std::string_view name = local_name(node.name());
    return is_one_of(name, {"Name", "Info", "BiosType"}) &&
           node == child_named(node.parent(), name);
}

// Attributes that are not the standard's, as the VM's UUID in Solaris' archives.
void name_attributes(const pugi::xml_node& node, Translation& translation) {
    for (const pugi::xml_attribute& attribute : node.attributes()) {
        if (!std::string_view(attribute.name()).starts_with("xmlns") &&
            !is_one_of(local_name(attribute.name()), {"id", "type", "required", "transport"}))
            return translation.dropped(tag_of(node), "tapgate has no setting for it");
    }
}

// Words for people, of which most programs always write the same.
void name_info(const pugi::xml_node& around, const std::string& known, Translation& translation) {
    if (const std::string info = text_of(around, "Info"); says_more(info, known))
        translation.dropped("<Info>" + info, "tapgate has no setting for it");
}

// "<IsStateless>false</IsStateless>": oVirt has dozens of these.
bool is_plain(const pugi::xml_node& node) {
    return node.type() == pugi::node_element && node.first_attribute().empty() &&
           !local_name(node.name()).ends_with("Section") &&
           std::all_of(node.begin(), node.end(), [](const pugi::xml_node& child) {
               return child.type() != pugi::node_element;
           });
}

void name_plain(const pugi::xml_node& system, Translation& translation) {
    std::string all;
    for (const pugi::xml_node& node : system.children()) {
        const std::string text = own_text(node);
        if (is_plain(node) && !is_read(node))
            all += (all.empty() ? "" : ", ") + std::string(local_name(node.name())) +
                   (text.empty() ? "" : "=" + text);
    }
    if (all.empty())
        name_attributes(system, translation);
    else
        translation.dropped(tag_of(system) + " " + all, "tapgate has no settings for these");
}

void name_left_hardware(const pugi::xml_node& hardware, Translation& translation) {
    if (!attribute_of(hardware, "transport").empty())
        translation.dropped(tag_of(hardware),
                            "how the guest would get its properties, which tapgate does not pass "
                            "on");
    name_attributes(hardware, translation);
    name_info(hardware, "", translation);
    name_loose_text(hardware, translation);
    const pugi::xml_node system = hardware.parent();
    const pugi::xml_node family = child_named(hardware, "System");
    for (const pugi::xml_node& said : family.children()) {
        const std::string_view name = local_name(said.name());
        const std::string text = own_text(said);
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
        if (child != family && !name.ends_with("Item") && !is_first_info(child) &&
            !is_one_of(name, {"Config", "ExtraConfig", "VirtualSystemOtherConfigurationData"}))
            name_element(child, translation);
    }
}

// What names it: the value of xmlns, or of the prefix's.
std::string namespace_of(const pugi::xml_node& node) {
    const std::string_view name = node.name();
    const size_t colon = name.find(':');
    const std::string key =
        colon == std::string_view::npos ? "xmlns" : "xmlns:" + std::string(name.substr(0, colon));
    return node.attribute(key.c_str()).value();
}

bool is_known_version(const pugi::xml_node& envelope) {
    constexpr std::string_view of_dmtf = "http://schemas.dmtf.org/ovf/envelope/";
    const std::string uri = namespace_of(envelope);
    // oVirt's versions, which are its own, come with a slash.
    if (uri == std::string(of_dmtf) + "1/")
        return true;
    const std::string version = attribute_of(envelope, "version");
    const bool known = version.empty() || is_one_of(version.substr(0, 3),
                                                    {"0.9", "1", "1.0", "1.1", "2", "2.0", "2.1"});
    return known && (!uri.starts_with(of_dmtf) ||
                     is_one_of(std::string_view(uri).substr(of_dmtf.size()), {"", "1", "2"}));
}

}  // namespace

void name_envelope(const pugi::xml_node& envelope, Translation& translation) {
    std::string version;
    std::string more;
    for (const pugi::xml_attribute& attribute : envelope.attributes()) {
        const std::string text =
            std::string(" ") + attribute.name() + "='" + attribute.value() + "'";
        const std::string_view name = local_name(attribute.name());
        const bool is_namespace = std::string_view(attribute.name()).starts_with("xmlns");
        if (name == "version" || (is_namespace && attribute.value() == namespace_of(envelope)))
            version += text;
        else if (!is_namespace && !is_one_of(name, {"lang", "buildId", "schemaLocation"}))
            more += text;
    }
    const std::string tag = std::string("<") + envelope.name();
    if (!is_known_version(envelope))
        translation.changed(tag + version + ">", "read like OVF 0.9, 1 and 2",
                            "tapgate does not know this version, and does not find what is new in "
                            "it");
    if (!more.empty())
        translation.dropped(tag + more + ">", "tapgate has no setting for it");
}

void name_left_sections(const pugi::xml_node& envelope, const pugi::xml_node& system,
                        const std::vector<pugi::xml_node>& read, Translation& translation) {
    const pugi::xml_node hardware = ovf_section(system, "VirtualHardwareSection");
    const pugi::xml_node options = ovf_section(envelope, "DeploymentOptionSection");
    for (const pugi::xml_node& section : envelope.children()) {
        // What has a configuration to choose has its note.
        if (section == options && child_named(options, "Configuration"))
            continue;
        if (is_one_of(ovf_name(section), {"References", "DiskSection"}))
            name_rest(section, translation);
        else if (!is_one_of(ovf_name(section), {"VirtualSystem", "VirtualSystemCollection"}))
            name_section(section, translation);
    }
    for (const pugi::xml_node& section : system.children()) {
        if (section != hardware && std::find(read.begin(), read.end(), section) == read.end() &&
            !is_read(section) && !is_plain(section))
            name_section(section, translation);
    }
    name_info(system, text_of(system, "Name") + " " + attribute_of(system, "id"), translation);
    name_plain(system, translation);
    name_loose_text(envelope, translation);
    name_loose_text(system, translation);
    name_left_hardware(hardware, translation);
}

}  // namespace tapgate
