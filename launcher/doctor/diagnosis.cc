// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/doctor/diagnosis.h"

#include "launcher/doctor/checks.h"

namespace tapgate {

namespace {

void report_guest(const DoctorFacts& facts, Findings& findings) {
    if (!facts.unanswering.empty()) {
        findings.push_back({"guest", Health::warn, facts.unanswering});
        return;
    }
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
    check_kvm(facts, findings);
    check_qemu(facts, findings);
    if (!facts.bridges.empty()) {
        check_tun(facts, findings);
        check_vhost_net(facts, findings);
        check_helper(facts, findings);
        check_process(facts, findings);
        check_policy(facts, findings);
        for (const std::string& name : facts.bridges)
            check_bridge(facts, name, findings);
        check_netfilter(facts, findings);
        check_guards(facts, findings);
    }
    check_stray_taps(facts, findings);
    check_session(facts, findings);
    check_memory_and_disks(facts, findings);
    report_guest(facts, findings);
    return findings;
}

}  // namespace tapgate
