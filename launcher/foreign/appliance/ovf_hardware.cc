// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_hardware.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// Numbers by which the descriptor's parts name each other, and words for people.
constexpr std::array<std::string_view, 12> structure = {
    "InstanceID", "InstanceId",  "Parent",       "AddressOnParent", "Address", "ElementName",
    "Caption",    "Description", "ResourceType", "BusNumber",       "Device",  "Alias"};

bool is_structure(std::string_view key) {
    return std::find(structure.begin(), structure.end(), key) != structure.end();
}

OvfItem read_item(const pugi::xml_node& node) {
    OvfItem item;
    for (const pugi::xml_node& child : node.children()) {
        const std::string key(local_name(child.name()));
        if (child.type() != pugi::node_element)
            continue;
        if (key == "Config" || key == "ExtraConfig") {
            item.configs[attribute_of(child, "key")] = attribute_of(child, "value");
            continue;
        }
        std::string value(trimmed(child.child_value(), " \t\r\n"));
        if (!value.empty() && !item.texts.emplace(key, value).second && !is_structure(key)) {
            item.several = true;
            item.texts[key] += ", " + value;
        }
    }
    const std::string type = item.take("ResourceType");
    std::from_chars(type.data(), type.data() + type.size(), item.type);
    item.name = item.texts["ElementName"];
    if (item.name.empty())
        item.name = item.texts["Caption"];
    if (item.name.empty())
        item.name = item.texts["Description"];
    if (local_name(node.name()) == "StorageItem" && item.type == 0)
        item.type = 17;
    if (local_name(node.name()) == "EthernetPortItem" && item.type == 0)
        item.type = 10;
    return item;
}

// Is the word among those of the attribute, between blanks?
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

// The numbers of the items that are for this configuration alone.
std::set<std::string> ids_for(const pugi::xml_node& hardware, const std::string& configuration) {
    std::set<std::string> ids;
    for (const pugi::xml_node& node : hardware.children()) {
        if (local_name(node.name()).ends_with("Item") && attribute_of(node, "bound").empty() &&
            is_for(attribute_of(node, "configuration"), configuration))
            ids.insert(read_item(node).id());
    }
    ids.erase("");
    return ids;
}

// Where it is among those on the same controller, or among the adapters; oVirt numbers its disks as
// it boots from them.
std::optional<double> place_of(const OvfItem& item) {
    const auto address = ovf_number(item.text("AddressOnParent"));
    const std::string order = item.text("BootOrder");
    return address || item.type != 17 || order == "0" ? address : ovf_number(order);
}

void order_by_place(std::vector<OvfItem>& items) {
    std::map<std::pair<unsigned, std::string>, std::vector<size_t>> groups;
    for (size_t i = 0; i < items.size(); i++) {
        if (place_of(items[i]))
            groups[{items[i].type, items[i].text("Parent")}].push_back(i);
    }
    for (const auto& [kind, indices] : groups) {
        std::vector<OvfItem> ordered;
        for (const size_t i : indices)
            ordered.push_back(std::move(items[i]));
        std::stable_sort(ordered.begin(), ordered.end(), [](const OvfItem& a, const OvfItem& b) {
            return place_of(a) < place_of(b);
        });
        for (size_t i = 0; i < indices.size(); i++)
            items[indices[i]] = std::move(ordered[i]);
    }
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

std::string OvfItem::left() const {
    std::string text;
    const auto add = [&](const std::string& key, const std::string& value) {
        text.append(text.empty() ? "" : ", ").append(shown(key)).append("=").append(shown(value));
    };
    for (const auto& [key, value] : texts) {
        if (!is_structure(key))
            add(key, value);
    }
    for (const auto& [key, value] : configs)
        add(key, value);
    return text;
}

std::vector<OvfItem> read_ovf_items(const pugi::xml_node& hardware,
                                    const std::string& configuration, Translation& translation) {
    std::vector<OvfItem> items;
    const std::set<std::string> special = ids_for(hardware, configuration);
    // In their order: the first disk is the one that the guest boots from.
    for (const pugi::xml_node& node : hardware.children()) {
        if (!local_name(node.name()).ends_with("Item"))
            continue;
        const std::string configurations = attribute_of(node, "configuration");
        // What may be more or less, and is no thing itself.
        const bool bound = !attribute_of(node, "bound").empty();
        const bool general = configurations.empty();
        const bool other = !general && !is_for(configurations, configuration);
        OvfItem item = read_item(node);
        if (bound || other || (general && special.contains(item.id()))) {
            translation.dropped(tag_of(node) + contents_of(node),
                                bound   ? "how much there may be, and no thing itself"
                                : other ? "it is for another configuration"
                                        : "the configuration has its own");
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
    std::transform(units.begin(), units.end(), units.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    static const std::map<std::string, double> names = {
        {"byte", 1},           {"bytes", 1},          {"kb", 0x1p10},        {"kilobytes", 0x1p10},
        {"kilobyte", 0x1p10},  {"kib", 0x1p10},       {"mib", 0x1p20},       {"gib", 0x1p30},
        {"tib", 0x1p40},       {"mb", 0x1p20},        {"megabytes", 0x1p20}, {"megabyte", 0x1p20},
        {"gb", 0x1p30},        {"gigabytes", 0x1p30}, {"gigabyte", 0x1p30},  {"tb", 0x1p40},
        {"terabytes", 0x1p40}, {"terabyte", 0x1p40}};
    if (const auto name = names.find(units); name != names.end())
        return name->second;
    // "byte*2^20", "byte*1024*10^3"
    double factor = 1;
    constexpr std::string_view prefix = "byte*";
    if (!units.starts_with(prefix))
        return std::nullopt;
    const char* at = units.data() + prefix.size();
    const char* const end = units.data() + units.size();
    while (at < end) {
        double base = 0;
        const auto [stop, error] = std::from_chars(at, end, base);
        if (error != std::errc())
            return std::nullopt;
        at = stop;
        if (at < end && *at == '^') {
            double power = 0;
            const auto [after, wrong] = std::from_chars(at + 1, end, power);
            if (wrong != std::errc())
                return std::nullopt;
            base = std::pow(base, power);
            at = after;
        }
        factor *= base;
        if (at < end && *at++ != '*')
            return std::nullopt;
    }
    return std::isfinite(factor) && factor > 0 ? std::optional(factor) : std::nullopt;
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
