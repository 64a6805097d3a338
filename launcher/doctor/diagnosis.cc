// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/doctor/diagnosis.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

using Findings = std::vector<Finding>;

// Below this an image can fill up its file system within one installation of packages.
constexpr std::uint64_t little_disk = 1024;

std::string_view word_of(Health health) {
    switch (health) {
        case Health::ok:
            return "ok";
        case Health::warn:
            return "warn";
        case Health::fail:
            return "FAIL";
    }
    return "";
}

// --- Devices

// The way into the group of a device that is closed to others.
std::string way_into(const DeviceFacts& device, const std::string& user, const std::string& path) {
    if (device.group.empty())
        return "sudo chmod 0666 " + path + "; lasting: a udev rule";
    if (device.in_group)
        return "log in again: you have been in the group " + device.group +
               " since after this login began";
    return "sudo usermod -aG " + device.group + " " + user + "; then log in again";
}

Finding kvm(const DoctorFacts& facts) {
    const std::string slow = "; guests run without KVM, 10 times slower or worse";
    switch (facts.kvm.error) {
        case 0:
            if (facts.why_not_kvm.empty())
                return {"kvm", Health::ok, "/dev/kvm opens, and runs guests"};
            return {"kvm", Health::warn,
                    "/dev/kvm opens, but is of no use: " + facts.why_not_kvm + slow,
                    "find out what the host's kernel and firmware say: sudo dmesg | grep -i kvm"};
        case EACCES:
            return {"kvm", Health::warn, "you may not open /dev/kvm" + slow,
                    way_into(facts.kvm, facts.user, "/dev/kvm")};
        default:
            return {"kvm", Health::warn, "/dev/kvm: " + errno_text(facts.kvm.error) + slow,
                    facts.cpu_can_virtualize
                        ? "sudo modprobe " + facts.kvm_module
                        : "switch virtualization (VT-x, AMD-V) on in the firmware; in a VM: nested "
                          "virtualization"};
    }
}

