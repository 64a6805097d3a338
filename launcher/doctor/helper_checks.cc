// SPDX-License-Identifier: GPL-2.0-or-later
//
// The helper, what may keep its privilege from it, and the policy.
#include <sys/stat.h>

#include <cerrno>

#include "launcher/base/text.h"
#include "launcher/doctor/checks.h"

namespace tapgate {

namespace {

bool is_setuid_root(const HelperFacts& helper) {
    return (helper.mode & S_ISUID) != 0 && helper.owner == 0;
}

// If the helper does not exist, nothing more can be said about it.
bool is_there(const HelperFacts& helper) {
    return helper.error == 0 && helper.regular;
}

}  // namespace

void check_helper(const DoctorFacts& facts, Findings& findings) {
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
                            "others besides root can change it (uid " + std::to_string(file.owner) +
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

void check_process(const DoctorFacts& facts, Findings& findings) {
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

void check_policy(const DoctorFacts& facts, Findings& findings) {
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
        // A policy that cannot be read has been reported above.
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

}  // namespace tapgate
