// SPDX-License-Identifier: GPL-2.0-or-later
//
// Keeps track of what has been read of an XML document, so that each part is either used or named.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <unordered_set>

namespace tapgate {

class XmlLeft {
  public:
    /// The attribute's value, which from then on counts as read; empty when there is none.
    std::string attribute(const pugi::xml_node& node, const char* name);
    /// The same for the element's text, without blanks at its ends.
    std::string text(const pugi::xml_node& node);
    /// Counts the element and everything in it as read.
    void take(const pugi::xml_node& node);

    /// What has not been read of the element: "<iotune>, driver io='native'"; empty when there is
    /// nothing. Places of devices (<address>, <alias>) are counted, but not named.
    std::string left(const pugi::xml_node& node);

    /// How many places have been counted.
    [[nodiscard]] unsigned places() const { return places_; }

  private:
    [[nodiscard]] bool touched(const pugi::xml_node& node) const;
    void add_left(const pugi::xml_node& node, const std::string& prefix, unsigned depth,
                  std::string& text);

    std::unordered_set<const void*> read_;
    unsigned places_ = 0;
};

}  // namespace tapgate