Finding tun(const DoctorFacts& facts) {
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

Finding vhost_net(const DoctorFacts& facts) {
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

// --- The helper, and what may keep its privilege from it

bool is_setuid_root(const HelperFacts& helper) {
    return (helper.mode & S_ISUID) != 0 && helper.owner == 0;
}

// Nothing more can be said of a helper that is not there.
bool is_there(const HelperFacts& helper) {
    return helper.error == 0 && helper.regular;
}

void helper(const DoctorFacts& facts, Findings& findings) {
    const HelperFacts& file = facts.helper;
    const std::string path = shown(file.path);
    const std::string mend = "sudo chown root:root " + path + " && sudo chmod 4755 " + path;
    if (!is_there(file)) {
        findings.push_back(
            {"helper", Health::fail,
             file.error != 0 ? path + ": " + errno_text(file.error) : path + " is no regular file",
             "install tapgate so that its helper is there, or build it with the prefix that it is "
             "in"});
        return;
    }
    findings.push_back(file.runnable
                           ? Finding{"helper", Health::ok, path}
                           : Finding{"helper", Health::fail, path + ": you may not run it", mend});
    if (is_setuid_root(file))
        findings.push_back({"helper-privilege", Health::ok, "it is setuid root"});
    else if (file.capable)
        findings.push_back({"helper-privilege", Health::ok, "it has cap_net_admin"});
    else
        findings.push_back({"helper-privilege", Health::fail,
                            (file.mode & S_ISUID) != 0
                                ? "it is setuid, but its owner is uid " +
                                      std::to_string(file.owner) + " and not root"
                                : "it has no privilege: it is not setuid root, nor has it "
                                  "cap_net_admin",
                            mend});
    if (file.owner != 0 || (file.mode & (S_IWGRP | S_IWOTH)) != 0)
        findings.push_back({"helper-owner", Health::fail,
                            "others than root can change it (uid " + std::to_string(file.owner) +
                                " owns it, mode " +
                                [&] {
                                    std::string mode = "0";
                                    for (int digit = 9; digit >= 0; digit -= 3)
                                        mode += static_cast<char>('0' + ((file.mode >> digit) & 7));
                                    return mode;
                                }() +
                                ")",
                            mend});
    else
        findings.push_back({"helper-owner", Health::ok, "only root can change it"});
    if (file.nosuid)
        findings.push_back(
            {"helper-mount", Health::fail,
             shown(file.mount) + " is mounted nosuid: no program there gets a privilege",
             "sudo mount -o remount,suid " + shown(file.mount) +
                 " (lasting: /etc/fstab), or install tapgate elsewhere"});
    else
        findings.push_back({"helper-mount", Health::ok, "its file system is not mounted nosuid"});
}

void process(const DoctorFacts& facts, Findings& findings) {
    if (facts.process.no_new_privs)
        findings.push_back({"no-new-privs", Health::fail,
                            "this shell runs with no-new-privs: the helper gets no privilege",
                            "start tapgate from outside: an ordinary login; a unit without "
                            "NoNewPrivileges=; a container without no-new-privileges"});
    else
        findings.push_back({"no-new-privs", Health::ok, "not set"});
    if (facts.process.user_namespace)
        findings.push_back(
            {"user-namespace",
             is_there(facts.helper) && facts.helper.owner == 0 ? Health::warn : Health::fail,
             "this is a user namespace: the helper can change no network but one that belongs to "
             "it",
             "start tapgate from outside it (unshare, rootless containers, bubblewrap)"});
    else
        findings.push_back({"user-namespace", Health::ok, "the host's own"});
    if (facts.process.net_admin_bounded)
        findings.push_back({"bounding-set", Health::fail,
                            "CAP_NET_ADMIN is not in the bounding set: not even root has it here",
                            "a container with --cap-add=NET_ADMIN; a unit without "
                            "CapabilityBoundingSet="});
    else
        findings.push_back({"bounding-set", Health::ok, "it has CAP_NET_ADMIN"});
}

// --- The policy

void policy(const DoctorFacts& facts, Findings& findings) {
    const std::string path = shown(facts.policy.path);
    if (facts.policy.error == ENOENT)
        findings.push_back({"policy", Health::fail,
                            "there is no " + path +
                                ": nobody may do "
                                "anything",
                            "echo 'allow " +
                                (facts.bridges.empty() ? "br0" : shown(facts.bridges.front())) +
                                "' | sudo tee " + path});
    else if (facts.policy.error != 0)
        findings.push_back({"policy", Health::fail, path + ": " + errno_text(facts.policy.error),
                            "sudo chmod 0644 " + path});
    else
        findings.push_back({"policy", Health::ok, path + " can be read"});
    for (const std::string& bridge : facts.bridges) {
        const auto found = facts.helper.verdicts.find(bridge);
        // A policy that cannot be read was said to be so above.
        if (found == facts.helper.verdicts.end() || facts.policy.error != 0)
            continue;
        const PolicyVerdict& verdict = found->second;
        const std::string text = terminal_text(verdict.text, 400);
        const std::string line = text.substr(0, text.find('\n'));
        if (!verdict.answered)
            findings.push_back(
                {"verdict", Health::fail, "not known: " + line, "tapgate-policy check"});
        else if (verdict.allowed)
            findings.push_back({"verdict", Health::ok, line});
        else
            findings.push_back(
                {"verdict", Health::fail, line,
                 line.find(": deny ") != std::string::npos
                     ? "ask for that line to be changed: a deny wins wherever it stands"
                     : "echo 'allow " + shown(bridge) + " user=" + shown(facts.user) +
                           "' | sudo tee -a " + path});
    }
}

// --- The bridge

LinkDetails details_of(const DoctorFacts& facts, const HostLink& link) {
    const auto found = facts.link_details.find(link.name);
    return found == facts.link_details.end() ? LinkDetails{} : found->second;
}

// The ports that lead out of this host: not guests' ends; and containers' ends only when there is
// nothing else, since in a container that is what the way out looks like.
std::vector<const HostLink*> uplinks_of(const HostNetwork& network, const HostLink& bridge) {
    std::vector<const HostLink*> uplinks;
    std::vector<const HostLink*> pairs;
    for (const HostLink* port : network.ports(bridge.index)) {
        if (port_tag(*port))
            continue;
        if (port->kind == "veth")
            pairs.push_back(port);
        else if (port->kind != "tun")
            uplinks.push_back(port);
    }
    return uplinks.empty() ? pairs : uplinks;
}

// Where this host's own packets leave by default.
const HostLink* default_link(const HostNetwork& network) {
    for (const DefaultRoute& route : network.default_routes)
        if (const HostLink* const link = network.link(route.link); link != nullptr && !route.v6)
            return link;
    return nullptr;
}

void uplink(const DoctorFacts& facts, const HostLink& bridge, Findings& findings) {
    const std::string name = shown(bridge.name);
    const auto uplinks = uplinks_of(facts.network, bridge);
    if (uplinks.empty()) {
        const HostLink* const way_out = default_link(facts.network);
        if (way_out != nullptr && details_of(facts, *way_out).wireless)
            findings.push_back({"uplink", Health::warn,
                                name + " leads nowhere but to this host, and " +
                                    shown(way_out->name) +
                                    " is Wi-Fi, which cannot be a bridge's port: its access point "
                                    "takes frames of one MAC address only",
                                "a cable; or --net=user"});
        else
            findings.push_back(
                {"uplink", Health::warn,
                 name + " has no uplink: guests reach this host and each "
                        "other only",
                 way_out != nullptr && way_out->index != bridge.index && way_out->master == 0
                     ? "sudo ip link set " + shown(way_out->name) + " master " + name +
                           " (its addresses must move to " + name + ", or this host is cut off)"
                     : "sudo ip link set DEVICE master " + name});
        return;
    }
    for (const HostLink* port : uplinks) {
        const std::string uplink_name = shown(port->name);
        if (details_of(facts, *port).wireless)
            findings.push_back({"uplink", Health::fail,
                                uplink_name + " is Wi-Fi: its access point drops what comes from a "
                                              "guest's MAC address",
                                "a cable as the uplink; or --net=user"});
        else if (!port->up)
            findings.push_back({"uplink", Health::fail, "the uplink " + uplink_name + " is down",
                                "sudo ip link set " + uplink_name + " up"});
        else if (!port->carrier)
            findings.push_back({"uplink", Health::warn,
                                "the uplink " + uplink_name + " has no carrier",
                                "look at its cable and the switch"});
        else
            findings.push_back({"uplink", Health::ok, uplink_name + " is up"});
    }
}

void addresses(const DoctorFacts& facts, const HostLink& bridge, Findings& findings) {
    const std::string name = shown(bridge.name);
    std::string own;
    bool leased = false;
    bool router = false;
    for (const HostAddress& one : facts.network.addresses) {
        if (one.link != bridge.index || one.link_local)
            continue;
        own += (own.empty() ? "" : ", ") + one.address + "/" + std::to_string(one.prefix);
        leased = leased || (one.leased && !one.v6);
        router = router || one.from_router || (one.leased && one.v6);
    }
    for (const HostLink* port : facts.network.ports(bridge.index))
        for (const HostAddress& one : facts.network.addresses)
            if (one.link == port->index && !one.link_local)
                findings.push_back(
                    {"address", Health::warn,
                     one.address + " is an address of the port " + shown(port->name) +
                         ", where it is of no use: it belongs on " + name,
                     "sudo ip addr flush dev " + shown(port->name) + " && sudo dhclient " + name});
    if (own.empty())
        findings.push_back(
            {"address", Health::warn,
             "this host has no address on " + name + ": guests cannot reach it, nor it them",
             "sudo dhclient " + name + ", or sudo ip addr add ADDRESS/LENGTH dev " + name});
    else
        findings.push_back({"address", Health::ok, own});
    findings.push_back({"dhcp", Health::ok,
                        leased
                            ? "this host's own address is leased: there is a DHCP server"
                            : "not known whether there is a server: this host has no lease here, "
                              "and only root could ask"});
    for (const DefaultRoute& route : facts.network.default_routes)
        router = router || (route.v6 && route.from_router && route.link == bridge.index);
    findings.push_back({"ipv6-router", Health::ok,
                        router ? "there is one: guests get IPv6 addresses"
                               : "none was heard: guests have link-local IPv6 addresses only"});
}

void bridge(const DoctorFacts& facts, const std::string& name, Findings& findings) {
    const HostLink* const link = facts.network.link(name);
    if (link == nullptr || !link->bridge) {
        std::string others;
        for (const HostLink& one : facts.network.links)
            if (one.bridge)
                others += (others.empty() ? "" : ", ") + shown(one.name);
        findings.push_back(
            {"bridge", Health::fail,
             (link == nullptr ? "there is no " + shown(name)
                              : shown(name) + " is no bridge, but a " +
                                    (link->kind.empty() ? "network device" : shown(link->kind))) +
                 (others.empty() ? "; this host has no bridges" : "; bridges here: " + others),
             link == nullptr
                 ? "sudo ip link add " + shown(name) + " type bridge && sudo ip link set " +
                       shown(name) + " up; lasting: in the host's network manager"
                 : "name a bridge: --net=bridge:NAME"});
        return;
    }
    findings.push_back({"bridge", Health::ok, shown(name)});
    if (link->up)
        findings.push_back({"bridge-up", Health::ok, "it is up"});
    else
        findings.push_back({"bridge-up", Health::fail, shown(name) + " is down",
                            "sudo ip link set " + shown(name) + " up"});
    uplink(facts, *link, findings);
    const unsigned delay = 2 * link->bridge->forward_delay / 100;
    if (link->bridge->stp && delay > 0)
        findings.push_back(
            {"stp", Health::warn,
             shown(name) + " speaks STP: a new port is silent for " + std::to_string(delay) +
                 " s, and DHCP in the guest may give up",
             "sudo ip link set " + shown(name) +
                 " type bridge stp_state 0, where no loop is possible; NetworkManager: "
                 "nmcli connection modify " +
                 shown(name) + " bridge.stp no"});
    else
        findings.push_back({"stp", Health::ok, "a new port forwards at once"});
    findings.push_back({"bridge-mac", Health::ok,
                        details_of(facts, *link).fixed_address
                            ? "fixed: ports do not change it"
                            : "not fixed yet: the helper fixes it with the first tap"});
    addresses(facts, *link, findings);
}

void netfilter(const DoctorFacts& facts, Findings& findings) {
    if (!facts.netfilter_on_bridges) {
        findings.push_back({"netfilter", Health::ok, "bridged frames do not go through iptables"});
        return;
    }
    const bool docker = facts.network.link("docker0") != nullptr;
    findings.push_back(
        {"netfilter", Health::warn,
         std::string("bridged frames go through iptables' FORWARD chain (br_netfilter)") +
             (docker ? ", which Docker, seen here, sets to DROP"
                     : "; whether that drops them only root can see: sudo iptables -S FORWARD"),
         docker ? "sudo iptables -I DOCKER-USER -m physdev --physdev-is-bridged -j ACCEPT"
                : "sudo sysctl -w net.bridge.bridge-nf-call-iptables=0"});
}

// Their being off is how they are installed, and no fault.
void guards(const DoctorFacts& facts, Findings& findings) {
    const bool gone = facts.guards.unit && facts.guards.loaded == false;
    if (gone)
        findings.push_back({"guards", Health::warn,
                            "tapgate-guards.service is active, and its table is gone (by nft flush "
                            "ruleset?)",
                            "sudo systemctl restart tapgate-guards"});
    else if (facts.guards.unit || facts.guards.loaded == true)
        findings.push_back({"guards", Health::ok,
                            "tapgate.nft is loaded: no guest is a DHCP server, a router or a "
                            "switch"});
    else
        findings.push_back(
            {"guards", Health::ok,
             std::string("off: tapgate.nft, against guests that are DHCP servers, routers or "
                         "switches, is not loaded") +
                 (facts.guards.loaded ? "" : " by its unit (only root can see more)")});
}

// What QEMU's `-net tap,script=no` leaves: nobody's port, and down.
void stray_taps(const DoctorFacts& facts, Findings& findings) {
    const std::string target = facts.bridges.empty() ? "br0" : shown(facts.bridges.front());
    for (const HostLink& link : facts.network.links) {
        // Without a MAC address it is a tun, some VPN's.
        if (link.kind != "tun" || !link.mac || link.master != 0 || link.up)
            continue;
        findings.push_back({"stray-tap", Health::warn,
                            "the tap " + shown(link.name) +
                                " is down and no bridge's port (QEMU's script=no leaves it so)",
                            "sudo ip link set " + shown(link.name) + " master " + target +
                                " up; better: let tapgate make the tap"});
    }
}

// --- The session, and what the VM needs

void session(const DoctorFacts& facts, Findings& findings) {
    const SessionFacts& session = facts.session;
    const std::string used = shown(session.used);
    if (!session.problem.empty())
        findings.push_back(
            {"runtime-dir", Health::fail,
             (session.variable.empty() ? std::string()
                                       : "XDG_RUNTIME_DIR: " + shown(session.variable) + ": ") +
                 session.problem,
             "unset XDG_RUNTIME_DIR, or log in as yourself"});
    else if (session.variable.empty())
        findings.push_back({"runtime-dir", Health::warn,
                            "XDG_RUNTIME_DIR is not set (su, cron, sudo); using " + used,
                            "log in as yourself, or export XDG_RUNTIME_DIR=/run/user/$(id -u)"});
    else
        findings.push_back({"runtime-dir", Health::ok, used});
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

void resources(const DoctorFacts& facts, Findings& findings) {
    const std::string there = std::to_string(facts.memory_available) + " MiB available";
    if (facts.memory_wanted && *facts.memory_wanted > facts.memory_available)
        findings.push_back({"memory", Health::warn,
                            there + ", the VM wants " + std::to_string(*facts.memory_wanted) +
                                " MiB: the host may swap, or kill it",
                            "end other programs, or give it less: --memory="});
    else
        findings.push_back({"memory", Health::ok, there});
    for (const DiskFacts& disk : facts.disks) {
        if (disk.error != 0)
            findings.push_back({"disk", Health::fail,
                                shown(disk.path) + ": " + errno_text(disk.error),
                                disk.error == ENOENT ? "look at the VM's disk= and cdrom="
                                                     : "ls -l " + shown(disk.path)});
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

void qemu(const DoctorFacts& facts, Findings& findings) {
    const QemuReport& report = facts.qemu;
    if (!report.problem.empty()) {
        findings.push_back({"qemu", Health::fail, terminal_text(report.problem, 1000),
                            "sudo apt-get install qemu-system-x86 (Fedora, RHEL: sudo dnf install "
                            "qemu-kvm)"});
        return;
    }
    findings.push_back(
        {"qemu", Health::ok, shown(report.program) + ", version " + shown(report.version)});
    if (report.machine_deprecated)
        findings.push_back(
            {"machine", Health::warn,
             "QEMU will not have the machine " + shown(report.machine) + " in a later version",
             "--machine=q35 (the guest sees other hardware then)"});
    else if (!report.machine.empty())
        findings.push_back({"machine", Health::ok, shown(report.machine)});
}

void guest(const DoctorFacts& facts, Findings& findings) {
    for (const GuestAdapter& adapter : facts.adapters) {
        if (adapter.addresses.empty())
            findings.push_back({"guest", Health::warn, adapter.unknown});
        else
            findings.push_back({"guest", Health::ok,
                                adapter.net.mac + " has " + adapter.addresses.front().address});
    }
}

}  // namespace

Findings diagnose(const DoctorFacts& facts) {
    Findings findings;
    findings.push_back(kvm(facts));
    qemu(facts, findings);
    if (!facts.bridges.empty()) {
        findings.push_back(tun(facts));
        findings.push_back(vhost_net(facts));
        helper(facts, findings);
        process(facts, findings);
        policy(facts, findings);
        for (const std::string& name : facts.bridges)
            bridge(facts, name, findings);
        netfilter(facts, findings);
        guards(facts, findings);
    }
    stray_taps(facts, findings);
    session(facts, findings);
    resources(facts, findings);
    guest(facts, findings);
    return findings;
}

std::string findings_text(const Findings& findings) {
    size_t width = 0;
    for (const Finding& finding : findings)
        width = std::max(width, finding.check.size());
    std::string text;
    size_t warnings = 0;
    size_t failures = 0;
    for (const Finding& finding : findings) {
        std::string line(word_of(finding.health));
        line.resize(6, ' ');
        line += finding.check;
        line.resize(6 + width + 2, ' ');
        text += line + finding.text + "\n";
        if (finding.health != Health::ok && !finding.remedy.empty())
            text += std::string(line.size(), ' ') + "-> " + finding.remedy + "\n";
        warnings += finding.health == Health::warn ? 1 : 0;
        failures += finding.health == Health::fail ? 1 : 0;
    }
    return text + std::to_string(failures) + " FAIL, " + std::to_string(warnings) + " warn, " +
           std::to_string(findings.size() - failures - warnings) + " ok\n";
}

nlohmann::json findings_json(const Findings& findings) {
    nlohmann::json all = nlohmann::json::array();
    for (const Finding& finding : findings)
        all.push_back({{"check", finding.check},
                       {"result", word_of(finding.health)},
                       {"text", finding.text},
                       {"remedy", finding.remedy}});
    return all;
}

}  // namespace tapgate
