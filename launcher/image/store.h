// SPDX-License-Identifier: GPL-2.0-or-later
//
// Downloaded images, each only once for all of the user's VMs, in .images of data_directory(). Not
// in the cache, which people empty, since VMs depend on them. A file's name ends in the beginning
// of its SHA-256, so that a distribution's next release becomes another file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/base/progress_bar.h"
#include "launcher/image/checksums.h"

namespace tapgate {

/// An image to be downloaded.
struct RemoteImage {
    std::string url;
    std::string ending;  ///< "qcow2", "raw" or "iso": the ending of its name here
    std::string sums;    ///< the URL of its checksums; empty: SHA256SUMS or SHA512SUMS beside it
    std::optional<Checksum> checksum;  ///< given by the user; the server is then not asked for one
};

struct StoredImage {
    std::string path;
    std::vector<std::string> notes;  ///< what the user should know
};

/// The directory of the store.
std::string image_store();

/// The image in the store. If it is not there, downloads it and compares it with its checksum.
/// Resumes an earlier download that broke off, if the image is still the same. Waits for another
/// process that downloads the same image. Tells `progress` how far it is. Throws a LauncherError;
/// then there is no image, but what has come of it stays for the next try.
StoredImage fetch_image(const RemoteImage& image, const Progress& progress);

/// The file's name at the end of the URL's path; empty when it has none.
std::string file_name_of(const std::string& url);

}  // namespace tapgate
