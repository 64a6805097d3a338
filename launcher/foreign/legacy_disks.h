// SPDX-License-Identifier: GPL-2.0-or-later
//
// The disks, CD-ROMs, floppies and firmware of a QEMU command line: -hda, -drive with and without a
// -device, -blockdev, -pflash.
#ifndef TAPGATE_LAUNCHER_FOREIGN_LEGACY_DISKS_H
#define TAPGATE_LAUNCHER_FOREIGN_LEGACY_DISKS_H

#include <string>
#include <utility>
#include <vector>

#include "launcher/foreign/legacy_options.h"

namespace tapgate {

struct LegacyParts;

/// A -drive, or what is short for one; or a -blockdev.
struct LegacyDrive {
    std::string was;
    Properties properties;
    bool used = false;  ///< of a -blockdev: a device has it, or a node that a device has
};

struct LegacyDisks {
    std::vector<LegacyDrive> drives;
    std::vector<LegacyDrive> nodes;                                ///< of -blockdev
    std::vector<std::pair<std::string, std::string>> flash_nodes;  ///< "pflash0", a node's name
    std::vector<std::pair<char, std::string>> floppies;            ///< 'A', a drive's id
    std::vector<std::pair<char, std::string>> floppy_orders;       ///< 'A', a bootindex
};

/// Adds the disks to the result, with a note for each; marks the devices that belong to them.
void translate_disks(LegacyParts& parts);

/// The image of a -blockdev: the path, the format, and what its image stands on.
struct NodeImage {
    std::string was;     ///< all its nodes
    std::string path;
    std::string format;  ///< of the node on top
    std::vector<std::string> backing;
    Properties properties;  ///< of all its nodes, those on top first
    std::string why;        ///< what is lost on the way
    std::string not_file;   ///< why it is no file; empty: it is one
    std::vector<std::string> nodes;  ///< as -blockdev takes them, the lowest first
};

/// What the node `name` is, through all below it, which are used from here on (legacy_nodes.cc).
NodeImage image_of_node(std::vector<LegacyDrive>& nodes, const std::string& name);

}  // namespace tapgate

#endif
