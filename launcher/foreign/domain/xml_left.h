// SPDX-License-Identifier: GPL-2.0-or-later
//
// What of an XML document nobody has read: so that each part of it becomes something, or is named.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <unordered_set>

namespace tapgate {

class XmlLeft {
  public:
    /// The attribute's value, which counts as read from here on; empty when there is none.
    std::string attribute(const pugi::xml_node& node, const char* name);
    /// The same of the element's text, without blanks at its ends.
    std::string text(const pugi::xml_node& node);
    /// The element and all in it count as read.
    void take(const pugi::xml_node& node);

    /// What of the element is left: "<iotune>, driver io='native'"; empty: nothing. Places of
    /// devices (<address>, <alias>) are counted and not named.
    std::string left(const pugi::xml_node& node);

    /// How many places have been passed over.
    [[nodiscard]] unsigned places() const { return places_; }

  private:
    [[nodiscard]] bool touched(const pugi::xml_node& node) const;
    void add_left(const pugi::xml_node& node, const std::string& prefix, unsigned depth,
                  std::string& text);

    std::unordered_set<const void*> read_;
    unsigned places_ = 0;
};

}  // namespace tapgate
