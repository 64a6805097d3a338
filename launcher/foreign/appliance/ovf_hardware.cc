// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_hardware.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <tuple>

#include "launcher/base/text.h"
#include "launcher/foreign/appliance/ovf_words.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// Numbers by which parts of the descriptor refer to each other, and words for people.
constexpr std::array<std::string_view, 10> structure = {
    "InstanceID",  "InstanceId",   "Parent",    "AddressOnParent", "Address",
    "ElementName", "ResourceType", "BusNumber", "Device",          "Alias"};

// ResourceType in CIM_ResourceAllocationSettingData: IDE, SCSI, and newer ones.
bool is_disk_controller(const OvfItem& item) {
    return item.type == 5 || item.type == 6 || item.type == 20;
}

bool is_structure(std::string_view key) {
    return std::find(structure.begin(), structure.end(), key) != structure.end();
}

// The same key may be there for each of several configurations.
void add_config(OvfItem& item, const std::string& key, const std::string& value) {
    const auto [at, is_new] = item.configs.emplace(key, value);
    if (!is_new && at->second != value)
        at->second += ", " + value;
}

// Most descriptions only repeat in words what the item says.
void drop_idle_words(OvfItem& item) {
    for (const char* const key : {"Description", "Caption"}) {
        std::string known;
        for (const auto& [other, value] : item.texts)
            known += other == key ? "" : value + " ";
        if (item.text(key) == item.name || !says_more(item.text(key), known))
            item.texts.erase(key);
    }
}

// vCloud says about a disk's file what the controller and the DiskSection say, too.
void add_attributes(OvfItem& item, const std::string& key, const pugi::xml_node& node) {
    for (const pugi::xml_attribute& attribute : node.attributes()) {
        const std::string name(local_name(attribute.name()));
        const bool again =
            key == "HostResource" && is_one_of(name, {"busType", "busSubType", "capacity"});
        if (!std::string_view(attribute.name()).starts_with("xmlns") && !again &&
            !is_one_of(name, {"required", "msgid", "nil", "bound", "configuration"}))
            add_config(item, key + " " + name, attribute.value());
    }
}

bool has_elements(const pugi::xml_node& node) {
    return bool(node.find_child(
        [](const pugi::xml_node& child) { return child.type() == pugi::node_element; }));
}

OvfItem read_item(const pugi::xml_node& node) {
    OvfItem item;
    add_attributes(item, "Item", node);
    for (const pugi::xml_node& child : node.children()) {
        const std::string key(local_name(child.name()));
        if (child.type() != pugi::node_element)
            continue;
        if (key == "Config" || key == "ExtraConfig") {
            add_config(item, attribute_of(child, "key"),
                       attribute_of(child, "value") + contents_of(child));
            continue;
        }
        add_attributes(item, key, child);
        const std::string value = has_elements(child) ? contents_of(child) : own_text(child);
        const bool is_required = attribute_of(child, "required") == "true";
        if ((value.empty() && !is_required) || item.texts.emplace(key, value).second)
            continue;
        if (!is_structure(key)) {
            item.several = true;
            item.texts[key] += ", " + value;
        } else if (item.text(key) != value) {
            add_config(item, "a second " + key, value);
        }
    }
    const std::string type = item.take("ResourceType");
    std::from_chars(type.data(), type.data() + type.size(), item.type);
    item.name = item.texts["ElementName"];
    if (item.name.empty())
        item.name = item.texts["Caption"];
    if (item.name.empty())
        item.name = item.texts["Description"];
    drop_idle_words(item);
    if (local_name(node.name()) == "StorageItem" && item.type == 0)
        item.type = 17;
    if (local_name(node.name()) == "EthernetPortItem")
        item.type = 10;  // whatever type it gives
    return item;
}

// Is the word in the attribute's list, which is separated by blanks?
bool is_for(const std::string& configurations, const std::string& wanted) {
    size_t at = 0;
    while (at < configurations.size()) {
        const size_t end =
            std::min(configurations.find_first_of(" \t\n", at), configurations.size());
        if (configurations.compare(at, end - at, wanted) == 0 && !wanted.empty())
            return true;
        at = end + 1;
    }
    return false;
}

// Does the item only limit how much there may be, without being a device itself?
bool is_bound(const pugi::xml_node& item) {
    const std::string bound = attribute_of(item, "bound");
    return !bound.empty() && bound != "normal";
}

