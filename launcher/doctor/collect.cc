// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/doctor/collect.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/unique_fd.h"
#include "launcher/base/batch_job.h"
#include "launcher/base/block_device.h"
#include "launcher/base/child_process.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/host_resources.h"
#include "launcher/base/memory.h"
#include "launcher/base/program.h"
#include "launcher/base/text.h"
#include "launcher/network/bridge_listing.h"
#include "launcher/network/policy_verdict.h"
#include "launcher/qemu/probe.h"
#include "launcher/vm/autostart_link.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

constexpr std::chrono::milliseconds guest_limit{1000};
constexpr std::chrono::seconds nft_limit{5};

// The errno of opening the file; 0 when it opens.
int error_of_open(const std::string& path, int mode) {
    const UniqueFd fd(open(path.c_str(), mode | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    return fd ? 0 : errno;
}

bool is_in_group_database(gid_t wanted) {
    const passwd* const user = getpwuid(getuid());  // NOLINT(concurrency-mt-unsafe): one thread
    std::array<gid_t, 256> groups{};
    int count = static_cast<int>(groups.size());
    return user != nullptr &&
           getgrouplist(user->pw_name, user->pw_gid, groups.data(), &count) >= 0 &&
           std::find(groups.begin(), groups.begin() + count, wanted) != groups.begin() + count;
}

DeviceFacts device_facts(const std::string& path) {
    DeviceFacts facts;
    facts.error = error_of_open(path, O_RDWR);
    struct stat status {};
    if (facts.error != EACCES || stat(path.c_str(), &status) != 0 ||
        (status.st_mode & S_IWGRP) == 0 || status.st_gid == 0)
        return facts;
    const group* const owner = getgrgid(status.st_gid);  // NOLINT(concurrency-mt-unsafe)
    facts.group = owner != nullptr ? owner->gr_name : std::to_string(status.st_gid);
    facts.in_group = is_in_group_database(status.st_gid);
    return facts;
}

// --- The helper

bool has_net_admin(const std::string& path) {
    vfs_ns_cap_data data{};
    if (getxattr(path.c_str(), "security.capability", &data, sizeof data) <
        static_cast<ssize_t>(XATTR_CAPS_SZ_2))
        return false;
    // Little-endian on every machine (linux/capability.h), as are those that this runs on.
    return (data.data[0].permitted & (1U << CAP_NET_ADMIN)) != 0 &&
           (data.magic_etc & VFS_CAP_FLAGS_EFFECTIVE) != 0;
}

HelperFacts helper_facts(const std::string& path, const std::vector<std::string>& bridges) {
    HelperFacts facts;
    facts.path = path;
    struct stat status {};
    struct statvfs system {};
    if (stat(path.c_str(), &status) != 0) {
        facts.error = errno;
        return facts;
    }
    facts.regular = S_ISREG(status.st_mode);
    facts.runnable = access(path.c_str(), X_OK) == 0;
    facts.owner = status.st_uid;
    facts.mode = status.st_mode & 07777;
    facts.capable = has_net_admin(path);
    facts.nosuid = statvfs(path.c_str(), &system) == 0 && (system.f_flag & ST_NOSUID) != 0;
    facts.mount = mount_point_of(path);
    if (facts.regular && facts.runnable)
        for (const std::string& bridge : bridges)
            facts.verdicts.emplace(bridge, policy_verdict(path, bridge));
    return facts;
}

ProcessFacts process_facts() {
    ProcessFacts facts;
    facts.no_new_privs = line_of("/proc/self/status", "NoNewPrivs:") == "1";
    const std::string bounding = line_of("/proc/self/status", "CapBnd:");
    std::uint64_t set = ~std::uint64_t{0};
    std::from_chars(bounding.data(), bounding.data() + bounding.size(), set, 16);
    facts.net_admin_bounded = (set & (std::uint64_t{1} << CAP_NET_ADMIN)) == 0;
    // The initial namespace maps every number to itself.
    std::istringstream map(line_of("/proc/self/uid_map", ""));
    std::uint64_t inside = 0;
    std::uint64_t outside = 0;
    std::uint64_t count = 0;
    map >> inside >> outside >> count;
    facts.user_namespace = !map || inside != 0 || outside != 0 || count != 4294967295;
    return facts;
}

// --- The rest

std::map<std::string, LinkDetails> link_details(const HostNetwork& network) {
    std::map<std::string, LinkDetails> all;
    for (const HostLink& link : network.links) {
        const std::string directory = "/sys/class/net/" + link.name;
        all[link.name] = {exists(directory + "/wireless") || exists(directory + "/phy80211"),
                          first_word(directory + "/addr_assign_type") == "3"};
    }
    return all;
}

SessionFacts session_facts(const std::string& user) {
    SessionFacts facts;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    if (const char* const variable = std::getenv("XDG_RUNTIME_DIR"))
        facts.variable = variable;
    const auto job = batch_job();
    if (job)
        facts.job = name_of(job->system);
    struct stat status {};
    // In a job the variable means nothing.
    if (!job && !facts.variable.empty()) {
        if (stat(facts.variable.c_str(), &status) != 0)
            facts.problem = errno_text(errno);
        else if (!S_ISDIR(status.st_mode) || status.st_uid != getuid())
            facts.problem = "not a directory of yours";
        else if ((status.st_mode & 077) != 0)
            facts.problem = "others can get into it";
    }
    try {
        facts.used = runtime_directory();
    } catch (const LauncherError& error) {
        if (facts.problem.empty())
            facts.problem = error.what();
    }
    facts.systemd = exists("/run/systemd/system");
    facts.linger = exists("/var/lib/systemd/linger/" + user);
    facts.self_starting = self_starting_vms();
    return facts;
}

// The free space, or for a block device, which is not in a file system, who else uses it.
DiskFacts disk_or_device(const std::string& path, bool writes) {
    DiskFacts facts = disk_space(path, error_of_open(path, writes ? O_RDWR : O_RDONLY));
    facts.is_device = is_block_device(path);
    if (facts.is_device && facts.error != 0)
        facts.permission = device_permission(path);
    if (facts.is_device && writes)
        facts.mounted_on = use_of_device(path).mounted_on;
    return facts;
}

GuardsFacts guards_facts() {
    GuardsFacts facts;
    // The directory of the unit's RuntimeDirectory=.
    facts.unit = exists("/run/tapgate-guards");
    if (geteuid() == 0 && find_program("nft"))
        facts.loaded =
            run_program({"nft", "list", "table", "bridge", "tapgate"}, nft_limit).exit_code == 0;
    return facts;
}

std::vector<DiskFacts> disk_facts(const std::optional<VmSpec>& vm) {
    std::vector<DiskFacts> disks;
    if (!vm) {
        disks.push_back(data_disk());
        return disks;
    }
    for (const Disk& one : vm->disks)
        disks.push_back(disk_or_device(one.path.str(), !one.read_only && !vm->snapshot));
    for (const HostPath& one : vm->cdroms)
        disks.push_back(disk_or_device(one.str(), false));
    return disks;
}

// The options with which the file system of `path` is mounted.
std::string mount_options(const std::string& path) {
    const std::string point = mount_point_of(path);
    std::string options;
    std::ifstream file("/proc/self/mounts");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string device;
        std::string where;
        std::string type;
        std::string these;
        words >> device >> where >> type >> these;
        // The last one is on top.
        if (where == point)
            options = "," + these + ",";
    }
    return options;
}

// Why QEMU's locks on images in the directory do not work, also between hosts; empty: they do.
std::string locks_problem(const std::string& directory) {
    const std::string options = mount_options(directory);
    for (const char* local : {",nolock,", ",local_lock=all,", ",local_lock=posix,"})
        if (options.find(local) != std::string::npos)
            return "mounted with " + std::string(local + 1, std::strlen(local) - 2);
    // An unnamed file, which leaves nothing behind. If there can be none, do not check.
    const UniqueFd file(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    struct flock range {};
    range.l_type = F_RDLCK;
    range.l_whence = SEEK_SET;
    range.l_start = 100;
    range.l_len = 1;
    if (file && fcntl(file.get(), F_OFD_SETLK, &range) != 0)
        return "no locks (" + errno_text(errno) + ")";
    return {};
}

QemuReport qemu_report(const std::optional<VmSpec>& vm) {
    QemuReport report;
    try {
        report.program = find_qemu();
        const QemuFacts qemu = qemu_facts(report.program);
        report.version = qemu.version;
        report.machine = vm ? vm->machine.str() : "q35";
        const auto found = qemu.machines.find(report.machine);
        report.machine_missing = found == qemu.machines.end();
        if (!report.machine_missing)
            report.machine = found->second;
        report.machine_deprecated = std::find(qemu.deprecated.begin(), qemu.deprecated.end(),
                                              report.machine) != qemu.deprecated.end();
    } catch (const LauncherError& error) {
        report.problem = error.what();
    }
    return report;
}

}  // namespace

DoctorFacts collect_facts(const std::optional<VmSpec>& vm, const std::vector<std::string>& bridges,
                          const std::string& helper) {
    DoctorFacts facts;
    const std::string name = user_name_of(getuid());
    facts.user = name.empty() ? std::to_string(getuid()) : name;
    facts.qemu = qemu_report(vm);
    facts.kvm = device_facts("/dev/kvm");
    const std::string flags = " " + line_of("/proc/cpuinfo", "flags") + " ";
    const bool intel = flags.find(" vmx ") != std::string::npos;
    const bool amd = flags.find(" svm ") != std::string::npos;
    facts.cpu_can_virtualize = intel || amd;
    facts.kvm_module = intel ? "kvm_intel" : "kvm_amd";
    if (facts.kvm.error == 0 && facts.qemu.problem.empty()) {
        try {
            facts.why_not_kvm =
                why_not_kvm(facts.qemu.program, vm && vm->cpu ? vm->cpu->str() : "host");
        } catch (const LauncherError& error) {
            facts.why_not_kvm = error.what();
        }
    }
    facts.tun = device_facts("/dev/net/tun");
    facts.vhost_net = device_facts("/dev/vhost-net");
    facts.helper = helper_facts(helper, bridges);
    facts.process = process_facts();
    facts.policy = {TAPGATE_POLICY, error_of_open(TAPGATE_POLICY, O_RDONLY)};
    facts.bridges = bridges;
    facts.network = host_network();
    facts.link_details = link_details(facts.network);
    facts.guards = guards_facts();
    facts.netfilter_on_bridges = first_word("/proc/sys/net/bridge/bridge-nf-call-iptables") == "1";
    facts.session = session_facts(facts.user);
    const Memory room = memory();
    facts.memory_available = room.available;
    facts.memory_limit = room.limit;
    if (vm)
        facts.memory_wanted = vm->memory.mebibytes();
    facts.disks = disk_facts(vm);
    facts.data_directory = data_disk().path;
    facts.locks_problem = locks_problem(facts.data_directory);
    if (vm && vm_state(vm->name).life == Life::running) {
        GuestFacts guest = guest_facts(vm->name);
        facts.adapters = find_guest(guest, guest_limit);
        facts.unanswering = why_unanswering(guest);
    } else if (vm) {
        facts.unanswering = why_lost(vm->name);
    }
    return facts;
}

}  // namespace tapgate
