// SPDX-License-Identifier: GPL-2.0-or-later
//
// The nodes of -blockdev, which refer to each other by their names, and the disk that a chain of
// them describes.
#pragma once

#include <string>
#include <vector>

#include "launcher/foreign/translation/properties.h"

namespace tapgate {

/// A -drive or a shorthand for one, or a -blockdev.
struct LegacyDrive {
    std::string was;
    Properties properties;
    bool used = false;  ///< of a -blockdev: a device has it, or a node that a device has
};

/// The image of a -blockdev: the path, the format, and what its image stands on.
struct NodeImage {
    std::string was;  ///< all its nodes
    std::string path;
    std::string format;  ///< of the node on top
    std::vector<std::string> backing;
    Properties properties;           ///< of all its nodes, those on top first
    std::string why;                 ///< what is lost on the way
    std::string not_file;            ///< why it is no file; empty: it is one
    std::vector<std::string> nodes;  ///< as -blockdev takes them, the lowest first
};

/// What the node `name` is, including all nodes below it, which are marked as used.
NodeImage image_of_node(std::vector<LegacyDrive>& nodes, const std::string& name);

}  // namespace tapgate
