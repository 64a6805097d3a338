// SPDX-License-Identifier: GPL-2.0-or-later
//
// The text of a VM file, read and written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// How the line of a VM file begins that says which lab has made the VM; behind it is the lab's
/// name.
constexpr std::string_view lab_mark_words = "# Made by `tapgate lab' for the lab ";

/// What a part of a file can be besides a whole VM file.
struct FilePart {
    unsigned first_line = 1;                        ///< the number of its first line
    std::vector<std::string_view> own_keys = {};    ///< that are no options of a VM, each once
    std::vector<std::string_view> other_keys = {};  ///< that belong into another part
    std::string_view other_place = {};              ///< and where those stand
};

/// A setting without key and value: where errors about that line of the file `path` point.
Setting line_place(const std::string& path, unsigned number, std::string_view line);

/// The settings in a VM file: lines `key = value`; blank lines and lines that begin with '#' or ';'
/// mean nothing. Relative paths start where the file is. Throws a LauncherError with file, line and
/// caret.
std::vector<Setting> parse_vm_file(const std::string& path, std::string_view text,
                                   const FilePart& part = {});

/// The setting's value with its paths made absolute: it means the same everywhere.
std::string absolute_value(const Setting& setting);

/// The text of a VM file with these settings, paths made absolute. Throws a LauncherError when a
/// value cannot stand in a line.
std::string vm_file_text(const VmName& name, const std::vector<Setting>& settings);

}  // namespace tapgate
