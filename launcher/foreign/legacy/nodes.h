// SPDX-License-Identifier: GPL-2.0-or-later
//
// The nodes of -blockdev, which refer to each other by their names, and the disk that a chain of
// them describes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "launcher/foreign/translation/properties.h"

namespace tapgate {

/// A -drive or a shorthand for one, or a -blockdev.
struct LegacyDrive {
    std::string was;
    Properties properties;
    bool used = false;  ///< for a -blockdev: a device uses it, or a node that a device uses
};

/// The image of a -blockdev: its path, its format, and what it stands on.
struct NodeImage {
    std::string was;  ///< all its nodes, as written
    std::string path;
    std::string format;  ///< of the top node
    std::vector<std::string> backing;
    Properties properties;           ///< of all its nodes, the top ones first
    std::string why;                 ///< what gets lost
    std::string not_file;            ///< why it is no file; empty if it is one
    std::vector<std::string> nodes;  ///< arguments for -blockdev, the lowest first
};

/// Whether the throttle group with this id limits anything.
using HasLimits = std::function<bool(const std::string&)>;

/// What the node `name` is, including all nodes below it, which are marked as used.
NodeImage image_of_node(std::vector<LegacyDrive>& nodes, const std::string& name,
                        const HasLimits& has_limits);

}  // namespace tapgate
