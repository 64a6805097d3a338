// SPDX-License-Identifier: GPL-2.0-or-later
//
// The doctor's checks. Each appends what it finds, good or bad, and judges by `facts` alone.
#pragma once

#include <string>

#include "launcher/doctor/facts.h"
#include "launcher/doctor/finding.h"

namespace tapgate {

// The host (host_checks.cc).
void check_kvm(const DoctorFacts& facts, Findings& findings);
void check_qemu(const DoctorFacts& facts, Findings& findings);
void check_tun(const DoctorFacts& facts, Findings& findings);
void check_vhost_net(const DoctorFacts& facts, Findings& findings);
void check_session(const DoctorFacts& facts, Findings& findings);
void check_memory_and_disks(const DoctorFacts& facts, Findings& findings);

// The helper, what may keep its privilege from it, and the policy (helper_checks.cc).
void check_helper(const DoctorFacts& facts, Findings& findings);
void check_process(const DoctorFacts& facts, Findings& findings);
void check_policy(const DoctorFacts& facts, Findings& findings);

// The network (bridge_checks.cc).
void check_bridge(const DoctorFacts& facts, const std::string& name, Findings& findings);
void check_netfilter(const DoctorFacts& facts, Findings& findings);
void check_guards(const DoctorFacts& facts, Findings& findings);
void check_stray_taps(const DoctorFacts& facts, Findings& findings);

}  // namespace tapgate
