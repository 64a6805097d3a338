// SPDX-License-Identifier: GPL-2.0-or-later
//
// What was said of a foreign VM beside the command line that QEMU gets now.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// A note of the translation, and what of the new command line is there because of it. What tapgate
/// gives to QEMU unasked is in notes of kind `added` of their own, behind all others.
struct DiffRow {
    TranslationNote note;
    std::vector<std::string> argv;  ///< options with their values; may be none
};

/// A row for each note, in their order, and rows for the rest of `argv`, QEMU's name and arguments
/// for the translation's settings. Each word of `argv` is in exactly one row.
std::vector<DiffRow> argv_diff(const Translation& translation,
                               const std::vector<std::string>& argv);

/// The rows in two columns, `width` wide together: what stood there; what QEMU gets now, with the
/// setting that says so and the reason below it, behind a `#'. Between them is a sign, as diff(1)
/// has it with -y: `|' for what changed, `>' for what was added, `<' for what was dropped, and none
/// for what stays as it is. A word that is longer than a column is broken.
std::string side_by_side(const std::vector<DiffRow>& rows, size_t width = 80);

}  // namespace tapgate
