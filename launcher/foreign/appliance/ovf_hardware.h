// SPDX-License-Identifier: GPL-2.0-or-later
//
// The virtual hardware in an OVF descriptor: the items of the chosen configuration, and what each
// of them says.
#pragma once

#include <map>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// An <Item>, or a StorageItem or EthernetPortItem of OVF 2.
struct OvfItem {
    unsigned type = 0;  ///< CIM_ResourceAllocationSettingData.ResourceType
    std::string name;
    std::map<std::string, std::string> texts;  ///< of its elements, by local name
    /// <vmw:Config key= value=>, and attributes of its elements, as "Connection ipAddress".
    std::map<std::string, std::string> configs;
    bool several = false;  ///< it contains an element more than once

    /// The text of an element; empty if there is none.
    [[nodiscard]] std::string text(const std::string& key) const;
    /// The number by which other items refer to it.
    [[nodiscard]] std::string id() const;
    /// The same, but removes the element: its reader knows what it means.
    std::string take(const std::string& key);
    /// The unit of its quantity: AllocationUnits, or else VirtualQuantityUnits. Removes it.
    std::string take_units();
    /// What has not been taken, except the descriptor's own numbers: "Reservation=500".
    [[nodiscard]] std::string left() const;
};

/// Why something is left out that is not for the chosen configuration.
inline constexpr const char* for_another_configuration = "it is for another configuration";

/// Is it for `configuration`, or for all of them?
bool is_for_configuration(const pugi::xml_node& node, const std::string& configuration);

/// The items in their order, but those on the same controller in the order of their addresses:
/// those for every configuration, except those that one for `configuration` replaces, and these.
std::vector<OvfItem> read_ovf_items(const pugi::xml_node& hardware,
                                    const std::string& configuration, Translation& translation);

/// A number that is not negative, such as "20" or "1.5"; nothing for other words.
std::optional<double> ovf_number(std::string_view text);

/// How many bytes a unit has: "byte * 2^20", "MegaBytes", "MB"; nothing for other words.
std::optional<double> ovf_unit(std::string units);

/// "00:50:56:01:02:03", also with dashes or dots, or without separators; nothing if it is something
/// else, or no station's address.
std::optional<MacAddress> ovf_mac(std::string_view text);

/// The first section of that name in `parent`: <section xsi:type="ovf:X_Type"> in OVF 0.9, and <X>
/// later.
pugi::xml_node ovf_section(const pugi::xml_node& parent, std::string_view name);

/// The element's name since OVF 1; in 0.9, a "Content" is a VirtualSystem or a collection of them.
std::string ovf_name(const pugi::xml_node& node);

}  // namespace tapgate
