// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs qemu-img, always confined: it can open the files that it is given, and no others that an
// image may name.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "launcher/base/child_process.h"
#include "launcher/base/confinement.h"
#include "launcher/base/program.h"

namespace tapgate {

/// Runs qemu-img with `words` and waits for it to end, as run_program() does. It may open `files`;
/// if there are none given, everything that its user may (backing=any). Throws a LauncherError,
/// also when there is no qemu-img.
ProgramResult run_qemu_img(const std::vector<std::string>& words,
                           const std::optional<FileAccess>& files,
                           std::chrono::milliseconds limit = std::chrono::seconds(30));

/// Starts qemu-img with `words`. `output`, which stays the caller's, becomes its stdout and stderr.
ChildProcess start_qemu_img(const std::vector<std::string>& words, const FileAccess& files,
                            int output);

/// Makes an empty file `path` with mode 0600, replacing what is there, for qemu-img to write to,
/// since that is not allowed to make files. Throws a LauncherError.
void make_target(const std::string& path);

}  // namespace tapgate
