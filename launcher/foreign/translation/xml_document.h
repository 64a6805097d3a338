// SPDX-License-Identifier: GPL-2.0-or-later
//
// XML of others: without document types, and so without entities to expand or files to fetch.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <string_view>

namespace tapgate {

/// Reads `text`, which errors call `source`, into `document`. Throws a LauncherError for what is no
/// XML, for a control character (a NUL byte, say), and for a DOCTYPE.
void parse_xml(pugi::xml_document& document, std::string_view text, const std::string& source);

/// The element's or attribute's name without its namespace's prefix.
std::string_view local_name(std::string_view name);

/// The first element of this local name in `parent`, and the text in it; empty when there is none.
pugi::xml_node child_named(const pugi::xml_node& parent, std::string_view name);
std::string text_of(const pugi::xml_node& parent, std::string_view name);

/// The value of the attribute of this local name; empty when there is none.
std::string attribute_of(const pugi::xml_node& node, std::string_view name);

/// The element as it begins: "<disk type='file' device='disk'>".
std::string tag_of(const pugi::xml_node& node);

/// All that stands in an element, as one line: tags, attributes and words. What is deeper than any
/// description is left out.
std::string contents_of(const pugi::xml_node& node);

}  // namespace tapgate
