// SPDX-License-Identifier: GPL-2.0-or-later
//
// Converts images from one format to another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "launcher/base/confinement.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/unfinished_file.h"

namespace tapgate {

/// Throws a LauncherError unless `directory` has room for the `needed` bytes of `what`.
void require_room(std::uint64_t needed, const std::string& directory, const std::string& what);

/// Runs qemu-img convert. `words` name the formats and the source, which `files` allows it to read;
/// `target` is the new file, and `what` the source in errors. Throws a LauncherError, also when one
/// of `signals` came.
void convert_image(const std::vector<std::string>& words, FileAccess files,
                   const UnfinishedFile& target, const HeldSignals& signals,
                   const Progress& progress, const std::string& what);

}  // namespace tapgate
