// SPDX-License-Identifier: GPL-2.0-or-later
//
// A value of an option, where it came from, and the error that points to that place.
#pragma once

#include <cstddef>
#include <string>

#include "launcher/base/error.h"

namespace tapgate {

/// A value of an option, and where it came from.
struct Setting {
    enum class Source { command_line, environment, file, built_in };

    std::string key;
    std::string value;
    Source source = Source::built_in;
    std::string place;      // "--memory", "TAPGATE_MEMORY", "/home/u/lab.conf:3", "default"
    std::string line;       // of a file
    size_t column = 0;      // of the value in that line
    std::string directory;  // where its relative paths start
};

/// A setting from the command line.
Setting command_line_setting(const std::string& key, const std::string& value,
                             const std::string& directory);

/// The error for a wrong setting: its place and, if it is from a file, the line and a caret.
LauncherError wrong_setting(const Setting& setting, const std::string& what);

/// A setting as `tapgate show` prints it: "memory = 2G".
std::string setting_text(const Setting& setting);

}  // namespace tapgate
