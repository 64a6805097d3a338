// SPDX-License-Identifier: GPL-2.0-or-later
//
// What `tapgate doctor` judges: facts about this host and a VM, from collect.h or from a test.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launcher/base/host_resources.h"
#include "launcher/network/guest_addresses.h"
#include "launcher/network/host_network.h"
#include "launcher/network/policy_verdict.h"

namespace tapgate {

/// A device node, as this user sees it.
struct DeviceFacts {
    int error = 0;          ///< errno of opening it for reading and writing; 0: it opens
    std::string group;      ///< its group, if that may write to it; empty: it may not
    bool in_group = false;  ///< the user is in that group by the user database
};

/// The installed helper.
struct HelperFacts {
    std::string path;
    int error = 0;  ///< errno of stat(); 0: the file exists
    bool regular = true;
    bool runnable = true;  ///< by this user
    uid_t owner = 0;
    mode_t mode = 04755;
    bool capable = false;    ///< it has cap_net_admin=ep
    bool nosuid = false;     ///< its file system is mounted nosuid
    std::string mount = {};  ///< the mount point of that file system
    /// What the policy says about each bridge to check.
    std::map<std::string, PolicyVerdict> verdicts = {};
};

/// What the kernel lets this process pass on to the helper.
struct ProcessFacts {
    bool no_new_privs = false;
    bool user_namespace = false;
    bool net_admin_bounded = false;  ///< the bounding set lacks CAP_NET_ADMIN
};

struct PolicyFacts {
    std::string path;
    int error = 0;  ///< errno of opening it; 0: it opens
};

/// What rtnetlink does not say about a link.
struct LinkDetails {
    bool wireless = false;
    bool fixed_address = false;  ///< its MAC address was set explicitly
};

struct SessionFacts {
    std::string variable;  ///< XDG_RUNTIME_DIR; empty when it is not set
    std::string problem;   ///< what is wrong with the directory that it names
    std::string used;      ///< the directory that tapgate uses
    bool systemd = false;  ///< this host runs systemd
    bool linger = false;
    std::string job = {};  ///< the batch system whose job this process is in; empty: none
    std::vector<std::string> self_starting = {};  ///< the names of VMs with autostart
};

/// The guards of tapgate.nft(5).
struct GuardsFacts {
    bool unit = false;           ///< tapgate-guards.service is active
    std::optional<bool> loaded;  ///< their table is in the kernel; nothing: only root can ask
};

struct QemuReport {
    std::string problem;  ///< why there is no QEMU, or why it does not work
    std::string program;
    std::string version;
    std::string machine;  ///< the VM's machine, with its version
    bool machine_deprecated = false;
    bool machine_missing = false;  ///< this QEMU does not have that machine
};

struct DoctorFacts {
    std::string user;  ///< the name, or the number
    DeviceFacts kvm;
    std::string why_not_kvm;  ///< if the device opens: why it runs no guest; empty: it does
    bool cpu_can_virtualize = true;
    std::string kvm_module = "kvm";
    DeviceFacts tun;
    DeviceFacts vhost_net;
    HelperFacts helper;
    ProcessFacts process;
    PolicyFacts policy;
    std::vector<std::string> bridges;  ///< the bridges to check; none: the VM needs none
    HostNetwork network;
    std::map<std::string, LinkDetails> link_details;
    bool netfilter_on_bridges = false;  ///< bridged frames go through iptables
    GuardsFacts guards;
    SessionFacts session;
    std::uint64_t memory_available = 0;  ///< MiB
    std::uint64_t memory_limit = 0;      ///< MiB, of this process's cgroup; 0: the host's memory
    std::optional<std::uint64_t> memory_wanted;  ///< MiB, for the VM
    std::vector<DiskFacts> disks;
    std::string data_directory;
    std::string locks_problem;  ///< why file locks do not work there; empty: they do
    QemuReport qemu;
    std::vector<GuestAdapter> adapters;  ///< of the VM, if it runs
    std::string unanswering;             ///< why its guest cannot answer; empty: it can
};

}  // namespace tapgate
