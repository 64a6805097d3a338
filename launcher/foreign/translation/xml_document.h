// SPDX-License-Identifier: GPL-2.0-or-later
//
// Foreign XML. Document types are refused, so there are no entities to expand and no files to
// fetch.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <string_view>

namespace tapgate {

/// Parses `text`, which errors call `source`, into `document`. Throws a LauncherError for malformed
/// XML, for a control character (such as a NUL byte), and for a DOCTYPE.
void parse_xml(pugi::xml_document& document, std::string_view text, const std::string& source);

/// The name of the element or attribute without its namespace prefix.
std::string_view local_name(std::string_view name);

/// The element's text without what is nested in it, trimmed; a comment in its middle is no end.
std::string own_text(const pugi::xml_node& node);

/// The first element with this local name in `parent`, and its own text; empty when there is none.
pugi::xml_node child_named(const pugi::xml_node& parent, std::string_view name);
std::string text_of(const pugi::xml_node& parent, std::string_view name);

/// The value of the attribute with this local name; empty when there is none.
std::string attribute_of(const pugi::xml_node& node, std::string_view name);

/// The element's start tag: "<disk type='file' device='disk'>".
std::string tag_of(const pugi::xml_node& node);

/// The content of an element on one line: tags, attributes and words. Leaves out what is nested
/// more deeply than any description.
std::string contents_of(const pugi::xml_node& node);

}  // namespace tapgate
