// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the launcher's files are (XDG base directory specification).
#pragma once

#include <string>
#include <vector>

namespace tapgate {

/// $HOME, else what the user's entry says. Throws a LauncherError when there is neither.
std::string home_directory();

/// VM files and tapgate's own settings: $XDG_CONFIG_HOME/tapgate, else ~/.config/tapgate.
std::string config_directory();

/// What can be found out again: $XDG_CACHE_HOME/tapgate, else ~/.cache/tapgate.
std::string cache_directory();

/// What a VM needs to keep (UEFI variables, overlays): $XDG_DATA_HOME/tapgate, else
/// ~/.local/share/tapgate.
std::string data_directory();

/// Sockets and locks of running VMs: tapgate in $XDG_RUNTIME_DIR, else in /run/user/UID where that
/// is ours (su, cron), else, and in any batch job, in runtime_base_of_host(). It may not be there
/// yet. Whoever can write there has the user's VMs: so each call looks whether it and what it is in
/// are this user's and nobody else can write to them, and throws a LauncherError when not.
std::string runtime_directory();

/// Where VMs may be besides, that were started with another environment (by cron, before a login,
/// or behind `su'): what is there and this user's alone. Throws no LauncherError.
std::vector<std::string> other_runtime_directories();

/// ~/.cache/tapgate/run/HOSTNAME: a directory of this host's and this user's alone, found again by
/// each process of his (a batch job, a host without logind), and on a home that hosts share. Throws
/// a LauncherError.
std::string runtime_base_of_host();

/// The directory that relative paths of the command line start in.
std::string current_directory();

}  // namespace tapgate