// The ids of the items that are only for this configuration.
std::set<std::string> ids_for(const pugi::xml_node& hardware, const std::string& configuration) {
    std::set<std::string> ids;
    for (const pugi::xml_node& node : hardware.children()) {
        if (local_name(node.name()).ends_with("Item") && !is_bound(node) &&
            is_for(attribute_of(node, "configuration"), configuration))
            ids.insert(read_item(node).id());
    }
    ids.erase("");
    return ids;
}

// Items whose numbers give their order among each other.
using Group = std::pair<unsigned, std::string>;

// A controller of disks.
struct NumberedController {
    std::string kind;   // controllers of one kind are numbered together
    double number = 0;  // among those of its kind
};

std::map<std::string, NumberedController> disk_controllers(const std::vector<OvfItem>& items) {
    std::map<std::string, NumberedController> controllers;
    std::map<std::string, unsigned> seen;
    for (const OvfItem& item : items) {
        if (!is_disk_controller(item))
            continue;
        // "AHCI" and NVMe have the same type, but are counted separately.
        const std::string kind =
            std::to_string(item.type) + (item.type == 20 ? item.text("ResourceSubType") : "");
        auto number = ovf_number(item.text("Address"));
        if (!number)
            number = ovf_number(item.text("BusNumber"));  // OVF 0.9
        controllers.emplace(item.id(), NumberedController{kind, number.value_or(seen[kind])});
        seen[kind]++;
    }
    return controllers;
}

// The item's place among those on the same controller, or among the adapters; oVirt numbers its
// disks in the order in which it boots from them.
std::optional<double> place_of(const OvfItem& item) {
    const auto address = ovf_number(item.text("AddressOnParent"));
    const std::string order = item.text("BootOrder");
    return address || item.type != 17 || order == "0" ? address : ovf_number(order);
}

// A guest boots from the first disk of the first controller, in whatever order the items are
// written.
void order_by_place(std::vector<OvfItem>& items) {
    const std::map<std::string, NumberedController> controllers = disk_controllers(items);
    using Placed = std::pair<std::pair<double, double>, OvfItem>;
    std::map<Group, std::vector<size_t>> groups;
    std::map<Group, std::vector<Placed>> ordered;
    for (size_t i = 0; i < items.size(); i++) {
        const auto place = place_of(items[i]);
        if (!place)
            continue;
        const std::string parent = items[i].text("Parent");
        const auto controller = controllers.find(parent);
        const bool known = items[i].type == 17 && controller != controllers.end();
        const Group group{items[i].type, known ? "of " + controller->second.kind : parent};
        groups[group].push_back(i);
        ordered[group].push_back({{known ? controller->second.number : 0, *place}, items[i]});
    }
    for (auto& [group, placed] : ordered) {
        std::stable_sort(placed.begin(), placed.end(),
                         [](const Placed& a, const Placed& b) { return a.first < b.first; });
        for (size_t i = 0; i < placed.size(); i++)
            items[groups[group][i]] = std::move(placed[i].second);
    }
}

// How many bytes "megabytes" and other such words mean: always powers of 1024, as that is what
// "MegaBytes" of memory were meant to be.
std::optional<double> bytes_named(std::string_view word) {
    constexpr std::pair<std::string_view, double> prefixes[] = {
        {"", 1},          {"kilo", 0x1p10}, {"mega", 0x1p20}, {"giga", 0x1p30}, {"tera", 0x1p40},
        {"kibi", 0x1p10}, {"mebi", 0x1p20}, {"gibi", 0x1p30}, {"tebi", 0x1p40}, {"k", 0x1p10},
        {"m", 0x1p20},    {"g", 0x1p30},    {"t", 0x1p40},    {"ki", 0x1p10},   {"mi", 0x1p20},
        {"gi", 0x1p30},   {"ti", 0x1p40}};
    for (const auto& [prefix, bytes] : prefixes) {
        if (!word.starts_with(prefix))
            continue;
        const std::string_view rest = word.substr(prefix.size());
        if (rest == "byte" || rest == "bytes" || (rest == "b" && !prefix.empty()))
            return bytes;
    }
    return std::nullopt;
}

// "1024", "2^20"
std::optional<double> power(std::string_view text) {
    const size_t sign = text.find('^');
    const auto base = ovf_number(text.substr(0, sign));
    if (!base || sign == std::string_view::npos)
        return base;
    const auto exponent = ovf_number(text.substr(sign + 1));
    return exponent ? std::optional(std::pow(*base, *exponent)) : std::nullopt;
}

}  // namespace

