// SPDX-License-Identifier: GPL-2.0-or-later
//
// The options that describe a VM, in one table. The long options of the command line, the keys of a
// VM file and the TAPGATE_ variables of the environment are the same, with the same values.
//
// When an option is given in several places, the first of these counts, for lists as a whole:
// command line, environment, file, default.
//
// In values that are lists (`disk=/a.qcow2,bus=scsi`), a comma within a word is doubled, as with
// QEMU.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/vm/spec.h"

namespace tapgate {

/// A row of the table.
struct VmOption {
    std::string_view key;
    std::string_view argument = {};  ///< as --help shows it; if empty: the values
    std::string_view help;
    std::string_view built_in = {};    ///< the default; empty when there is none
    std::string_view values = {};      ///< what it can be or begin with, separated by blanks
    std::string_view properties = {};  ///< what can follow: "bus=virtio|scsi serial=TEXT"
    std::string_view implied = {};     ///< its value on a command line without one; empty: an error
    bool repeatable = false;           ///< it may be given more than once, and all values count
    bool is_path = false;              ///< the value begins with a path
    /// Puts a value into the VM. Relative paths start in `directory`. Throws a BadValue.
    void (*apply)(VmSpec& spec, std::string_view value, const std::string& directory);
};

/// The table.
std::span<const VmOption> vm_options();

/// The option with this key; null when there is none.
const VmOption* find_vm_option(std::string_view key);

/// The option's argument as --help shows it: "SIZE", "on|off".
std::string argument_of(const VmOption& option);

/// Whether there is an option with this key.
bool is_vm_option(std::string_view key);

/// Whether it may be given more than once, and all values count.
bool is_list_option(std::string_view key);

/// The key for what other programs call `word` ("memory" for "ram"); otherwise the word itself.
std::string_view key_called(std::string_view word);

/// The option, or the one of `keys`, that was probably meant, as " (did you mean `memory'?)"; empty
/// when there is none.
std::string suggestion(std::string_view key, std::vector<std::string_view> keys = {});

}  // namespace tapgate
