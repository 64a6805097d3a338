// SPDX-License-Identifier: GPL-2.0-or-later
//
// The location of a libvirt domain's disk that is not a file of this host, in the form of -drive
// file=.
#pragma once

#include <pugixml.hpp>
#include <string>

#include "launcher/foreign/domain/xml_left.h"

namespace tapgate {

/// The location of a disk, or why -drive cannot express it.
struct NetworkDisk {
    std::string file;  ///< a URL, or json:{..} for a node of `format`; empty: see `why_not`
    std::string why_not;
};

/// Reads the <source> of a <disk type='network'> whose image has the format `format`.
NetworkDisk read_network_disk(XmlLeft& xml, const pugi::xml_node& disk, const std::string& format);

/// A part of a file: <slice type='storage' offset= size=> of `source`; empty when there is none.
std::string read_slice(XmlLeft& xml, const pugi::xml_node& source, const std::string& path,
                       const std::string& format);

}  // namespace tapgate
