// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images that others are built on. A clone's disk is an overlay: a qcow2 image of what differs from
// its base. If the base changes, the overlays no longer fit it. Therefore:
//
// - beside each overlay is a record of what its base was when the overlay was made;
// - the base's file loses its write permission, until its last overlay is gone;
// - nobody writes to an image that an overlay depends on. Overlays are found by looking at the
//   user's VM files and at the images in data_directory(), so there is no list that could be wrong.
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

/// The permissions that a base's file loses.
inline constexpr mode_t write_permissions = S_IWUSR | S_IWGRP | S_IWOTH;

/// A file of a base, as it was when the overlay was made.
struct BaseFile {
    std::string path;
    std::uint64_t size = 0;
    std::int64_t mtime = 0;  ///< in ns since 1970
    std::uint64_t inode = 0;
    std::string sha256;  ///< of the whole content, in hex digits
    mode_t mode = 0;     ///< its permissions before it became a base
};

/// What an overlay depends on.
struct BaseRecord {
    std::string vm;                         ///< the VM whose disk the base is; empty: no VM's
    ImageFormat format = ImageFormat::raw;  ///< the base's
    std::vector<BaseFile> files;            ///< the base first, then what it depends on itself
};

std::int64_t modification_time(const struct stat& status);

/// The size in bytes of the file or block device `path`, whose stat(2) is `status`.
std::uint64_t size_of(const std::string& path, const struct stat& status);

/// The path of an overlay's record, which is beside the overlay.
std::string base_record_path(const std::string& overlay);

/// The record of an overlay. Nothing when there is none: it is not an overlay, or not one of ours.
/// Throws a LauncherError for a damaged record.
std::optional<BaseRecord> read_base_record(const std::string& overlay);

/// The same, but nothing for a damaged record, too.
std::optional<BaseRecord> readable_base_record(const std::string& overlay);

/// Writes the record. It must not exist yet.
void write_base_record(const std::string& overlay, const BaseRecord& record);

/// The records of all overlays in data_directory(), except damaged ones.
std::vector<BaseRecord> all_base_records();

/// How the file differs from its record, as a part of a line ("its size is 5, not 3"); empty when
/// it does not. A missing file is a difference too. It compares only what stat(2) returns, so it is
/// cheap; and of a block device only the size: whether one has been written to can only be found
/// out by reading all of it, as verify_bases() does.
std::string difference_to(const BaseFile& file);

/// The SHA-256 of the file's content in hex digits. Reports `progress` when it takes longer than a
/// second. Throws a LauncherError, also when a signal came.
std::string content_hash(const std::string& path, const HeldSignals& signals,
                         const Progress& progress);

/// Who depends on the image file `path`: the names of VMs, and the paths of overlays that belong to
/// no VM. Those in `except`, which are about to be removed, do not count.
std::vector<std::string> dependents_of(const std::string& path,
                                       const std::vector<std::string>& except = {});

/// If the image has dependents, throws a LauncherError that names them and `way_out`.
void refuse_base(const std::string& path, const std::string& way_out,
                 const std::vector<std::string>& except = {});

/// If overlays were made as clones of the VM, throws a LauncherError that names them and `way_out`:
/// they are reset to what the VM has beside its disks, too, and know it by its name.
void refuse_cloned(const VmName& vm, const std::string& way_out);

/// If an image that the guest writes to is a base, throws a LauncherError that names the clones and
/// the way out.
void refuse_written_base(const VmSpec& spec);

/// Throws a LauncherError when the base of one of the VM's overlays has changed.
void check_bases(const VmSpec& spec);

/// Gives the write permission back to those files of `records` on which nobody depends any more,
/// and which have not changed. Returns a line for each.
std::vector<std::string> release_bases(const std::vector<BaseRecord>& records);

}  // namespace tapgate
