// SPDX-License-Identifier: GPL-2.0-or-later
//
// Seeds: what the guest of a cloud image reads when it starts for the first time, to learn who may
// log in. This is the NoCloud data source of cloud-init (docs: reference/datasources/nocloud): a
// file system with the label "cidata" and the files user-data, meta-data and network-config.
//
// It is a CD-ROM's file system on a virtio disk: every cloud image knows both, while Debian's cloud
// kernel has no driver for q35's CD-ROM (AHCI).
#pragma once

#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// A user who may log in.
struct SeedUser {
    std::string name;
    std::vector<std::string> ssh_keys;  ///< as in authorized_keys
};

/// The files of a seed.
struct Seed {
    std::string user_data;
    std::string meta_data;
    std::string network_config;  ///< empty: none
};

/// The keys in a file of public SSH keys, one on each line. Throws a LauncherError for anything
/// else, above all for a private key.
std::vector<std::string> read_public_keys(const std::string& path);

/// The user's own public keys below `home`: the first existing file of those that ssh-keygen(1)
/// makes. Throws a LauncherError when there is none.
std::vector<std::string> own_public_keys(const std::string& home);

/// The login name of this process's user. Throws a LauncherError when he has none.
std::string own_login_name();

/// This process's user with his own public keys. Throws a LauncherError when he has no name or no
/// key.
SeedUser own_seed_user();

/// user-data that only makes the user, who may become root. It is written in JSON, which is YAML
/// that needs no escaping: a user called "no" stays one. Throws a UsageError when the name cannot
/// be a user's.
std::string user_data_of(const SeedUser& user);

/// The VM's seed. Its instance-id is derived from its content: when that changes, the guest takes
/// itself for a new one and applies it. Throws a UsageError when `hostname` cannot be one.
Seed make_seed(const VmName& name, const std::string& hostname, const std::string& user_data,
               const std::string& network_config);

/// The VM's name as a hostname, which cannot have '_'.
std::string hostname_of(const VmName& name);

/// Makes the seed of a VM with seed=on, for its own user and under the VM's name. Leaves an
/// existing seed of the same content as it is. Throws a LauncherError.
void refresh_seed(const VmName& name);

/// Writes the seed's image into the VM's directory, adds it to the VM file as a disk unless it is
/// there, and removes seed=on, which would make another one. At any time both are either the old or
/// the new ones. Throws a LauncherError.
void attach_seed(const VmName& name, const Seed& seed);

}  // namespace tapgate
