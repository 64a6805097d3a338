// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a VM needs of its host: devices, QEMU, the user's session, memory and disks.
#include <cerrno>

#include "launcher/base/text.h"
#include "launcher/doctor/checks.h"

namespace tapgate {

namespace {

// With less, installing a few packages can fill up the file system. In MiB.
constexpr std::uint64_t little_disk = 1024;

// How to get into the group of a device that is closed to others.
std::string way_into(const DeviceFacts& device, const std::string& user, const std::string& path) {
    if (device.group.empty())
        return "sudo chmod 0666 " + path + "; lasting: a udev rule";
    if (device.in_group)
        return "log in again: you have been in the group " + device.group +
               " since after this login began";
    return "sudo usermod -aG " + device.group + " " + user + "; then log in again";
}

Finding judge_kvm(const DoctorFacts& facts) {
    if (!facts.qemu.problem.empty() && facts.kvm.error == 0)
        return {"kvm", Health::warn,
                "/dev/kvm opens; whether it runs guests, nobody can tell without QEMU",
                "install QEMU first, then: tapgate doctor"};
    const std::string slow = "; guests run without KVM, 10 times slower or worse";
    switch (facts.kvm.error) {
        case 0:
            if (facts.why_not_kvm.empty())
                return {"kvm", Health::ok, "/dev/kvm opens, and runs guests"};
            return {"kvm", Health::warn,
                    "/dev/kvm opens, but is of no use: " + facts.why_not_kvm + slow,
                    "find out what the host's kernel and firmware say: sudo dmesg | grep -i kvm"};
        case EACCES:
            // Every distribution has this group, whatever udev has made of the device here.
            return {"kvm", Health::warn, "you may not open /dev/kvm" + slow,
                    facts.kvm.group.empty()
                        ? "sudo chgrp kvm /dev/kvm && sudo chmod 0660 /dev/kvm && sudo usermod -aG "
                          "kvm " +
                              facts.user + "; then log in again"
                        : way_into(facts.kvm, facts.user, "/dev/kvm")};
        default:
            return {"kvm", Health::warn, "/dev/kvm: " + errno_text(facts.kvm.error) + slow,
                    facts.cpu_can_virtualize
                        ? "sudo modprobe " + facts.kvm_module
                        : "switch virtualization (VT-x, AMD-V) on in the firmware; in a VM: nested "
                          "virtualization"};
    }
}

Finding judge_tun(const DoctorFacts& facts) {
    const std::string needed = ": without it there are no taps";
    switch (facts.tun.error) {
        case 0:
            return {"tun", Health::ok, "/dev/net/tun opens"};
        case ENOENT:
            return {"tun", Health::fail, "there is no /dev/net/tun" + needed,
                    "sudo modprobe tun; in a container: give it the device /dev/net/tun"};
        case ENODEV:
        case ENXIO:
            return {"tun", Health::fail,
                    "/dev/net/tun is there, but the kernel has no driver for it" + needed,
                    "sudo modprobe tun"};
        case EACCES:
            return {"tun", Health::fail, "you may not open /dev/net/tun" + needed,
                    "sudo chmod 0666 /dev/net/tun (its usual mode, and it grants nothing: what "
                    "counts is the helper's capability)"};
        case EPERM:
            return {"tun", Health::fail,
                    "/dev/net/tun is forbidden by the container's device rules" + needed,
                    "give the container the device /dev/net/tun"};
        default:
            return {"tun", Health::fail, "/dev/net/tun: " + errno_text(facts.tun.error) + needed,
                    "sudo modprobe tun"};
    }
}

Finding judge_vhost_net(const DoctorFacts& facts) {
    const std::string slow = "; QEMU handles each packet itself, which is slower";
    if (facts.vhost_net.error == 0)
        return {"vhost-net", Health::ok, "/dev/vhost-net opens"};
    if (facts.vhost_net.error == EACCES)
        return {"vhost-net", Health::warn, "you may not open /dev/vhost-net" + slow,
                way_into(facts.vhost_net, facts.user, "/dev/vhost-net")};
    return {"vhost-net", Health::warn,
            "/dev/vhost-net: " + errno_text(facts.vhost_net.error) + slow,
            "sudo modprobe vhost_net"};
}

}  // namespace

void check_kvm(const DoctorFacts& facts, Findings& findings) {
    findings.push_back(judge_kvm(facts));
}

void check_qemu(const DoctorFacts& facts, Findings& findings) {
    const QemuReport& report = facts.qemu;
    if (!report.problem.empty()) {
        findings.push_back({"qemu", Health::fail, terminal_text(report.problem, 1000),
                            "sudo apt-get install qemu-system-x86 (Fedora, RHEL: sudo dnf install "
                            "qemu-kvm)"});
        return;
    }
    findings.push_back(
        {"qemu", Health::ok, shown(report.program) + ", version " + shown(report.version)});
    if (report.machine_missing)
        findings.push_back({"machine", Health::fail,
                            "this QEMU has no machine " + shown(report.machine) +
                                " (`qemu-system-x86_64 -machine help' lists what it has)",
                            "--machine=pc, or q35 (the guest sees other hardware then)"});
    else if (report.machine_deprecated)
        findings.push_back(
            {"machine", Health::warn,
             "QEMU will not have the machine " + shown(report.machine) + " in a later version",
             "--machine=q35 (the guest sees other hardware then)"});
    else if (!report.machine.empty())
        findings.push_back({"machine", Health::ok, shown(report.machine)});
}

void check_tun(const DoctorFacts& facts, Findings& findings) {
    findings.push_back(judge_tun(facts));
}

void check_vhost_net(const DoctorFacts& facts, Findings& findings) {
    findings.push_back(judge_vhost_net(facts));
}

void check_session(const DoctorFacts& facts, Findings& findings) {
    const SessionFacts& session = facts.session;
    const std::string used = shown(session.used);
    if (!session.job.empty()) {
        findings.push_back(session.problem.empty()
                               ? Finding{"runtime-dir", Health::ok, used}
                               : Finding{"runtime-dir", Health::fail, session.problem,
                                         "look at your home: ls -ld ~/.cache ~/.cache/tapgate"});
        findings.push_back({"linger", Health::ok,
                            "in a job of " + session.job +
                                "'s: VMs end with it, their guests by "
                                "their power button"});
        return;
    }
    if (!session.problem.empty())
        findings.push_back(
            {"runtime-dir", used.empty() ? Health::fail : Health::warn,
             (session.variable.empty() ? std::string()
                                       : "XDG_RUNTIME_DIR: " + shown(session.variable) + ": ") +
                 session.problem + (used.empty() ? "" : "; using " + used),
             "unset XDG_RUNTIME_DIR, or log in as yourself"});
    else if (session.variable.empty())
        findings.push_back({"runtime-dir", Health::warn,
                            "XDG_RUNTIME_DIR is not set (su, cron, sudo); using " + used,
                            "log in as yourself, or export XDG_RUNTIME_DIR=/run/user/$(id -u)"});
    else
        findings.push_back({"runtime-dir", Health::ok, used});
    std::string names;
    for (const std::string& name : session.self_starting)
        names.append(names.empty() ? "" : ", ").append(shown(name));
    if (!names.empty() && session.systemd && !session.linger)
        findings.push_back({"autostart", Health::warn,
                            "when you log in, and not with the host: " + names,
                            "loginctl enable-linger; where that is refused: sudo loginctl "
                            "enable-linger " +
                                shown(facts.user)});
    else if (!names.empty())
        findings.push_back({"autostart", Health::ok, "with the host: " + names});
    if (!session.systemd)
        findings.push_back({"linger", Health::ok, "no systemd here that ends VMs at logout"});
    else if (session.linger)
        findings.push_back({"linger", Health::ok, "VMs stay when you log out"});
    else
        findings.push_back({"linger", Health::warn,
                            "VMs that run in the background end when you log out",
                            "loginctl enable-linger; where that is refused: sudo loginctl "
                            "enable-linger " +
                                shown(facts.user)});
}

void check_memory_and_disks(const DoctorFacts& facts, Findings& findings) {
    const std::string there =
        std::to_string(facts.memory_available) + " MiB available" +
        (facts.memory_limit == 0 ? ""
                                 : " (of the limit of this job or session, " +
                                       std::to_string(facts.memory_limit) + " MiB)");
    if (facts.memory_wanted && *facts.memory_wanted > facts.memory_available)
        findings.push_back({"memory", Health::warn,
                            there + ", the VM wants " + std::to_string(*facts.memory_wanted) +
                                " MiB: the host may swap, or kill it",
                            "end other programs, or give it less: --memory="});
    else
        findings.push_back({"memory", Health::ok, there});
    if (!facts.locks_problem.empty())
        findings.push_back({"locks", Health::warn,
                            shown(facts.data_directory) + ": " + facts.locks_problem +
                                ": that a VM runs on another host is not noticed, and its disks "
                                "can be destroyed",
                            "mount it with locks: NFSv4, without nolock and local_lock"});
    for (const DiskFacts& disk : facts.disks) {
        if (disk.error != 0)
            findings.push_back({"disk", Health::fail,
                                shown(disk.path) + ": " + errno_text(disk.error),
                                disk.error == ENOENT ? "look at the VM's disk= and cdrom="
                                : disk.is_device     ? disk.permission
                                                     : "ls -l " + shell_word(disk.path)});
        else if (!disk.mounted_on.empty())
            findings.push_back(
                {"disk", Health::fail,
                 shown(disk.path) + " is in use by this host: " + shown(disk.mounted_on) +
                     "; two systems that write to it destroy what is on it",
                 disk.mounted_on == "swap" ? "sudo swapoff " + shown(disk.path)
                                           : "sudo umount " + shown(disk.mounted_on)});
        else if (disk.is_device)
            findings.push_back({"disk", Health::ok, shown(disk.path) + ": a block device, free"});
        else if (disk.free_mebibytes < little_disk)
            findings.push_back({"disk", Health::warn,
                                shown(disk.path) + ": " + std::to_string(disk.free_mebibytes) +
                                    " MiB are left there; a full file system stops its guests",
                                "df -h " + shown(disk.path)});
        else
            findings.push_back({"disk", Health::ok,
                                shown(disk.path) + ": " + std::to_string(disk.free_mebibytes) +
                                    " MiB are left there"});
    }
}

}  // namespace tapgate
