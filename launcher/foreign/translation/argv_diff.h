// SPDX-License-Identifier: GPL-2.0-or-later
//
// Compares the description of a foreign VM with the command line that QEMU gets now.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// A note of the translation, and the part of the new command line that results from it. What
/// tapgate gives QEMU without being asked is in separate notes of kind `added`, after all others.
struct DiffRow {
    TranslationNote note;
    std::vector<std::string> argv;  ///< options with their values; may be empty
};

/// A row for each note in their order, followed by rows for the rest of `argv`: QEMU's name, and
/// arguments for the translation's settings. Each word of `argv` is in exactly one row.
std::vector<DiffRow> argv_diff(const Translation& translation,
                               const std::vector<std::string>& argv);

/// The rows in two columns, with a total width of `width`. On the left is what the description
/// said; on the right what QEMU gets now, with the setting and the reason below it, after a `#'.
/// Between them is a sign as in diff -y: `|' for changed, `>' for added, `<' for dropped, and none
/// for the same. A word longer than a column is broken.
std::string side_by_side(const std::vector<DiffRow>& rows, size_t width = 80);

}  // namespace tapgate