std::string OvfItem::text(const std::string& key) const {
    const auto found = texts.find(key);
    return found == texts.end() ? std::string() : found->second;
}

std::string OvfItem::id() const {
    const std::string id = text("InstanceID");
    return id.empty() ? text("InstanceId") : id;
}

std::string OvfItem::take(const std::string& key) {
    const auto found = texts.find(key);
    if (found == texts.end())
        return {};
    std::string value = std::move(found->second);
    texts.erase(found);
    return value;
}

std::string OvfItem::take_units() {
    const std::string units = take("AllocationUnits");
    // VirtualQuantityUnits that differ stay, and so are named as left out.
    return units.empty() || units == text("VirtualQuantityUnits") ? take("VirtualQuantityUnits")
                                                                  : units;
}

std::string OvfItem::left() const {
    std::string text;
    const auto add = [&](const std::string& key, const std::string& value) {
        text.append(text.empty() ? "" : ", ").append(shown(key)).append("=").append(shown(value));
    };
    for (const auto& [key, value] : texts) {
        // An address that is not a number belongs to another device or a file.
        if (!is_structure(key) || (key == "Address" && !ovf_number(value)))
            add(key, value);
    }
    for (const auto& [key, value] : configs)
        add(key, value);
    return text;
}

bool is_for_configuration(const pugi::xml_node& node, const std::string& configuration) {
    const std::string configurations = attribute_of(node, "configuration");
    return configurations.empty() || is_for(configurations, configuration);
}

std::vector<OvfItem> read_ovf_items(const pugi::xml_node& hardware,
                                    const std::string& configuration, Translation& translation) {
    std::vector<OvfItem> items;
    const std::set<std::string> special = ids_for(hardware, configuration);
    // The order is kept: the guest boots from the first disk.
    for (const pugi::xml_node& node : hardware.children()) {
        if (!local_name(node.name()).ends_with("Item"))
            continue;
        const bool bound = is_bound(node);
        const bool general = attribute_of(node, "configuration").empty();
        const bool other = !is_for_configuration(node, configuration);
        OvfItem item = read_item(node);
        if (bound || other || (general && special.contains(item.id()))) {
            translation.dropped(tag_of(node) + contents_of(node),
                                bound   ? "this only limits how much there may be, and is no device"
                                : other ? for_another_configuration
                                        : "the chosen configuration has its own");
            continue;
        }
        items.push_back(std::move(item));
    }
    order_by_place(items);
    return items;
}

std::optional<double> ovf_number(std::string_view text) {
    text = trimmed(text, " \t\r\n");
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || end != text.data() + text.size() || !(number >= 0) ||
        !std::isfinite(number))
        return std::nullopt;
    return number;
}

std::optional<double> ovf_unit(std::string units) {
    std::erase_if(units, [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
    units = in_small_letters(units);
    double product = 1;
    unsigned names = 0;
    for (size_t at = 0; at <= units.size();) {
        const size_t end = std::min(units.find('*', at), units.size());
        const std::string_view factor = std::string_view(units).substr(at, end - at);
        const auto named = bytes_named(factor);
        names += named ? 1 : 0;
        const auto value = named ? named : power(factor);
        if (!value || names > 1)
            return std::nullopt;
        product *= *value;
        at = end + 1;
    }
    return std::isfinite(product) && product > 0 ? std::optional(product) : std::nullopt;
}

std::optional<MacAddress> ovf_mac(std::string_view text) {
    std::string digits(text);
    std::erase_if(digits, [](char c) { return c == ':' || c == '-' || c == '.'; });
    if (digits.size() != 2 * std::tuple_size_v<MacAddress::Bytes>)
        return std::nullopt;
    for (size_t at = digits.size() - 2; at > 0; at -= 2)
        digits.insert(at, ":");
    return MacAddress::parse(digits);
}

std::string ovf_name(const pugi::xml_node& node) {
    const std::string name(local_name(node.name()));
    if (name != "Section" && name != "Content")
        return name;
    std::string type(local_name(attribute_of(node, "type")));
    constexpr std::string_view suffix = "_Type";
    if (type.ends_with(suffix))
        type.erase(type.size() - suffix.size());
    return type;
}

pugi::xml_node ovf_section(const pugi::xml_node& parent, std::string_view name) {
    return parent.find_child([&](const pugi::xml_node& child) { return ovf_name(child) == name; });
}

}  // namespace tapgate
