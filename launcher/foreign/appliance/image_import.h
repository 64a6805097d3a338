// SPDX-License-Identifier: GPL-2.0-or-later
//
// Foreign images made the user's own: converted to qcow2 by qemu-img into the VM's directory, whole
// or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "launcher/base/progress_bar.h"
#include "launcher/base/stop_signals.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// An image to convert: a file, or a part of one (a member of an archive).
struct SourceImage {
    std::string path;  ///< absolute
    ImageFormat format = ImageFormat::raw;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;  ///< 0: the whole file
};

/// Throws a LauncherError unless the image is there, readable, of its format, and names no file
/// that is not part of it: no backing file, no parent, extents beside it only, which it returns.
std::vector<std::string> check_source_image(const SourceImage& image);

/// The images of a VM that is being made. Until keep() nothing of them is there for good: a failure
/// takes away what was converted, and so do SIGINT, SIGTERM and SIGHUP, which are held back while
/// this lives and make import() throw.
class ImageImport {
  public:
    /// Makes `directory` when it is not there.
    explicit ImageImport(const std::string& directory);
    ~ImageImport();
    ImageImport(const ImageImport&) = delete;
    ImageImport& operator=(const ImageImport&) = delete;

    /// Converts `image` to the new qcow2 image `name` in the directory, when it is sound and there
    /// is room for it. Throws a LauncherError.
    void import(const SourceImage& image, const std::string& name, const Progress& progress);

    /// Makes the new qcow2 image `name` of `size` bytes with nothing in it. Throws a LauncherError.
    void make_blank(const std::string& name, std::uint64_t size);

    /// Makes the image `name`, which has been imported, at least `size` bytes large. Returns how
    /// large it was. Throws a LauncherError.
    std::uint64_t grow(const std::string& name, std::uint64_t size);

    void keep() { imported_.clear(); }

  private:
    std::string directory_;
    HeldSignals signals_;
    std::vector<std::string> imported_;
};

}  // namespace tapgate
