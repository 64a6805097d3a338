// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images that have a name here, as /etc/tapgate/images.conf describes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/vm/setting.h"

namespace tapgate {

/// A section of the catalogue.
struct CatalogueImage {
    std::string name;
    std::string url;
    std::string sums;               ///< the URL of the checksums; empty: beside the image
    std::string format;             ///< empty: as the name in the URL says
    std::vector<Setting> settings;  ///< for a VM that is made from it
};

/// Parses sections like those of a lab's file: [debian-13], and lines with url, sums, format and
/// keys of VM files (but no disks). Throws a LauncherError with file, line and caret.
std::vector<CatalogueImage> parse_catalogue(const std::string& path, std::string_view text);

/// The path of this installation's catalogue.
std::string catalogue_path();

/// Reads it; empty when there is none. Throws a LauncherError.
std::vector<CatalogueImage> read_catalogue();

}  // namespace tapgate
