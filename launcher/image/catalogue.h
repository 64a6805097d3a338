// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images that have a name here: what /etc/tapgate/images.conf says of each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// A section of the catalogue.
struct CatalogueImage {
    std::string name;
    std::string url;
    std::string sums;               ///< where the checksums are; empty: beside it
    std::string format;             ///< empty: as the URL's name says
    std::vector<Setting> settings;  ///< of a VM that is made of it
};

/// Reads sections as of a lab's file: [debian-13], and lines with url, sums, format and keys of VM
/// files (but no disks). Throws a LauncherError with file, line and caret.
std::vector<CatalogueImage> parse_catalogue(const std::string& path, std::string_view text);

/// Where this installation's is.
std::string catalogue_path();

/// Reads it; empty where there is none. Throws a LauncherError.
std::vector<CatalogueImage> read_catalogue();

}  // namespace tapgate
