// SPDX-License-Identifier: GPL-2.0-or-later
//
// The descriptor of a VMware disk: text that names its extents, which are the files that hold the
// data (VMware's "Virtual Disk Format 5.0"). Whoever made the image chose these names, and qemu-img
// opens what they name. So the descriptor is parsed here first, and what is not understood is
// refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// The names of the extents, all of them plain file names. Throws a LauncherError that names the
/// line for names in other directories or with a protocol, for a parent, and for lines that do not
/// belong into a descriptor. Errors call the file `source`.
std::vector<std::string> parse_vmdk_descriptor(std::string_view text, const std::string& source);

/// Checks the vmdk image `path`, of any subformat: its descriptor, and that all extents are regular
/// files beside it which name no others. Returns their paths; none for an image of a single file.
/// Throws a LauncherError.
std::vector<std::string> check_vmdk_extents(const std::string& path);

/// Checks a vmdk image of a single file: the `size` bytes at `offset` of the archive `path`. Throws
/// a LauncherError, also for a descriptor with extents, which would be other members.
void check_archived_vmdk(const std::string& path, std::uint64_t offset, std::uint64_t size);

/// The descriptor inside an image of a single file, up to its first NUL, as QEMU reads it, whatever
/// size the header says; empty when there is none. `head` is the beginning of the image, up to 128
/// KiB. Throws a LauncherError for everything that QEMU could take for names of other files: a
/// capacity of 0 (QEMU then reads a descriptor and its extents wherever the header points), a
/// parent (QEMU looks for its name after the header, wherever the descriptor is), and a descriptor
/// that is elsewhere or has no end.
std::string_view embedded_vmdk_descriptor(std::string_view head, const std::string& source);

}  // namespace tapgate
