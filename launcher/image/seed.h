// SPDX-License-Identifier: GPL-2.0-or-later
//
// Seeds: what a cloud image's guest reads when it starts for the first time, and so learns who may
// log in. The NoCloud data source of cloud-init (docs: reference/datasources/nocloud): a file
// system with the label "cidata" and the files user-data, meta-data and network-config.
//
// It is a CD-ROM's file system on a virtio disk: each cloud image knows those, and Debian's cloud
// kernel has no driver for q35's CD-ROM (AHCI).
#pragma once

#include <string>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// Who may log in.
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

/// The keys in a file of public SSH keys, a line each. Throws a LauncherError for anything else, a
/// private key first of all.
std::vector<std::string> read_public_keys(const std::string& path);

/// The user's own public keys below `home`, the first that is there of those that ssh-keygen(1)
/// makes. Throws a LauncherError when there is none.
std::vector<std::string> own_public_keys(const std::string& home);

/// The name that this process's user logs in with. Throws a LauncherError when he has none.
std::string own_login_name();

/// This process's user, with his own public keys. Throws a LauncherError when he has no name, or
/// no key.
SeedUser own_seed_user();

/// user-data that makes the user, who may become root, and nothing else. JSON, which is YAML that
/// needs no escaping: a user called "no" stays one. Throws a UsageError for what cannot be the name
/// of a user.
std::string user_data_of(const SeedUser& user);

/// The seed of the VM. Its instance-id is made of its content: when that changes, the guest takes
/// itself for a new one, and acts upon it. Throws a UsageError for what cannot be a hostname.
Seed make_seed(const VmName& name, const std::string& hostname, const std::string& user_data,
               const std::string& network_config);

/// The VM's name as a hostname, which has no '_'.
std::string hostname_of(const VmName& name);

/// Makes the seed of a VM that says seed=on: its user's own, under the VM's name. One that says the
/// same already stays as it is. Throws a LauncherError.
void refresh_seed(const VmName& name);

/// Writes the seed's image into the VM's directory, and names it in the VM file as a disk when
/// that does not do so yet; seed=on goes from the file, which would make another one. Both are the
/// old or the new ones at any time. Throws a LauncherError.
void attach_seed(const VmName& name, const Seed& seed);

}  // namespace tapgate
