// SPDX-License-Identifier: GPL-2.0-or-later
//
// The options that describe a VM. One table: the long options of the command line, the keys of a VM
// file and the TAPGATE_ variables of the environment are the same, with the same values.
//
// Where an option is in several of them the first of these has it whole, lists too: command line,
// environment, file, default.
//
// In values that are lists (`disk=/a.qcow2,bus=scsi`) a comma that belongs to a word is written
// twice, as with QEMU.
#ifndef TAPGATE_LAUNCHER_VM_OPTIONS_H
#define TAPGATE_LAUNCHER_VM_OPTIONS_H

#include <boost/program_options/options_description.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/vm/spec.h"

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

/// A VM and the settings it was made from, in the table's order, defaults too.
struct VmDescription {
    VmSpec spec;
    std::vector<Setting> settings;
};

/// The table, for Boost's parser of command lines and for --help.
boost::program_options::options_description vm_options();

/// What a shell can complete of an option's value; words between blanks.
struct OptionShape {
    std::string_view key;
    std::string_view help;
    std::string_view values;      ///< what it can be, or begin with
    std::string_view properties;  ///< what can follow behind commas: "bus=virtio|scsi serial=TEXT"
    bool is_path;                 ///< it begins with a file's name
    bool repeatable;
};
std::vector<OptionShape> option_shapes();

/// Is there such an option?
bool is_vm_option(std::string_view key);

/// May it be given more than once, each value counting?
bool is_list_option(std::string_view key);

/// The option, or one of `keys`, that was probably meant, as " (did you mean `memory'?)", or
/// nothing.
std::string suggestion(std::string_view key, std::vector<std::string_view> keys = {});

/// A setting of the command line.
Setting command_line_setting(const std::string& key, const std::string& value,
                             const std::string& directory);

/// The settings in the environment. `lookup`: getenv(), or a test's.
std::vector<Setting> environment_settings(
    const std::function<const char*(const std::string&)>& lookup, const std::string& directory);

/// What a part of a file can be besides a whole VM file.
struct FilePart {
    unsigned first_line = 1;                      ///< the number of its first line
    std::vector<std::string_view> own_keys = {};  ///< that are no options of a VM, each once
};

/// The settings in a VM file: lines `key = value`; blank lines and lines that begin with '#' or ';'
/// mean nothing. Relative paths start where the file is. Throws a LauncherError with file, line and
/// caret.
std::vector<Setting> parse_vm_file(const std::string& path, std::string_view text,
                                   const FilePart& part = {});

/// The error for a setting that is wrong: its place and, of a file's, the line and a caret.
LauncherError wrong_setting(const Setting& setting, const std::string& what);

/// The VM that the settings of all sources describe. Throws a LauncherError that names the place of
/// the setting that is wrong.
VmDescription describe_vm(const VmName& name, const std::vector<Setting>& settings);

/// The setting's value with its paths made absolute: it means the same everywhere.
std::string absolute_value(const Setting& setting);

/// The text of a VM file with these settings, paths made absolute. Throws a LauncherError when a
/// value cannot stand in a line.
std::string vm_file_text(const VmName& name, const std::vector<Setting>& settings);

/// A setting as `tapgate show` prints it: "memory = 2G".
std::string setting_text(const Setting& setting);

}  // namespace tapgate

#endif
