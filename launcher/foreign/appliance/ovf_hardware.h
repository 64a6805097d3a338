// SPDX-License-Identifier: GPL-2.0-or-later
//
// The virtual hardware of an OVF descriptor: the items of the configuration that is taken, and what
// each of them says.
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
    std::map<std::string, std::string> texts;    ///< of its elements, by local name
    std::map<std::string, std::string> configs;  ///< <vmw:Config key= value=>
    bool several = false;                        ///< it contains an element more than once

    /// Of an element; empty when there is none.
    [[nodiscard]] std::string text(const std::string& key) const;
    /// The number by which other items name it.
    [[nodiscard]] std::string id() const;
    /// Empty when there is none; whoever understands one takes it away.
    std::string take(const std::string& key);
    /// Of its quantity: AllocationUnits, and VirtualQuantityUnits where that is not said.
    std::string take_units();
    /// What nobody has taken, but for numbers of the descriptor's own: "Reservation=500".
    [[nodiscard]] std::string left() const;
};

/// Is it for `configuration`, or for all?
bool is_for_configuration(const pugi::xml_node& node, const std::string& configuration);

/// Items in their order, but what is on the same controller in the order of its addresses: those
/// for every configuration, less those that one for `configuration` has taken the place of.
std::vector<OvfItem> read_ovf_items(const pugi::xml_node& hardware,
                                    const std::string& configuration, Translation& translation);

/// A number that is not negative, "20" or "1.5"; nothing for other words.
std::optional<double> ovf_number(std::string_view text);

/// Bytes that a number of `units` is: "byte * 2^20", "MegaBytes", "MB"; nothing for other words.
std::optional<double> ovf_unit(std::string units);

/// "00:50:56:01:02:03", also with dashes or dots, and without any; nothing when it is something
/// else or no station's address.
std::optional<MacAddress> ovf_mac(std::string_view text);

/// Those of <section xsi:type="ovf:X_Type"> of OVF 0.9, and <X> of later ones, in `parent`.
pugi::xml_node ovf_section(const pugi::xml_node& parent, std::string_view name);

/// "Content" of 0.9 is a VirtualSystem or a collection of them; what it is called since.
std::string ovf_name(const pugi::xml_node& node);

}  // namespace tapgate
