// SPDX-License-Identifier: GPL-2.0-or-later
//
// qemu-img, which is only started confined: it opens the files that it is given, and no other that
// an image may name.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "launcher/base/child_process.h"
#include "launcher/base/confinement.h"
#include "launcher/base/program.h"

namespace tapgate {

/// Runs qemu-img with `words` and waits for its end, as run_program() does. It may open `files`;
/// nothing: whatever its user may (backing=any). Throws a LauncherError, also when there is no
/// qemu-img.
ProgramResult run_qemu_img(const std::vector<std::string>& words,
                           const std::optional<FileAccess>& files,
                           std::chrono::milliseconds limit = std::chrono::seconds(30));

/// Starts qemu-img with `words`, `output` (the caller's) being its stdout and stderr.
ChildProcess start_qemu_img(const std::vector<std::string>& words, const FileAccess& files,
                            int output);

/// Makes the empty file `path`, mode 0600, in the place of what is there, for qemu-img to write to:
/// it makes no file itself. Throws a LauncherError.
void make_target(const std::string& path);

}  // namespace tapgate
