// SPDX-License-Identifier: GPL-2.0-or-later
//
// Imports foreign images: qemu-img converts them to qcow2 in the VM's directory,
// completely or not at all.
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
    /// What else is known against it, which the error says if it is damaged: "; it is too short".
    std::string doubt = {};
};

/// Throws a LauncherError unless the image exists, is readable, is of its format, and names no file
/// outside it: no backing file, no parent, and only extents beside it, which are returned.
std::vector<std::string> check_source_image(const SourceImage& image);

/// The images of a VM in the making. Until keep() they are temporary: a failure removes what was
/// converted, and so do SIGINT, SIGTERM and SIGHUP, which are held back for as long as this exists
/// and make import() throw.
class ImageImport {
  public:
    /// Makes `directory` if it does not exist.
    explicit ImageImport(const std::string& directory);
    ~ImageImport();
    ImageImport(const ImageImport&) = delete;
    ImageImport& operator=(const ImageImport&) = delete;

    /// Converts `image` to the new qcow2 image `name` in the directory, after checking that it is
    /// sound and there is room for it. Throws a LauncherError.
    void import(const SourceImage& image, const std::string& name, const Progress& progress);

    /// Makes a new, empty qcow2 image `name` of `size` bytes. Throws a LauncherError.
    void make_blank(const std::string& name, std::uint64_t size);

    /// Grows the imported image `name` to at least `size` bytes. Returns its old size. Throws a
    /// LauncherError.
    std::uint64_t grow(const std::string& name, std::uint64_t size);

    void keep() { imported_.clear(); }

  private:
    std::string directory_;
    HeldSignals signals_;
    std::vector<std::string> imported_;
};

}  // namespace tapgate
