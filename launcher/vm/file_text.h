// SPDX-License-Identifier: GPL-2.0-or-later
//
// Reads and writes the text of a VM file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"
#include "launcher/vm/setting.h"

namespace tapgate {

/// The beginning of the line in a VM file that says which lab has made the VM; the name of the lab
/// follows.
constexpr std::string_view lab_mark_words = "# Made by `tapgate lab' for the lab ";

/// For a part of a file: how it differs from a whole VM file.
struct FilePart {
    unsigned first_line = 1;                        ///< the number of its first line
    std::vector<std::string_view> own_keys = {};    ///< keys that are not VM options, once each
    std::vector<std::string_view> other_keys = {};  ///< keys that belong into another part
    std::string_view other_place = {};              ///< what that part is called
};

/// A setting without key and value, for errors that point to that line of the file `path`.
Setting line_place(const std::string& path, unsigned number, std::string_view line);

/// The settings in a VM file: lines `key = value`. Blank lines, and lines that begin with '#' or
/// ';', are ignored. Relative paths start in the file's directory. Throws a LauncherError with
/// file, line and caret.
std::vector<Setting> parse_vm_file(const std::string& path, std::string_view text,
                                   const FilePart& part = {});

/// The setting's value with its paths made absolute, so that it means the same everywhere.
std::string absolute_value(const Setting& setting);

/// The text of a VM file with these settings, with paths made absolute. Throws a LauncherError when
/// a value cannot be written in one line.
std::string vm_file_text(const VmName& name, const std::vector<Setting>& settings);

}  // namespace tapgate
