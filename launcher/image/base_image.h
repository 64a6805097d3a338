// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images that others are built upon. A clone's disk is an overlay: a qcow2 image of what differs
// from its base. Once a base has changed, what its overlays hold fits nothing any more. So
//
// - beside each overlay there is a record of what its base was when the overlay was made;
// - the base's file loses its write permission, and gets it back with its last overlay;
// - nobody writes to an image that an overlay stands on. Overlays are found by looking at the
//   user's VM files and at the images in data_directory(): no list is kept that could be wrong.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "launcher/base/progress_bar.h"
#include "launcher/base/stop_signals.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// What a base's file loses.
inline constexpr mode_t write_permissions = S_IWUSR | S_IWGRP | S_IWOTH;

/// A file of a base, as it was.
struct BaseFile {
    std::string path;
    std::uint64_t size = 0;
    std::int64_t mtime = 0;  ///< in ns since 1970
    std::uint64_t inode = 0;
    std::string sha256;  ///< of all its bytes, in hex digits
    mode_t mode = 0;     ///< its permissions before it was a base
};

/// What an overlay stands on.
struct BaseRecord {
    std::string vm;                         ///< the VM whose disk the base is; empty: no VM's
    ImageFormat format = ImageFormat::raw;  ///< the base's
    std::vector<BaseFile> files;            ///< the base first, then what that stands on itself
};

std::int64_t modification_time(const struct stat& status);

/// How many bytes the file or block device `path` has, whose stat(2) is `status`.
std::uint64_t size_of(const std::string& path, const struct stat& status);

/// Where an overlay's record is: beside it.
std::string base_record_path(const std::string& overlay);

/// Nothing when there is none: no overlay, or not of our making. Throws a LauncherError for one
/// that is damaged.
std::optional<BaseRecord> read_base_record(const std::string& overlay);

/// The same; nothing either for one that is damaged.
std::optional<BaseRecord> readable_base_record(const std::string& overlay);

/// Writes the record, which may not be there yet.
void write_base_record(const std::string& overlay, const BaseRecord& record);

/// The records of all overlays in data_directory(), less those that are damaged.
std::vector<BaseRecord> all_base_records();

/// In whose place a record's file has come another, as part of a line ("its size is 5, not 3");
/// empty: none has. Only what stat(2) tells is looked at, so it costs nothing; a file that is not
/// there is a difference, too. Of a block device only the size is compared: nothing but reading all
/// of it, as verify_bases() does, tells whether it was written to.
std::string difference_to(const BaseFile& file);

/// The SHA-256 of the file's bytes, in hex digits, `progress` being told while that takes longer
/// than a second. Throws a LauncherError, also when a signal came.
std::string content_hash(const std::string& path, const HeldSignals& signals,
                         const Progress& progress);

/// Who stands on the image file `path`: the names of VMs, and the paths of overlays that are no
/// VM's. Without those of `except`, which are going to be removed.
std::vector<std::string> dependents_of(const std::string& path,
                                       const std::vector<std::string>& except = {});

/// Throws a LauncherError that names the dependents, if there are any, and `way_out`.
void refuse_base(const std::string& path, const std::string& way_out,
                 const std::vector<std::string>& except = {});

/// Throws a LauncherError that names the clones and the way out when an image that the guest writes
/// to is a base.
void refuse_written_base(const VmSpec& spec);

/// Throws a LauncherError when the base of one of the VM's overlays is not what it was.
void check_bases(const VmSpec& spec);

/// Gives the write permission back to the files of `records` that nobody stands on any more, and
/// that are still the files they were. Returns a line for each.
std::vector<std::string> release_bases(const std::vector<BaseRecord>& records);

}  // namespace tapgate
