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
    std::string_view argument = {};  ///< as in --help; none: the values
    std::string_view help;
    std::string_view built_in = {};    ///< the default; none: nothing
    std::string_view values = {};      ///< what it can be, or begin with; words between blanks
    std::string_view properties = {};  ///< what can follow: "bus=virtio|scsi serial=TEXT"
    std::string_view implied = {};     ///< on a command line that has only its name; none: an error
    bool repeatable = false;           ///< each value counts
    bool is_path = false;              ///< the value begins with one
    /// Puts a value into the VM; relative paths start in `directory`. Throws a BadValue.
    void (*apply)(VmSpec& spec, std::string_view value, const std::string& directory);
};

/// The table.
std::span<const VmOption> vm_options();

/// The option of this name; nothing when there is none.
const VmOption* find_vm_option(std::string_view key);

/// The option's argument as in --help: "SIZE", "on|off".
std::string argument_of(const VmOption& option);

/// Whether there is such an option.
bool is_vm_option(std::string_view key);

/// Whether it may be given more than once, and each value counts.
bool is_list_option(std::string_view key);

/// The option, or one of `keys`, that was probably meant, as " (did you mean `memory'?)", or
/// nothing.
std::string suggestion(std::string_view key, std::vector<std::string_view> keys = {});

}  // namespace tapgate
