// SPDX-License-Identifier: GPL-2.0-or-later
//
// The directories of the launcher's files (XDG base directory specification).
#pragma once

#include <string>
#include <vector>

namespace tapgate {

/// $HOME, or else the user's home in the passwd database. Throws a LauncherError without either.
std::string home_directory();

/// VM files and tapgate's own settings: $XDG_CONFIG_HOME/tapgate, or else ~/.config/tapgate.
std::string config_directory();

/// What can be found out again: $XDG_CACHE_HOME/tapgate, or else ~/.cache/tapgate.
std::string cache_directory();

/// What a VM needs to keep (UEFI variables, overlays): $XDG_DATA_HOME/tapgate, or else
/// ~/.local/share/tapgate.
std::string data_directory();

/// Sockets and locks of running VMs. The directory tapgate in $XDG_RUNTIME_DIR; or else in
/// /run/user/UID if that is ours (su, cron); or else, and in any batch job, in
/// runtime_base_of_host(). It need not exist yet. Whoever can write there controls the user's VMs.
/// So each call checks that it and the directory above belong to this user and that nobody else can
/// write to them, and throws a LauncherError otherwise.
std::string runtime_directory();

/// Other directories where there may be VMs that were started with another environment (by cron,
/// before a login, or after `su`): those that exist and are this user's alone. Throws no
/// LauncherError.
std::vector<std::string> other_runtime_directories();

/// ~/.cache/tapgate/run/HOSTNAME: a directory for this host and this user alone, even on a home
/// that hosts share. Every process of the user finds it (in a batch job, on a host without logind).
/// Throws a LauncherError.
std::string runtime_base_of_host();

/// The directory in which relative paths on the command line start.
std::string current_directory();

/// The path of a file that was named on the command line, from the root on.
std::string absolute_path(const std::string& path);

}  // namespace tapgate
