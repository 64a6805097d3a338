// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/domain/xml_left.h"

#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// Deeper than in any description. What lies below is named as a whole.
constexpr unsigned deepest_element = 16;
constexpr size_t longest = 16384;

void add_to_list(std::string& text, std::string_view word) {
    constexpr std::string_view more = ", and more";
    if (text.size() < longest)
        text.append(text.empty() ? "" : ", ").append(word);
    else if (!text.ends_with(more))
        text.append(more);
}

}  // namespace

std::string XmlLeft::attribute(const pugi::xml_node& node, const char* name) {
    const pugi::xml_attribute found = node.attribute(name);
    if (found)
        read_.insert(found.internal_object());
    if (node)
        read_.insert(node.internal_object());
    return found.value();
}

std::string XmlLeft::text(const pugi::xml_node& node) {
    if (!node)
        return {};
    read_.insert(node.internal_object());
    read_.insert(node.text().data().internal_object());
    return std::string(trimmed(node.child_value(), " \t\r\n"));
}

void XmlLeft::take(const pugi::xml_node& node) {
    if (!node)
        return;
    // Not recursive, since whoever wrote the text chose the depth.
    pugi::xml_node at = node;
    for (;;) {
        read_.insert(at.internal_object());
        for (const pugi::xml_attribute& attribute : at.attributes())
            read_.insert(attribute.internal_object());
        if (at.first_child()) {
            at = at.first_child();
            continue;
        }
        while (at != node && !at.next_sibling())
            at = at.parent();
        if (at == node)
            return;
        at = at.next_sibling();
    }
}

bool XmlLeft::touched(const pugi::xml_node& node) const {
    return read_.contains(node.internal_object());
}

std::string XmlLeft::left(const pugi::xml_node& node) {
    std::string text;
    add_left(node, "", 0, text);
    return text;
}

void XmlLeft::add_left(const pugi::xml_node& node, const std::string& prefix, unsigned depth,
                       std::string& text) {
    for (const pugi::xml_attribute& attribute : node.attributes()) {
        if (!read_.contains(attribute.internal_object()))
            add_to_list(text, prefix + attribute.name() + "='" + shown(attribute.value()) + "'");
    }
    for (const pugi::xml_node& child : node.children()) {
        const std::string_view name = child.name();
        if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) {
            if (!touched(child) && !trimmed(child.value(), " \t\r\n").empty())
                add_to_list(text, prefix + "`" + shown(trimmed(child.value(), " \t\r\n")) + "'");
            continue;
        }
        if (child.type() != pugi::node_element)
            continue;
        if (name == "address" || name == "alias") {
            places_ += touched(child) ? 0U : 1U;
            continue;
        }
        if (depth < deepest_element && touched(child)) {
            add_left(child, std::string(name) + " ", depth + 1, text);
            continue;
        }
        add_to_list(text, tag_of(child) + contents_of(child));
    }
}

}  // namespace tapgate
