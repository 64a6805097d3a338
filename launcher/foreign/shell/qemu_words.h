// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's name among the words of a command.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

/// The place of QEMU's name in the words of a command; end() if it starts none.
std::vector<std::string>::const_iterator find_qemu(const std::vector<std::string>& words);

/// QEMU's name at the end of a word as it is written, behind its directory: "$DIR/qemu-kvm" or
/// ${DIR}qemu-kvm. Empty if it does not end so.
std::string qemu_at_end(std::string_view written);

/// The first argument of that QEMU.
std::vector<std::string>::const_iterator arguments_of_qemu(
    const std::vector<std::string>& words, std::vector<std::string>::const_iterator qemu);

/// Does the command start a QEMU with options, rather than only ask it for help?
bool is_start_of_qemu(const std::vector<std::string>& words);

/// The program that the words start, behind sudo(8) and the like; empty if there is none.
std::string_view started_program(const std::vector<std::string>& words);

/// What to do with a command of another hypervisor's, or with its program's name; empty if it is
/// none that tapgate knows.
std::string of_other_hypervisor(std::string_view word);

/// The way out for a domain of Xen's.
inline constexpr const char* of_xen =
    "`virsh -c xen:///system domxml-from-native xen-xl FILE >vm.xml' writes a file for `tapgate "
    "import vm.xml'";

/// What is wrong with a word that should have been QEMU's name.
std::string no_qemu(std::string_view word);

/// What errors say about QEMU on Windows.
inline constexpr const char* of_windows =
    "it is a command line for Windows, whose disks are not on this host: copy the images here and "
    "write the command line with their paths, and QEMU's name without .exe or w";

}  // namespace tapgate
