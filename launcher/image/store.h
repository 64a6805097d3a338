// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images from elsewhere, each once for all of the user's VMs, in .images of data_directory(): not
// in the cache, which people empty, since VMs stand on them. A file's name ends in the beginning of
// its SHA-256, so that a distribution's next release is another file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/base/progress_bar.h"
#include "launcher/image/checksums.h"

namespace tapgate {

/// An image that is to be had.
struct RemoteImage {
    std::string url;
    std::string ending;  ///< "qcow2", "raw" or "iso": what its name here ends in
    std::string sums;    ///< the URL of its checksums; empty: SHA256SUMS or SHA512SUMS beside it
    std::optional<Checksum> checksum;  ///< as the user says; then no other is asked for
};

struct StoredImage {
    std::string path;
    std::vector<std::string> notes;  ///< what the user should know
};

/// The directory.
std::string image_store();

/// The image in the store: fetched when it is not there, and then compared with its checksum. What
/// broke off is gone on with the next time, if it is the same still. Another process that fetches
/// the same is waited for. `progress` is told how far it is. Throws a LauncherError; then no image
/// is left, and of one that broke off what came.
StoredImage fetch_image(const RemoteImage& image, const Progress& progress);

/// The last part of the URL's path: the file's name there; empty when it has none.
std::string file_name_of(const std::string& url);

}  // namespace tapgate
