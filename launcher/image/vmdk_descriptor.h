// SPDX-License-Identifier: GPL-2.0-or-later
//
// The descriptor of a VMware disk: the text that names its extents, the files that hold the data
// (VMware's "Virtual Disk Format 5.0"). Whoever made the image chose those names, and qemu-img
// opens what they name: so they are read here first, and nothing is taken that is not understood.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// The names of the extents, plain file names each. Throws a LauncherError that names the line,
/// for names of another directory or a protocol, for a parent, and for lines that are no
/// descriptor's. `source` is what errors call it.
std::vector<std::string> parse_vmdk_descriptor(std::string_view text, const std::string& source);

/// Checks the vmdk image `path`, of any subformat: its descriptor, and that all extents are regular
/// files beside it, which name no others. Returns their paths; none for an image of one file.
/// Throws a LauncherError.
std::vector<std::string> check_vmdk_extents(const std::string& path);

/// Checks the vmdk image of one file, the `size` bytes at `offset` of the archive `path`. Throws a
/// LauncherError, also for a descriptor with extents: those would be other members.
void check_archived_vmdk(const std::string& path, std::uint64_t offset, std::uint64_t size);

/// The descriptor inside of an image of one file, up to its first NUL as QEMU reads it, whatever
/// size the header says; empty when there is none. `head` is the image's beginning, 128 KiB where
/// it has so much. Throws a LauncherError for all that QEMU could take for the names of other
/// files: a capacity of 0 (QEMU then reads a descriptor and its extents, wherever the header says
/// that it is), a parent (QEMU looks for its name behind the header, wherever the descriptor is),
/// and a descriptor that lies elsewhere or does not end.
std::string_view embedded_vmdk_descriptor(std::string_view head, const std::string& source);

}  // namespace tapgate
