// SPDX-License-Identifier: GPL-2.0-or-later
//
// What `tapgate doctor` judges: this host and a VM as collect.h finds them, or as a test has them.
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

/// A device node, as this user finds it.
struct DeviceFacts {
    int error = 0;          ///< the errno of opening it for reading and writing; 0: it opens
    std::string group;      ///< that it belongs to and that may write to it; empty: none
    bool in_group = false;  ///< the user database has this user in that group
};

/// The installed helper.
struct HelperFacts {
    std::string path;
    int error = 0;  ///< the errno of stat(); 0: there is such a file
    bool regular = true;
    bool runnable = true;  ///< by this user
    uid_t owner = 0;
    mode_t mode = 04755;
    bool capable = false;  ///< it has cap_net_admin=ep
    bool nosuid = false;   ///< of its file system, whose mount point is ...
    std::string mount = {};
    /// For each bridge that is asked about.
    std::map<std::string, PolicyVerdict> verdicts = {};
};

/// What the kernel lets this process pass on to the helper.
struct ProcessFacts {
    bool no_new_privs = false;
    bool user_namespace = false;
    bool net_admin_bounded = false;  ///< CAP_NET_ADMIN is not in the bounding set
};

struct PolicyFacts {
    std::string path;
    int error = 0;  ///< the errno of opening it; 0: it opens
};

/// What rtnetlink does not tell of a link.
struct LinkDetails {
    bool wireless = false;
    bool fixed_address = false;  ///< its MAC address was set explicitly
};

struct SessionFacts {
    std::string variable;  ///< XDG_RUNTIME_DIR; empty: not set
    std::string problem;   ///< what is wrong with the directory that it names
    std::string used;      ///< the directory that tapgate uses
    bool systemd = false;  ///< it runs this host
    bool linger = false;
    std::string job = {};  ///< the batch system whose job this process is in; empty: none
    std::vector<std::string> self_starting = {};  ///< the names of VMs that have autostart
};

/// tapgate.nft(5).
struct GuardsFacts {
    bool unit = false;           ///< tapgate-guards.service is active
    std::optional<bool> loaded;  ///< their table is in the kernel; nothing: only root may ask
};

struct QemuReport {
    std::string problem;  ///< why there is none, or why it does not work
    std::string program;
    std::string version;
    std::string machine;  ///< the VM's, its version resolved
    bool machine_deprecated = false;
    bool machine_missing = false;  ///< this QEMU does not have it
};

struct DoctorFacts {
    std::string user;  ///< the name, or the number
    DeviceFacts kvm;
    std::string why_not_kvm;  ///< where it opens: why it runs no guest; empty: it does
    bool cpu_can_virtualize = true;
    std::string kvm_module = "kvm";
    DeviceFacts tun;
    DeviceFacts vhost_net;
    HelperFacts helper;
    ProcessFacts process;
    PolicyFacts policy;
    std::vector<std::string> bridges;  ///< that are asked about; none: the VM needs none
    HostNetwork network;
    std::map<std::string, LinkDetails> link_details;
    bool netfilter_on_bridges = false;  ///< bridged frames go through iptables
    GuardsFacts guards;
    SessionFacts session;
    std::uint64_t memory_available = 0;  ///< MiB
    std::uint64_t memory_limit = 0;      ///< MiB, of this process's cgroup; 0: the host's all
    std::optional<std::uint64_t> memory_wanted;  ///< MiB; by the VM
    std::vector<DiskFacts> disks;
    std::string data_directory;
    std::string locks_problem;  ///< why locks of files there do not hold; empty: they do
    QemuReport qemu;
    std::vector<GuestAdapter> adapters;  ///< of the VM, when it runs
    std::string unanswering;             ///< why its guest answers nobody; empty: it may
};

}  // namespace tapgate
