// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a disk of a libvirt domain lies in, where it is no file of this host: as -drive file= has
// it.
#pragma once

#include <pugixml.hpp>
#include <string>

#include "launcher/foreign/domain/xml_left.h"

namespace tapgate {

/// Where a disk lies, or why no -drive can say it.
struct NetworkDisk {
    std::string file;  ///< an URL, or json:{..} of a node of `format`; empty: see `why_not`
    std::string why_not;
};

/// Reads the <source> of a <disk type='network'>, whose image has `format`.
NetworkDisk read_network_disk(XmlLeft& xml, const pugi::xml_node& disk, const std::string& format);

/// A part of a file: <slice type='storage' offset= size=> of `source`; empty: there is none.
std::string read_slice(XmlLeft& xml, const pugi::xml_node& source, const std::string& path,
                       const std::string& format);

}  // namespace tapgate
