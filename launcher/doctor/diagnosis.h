// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate doctor`: each layer that a bridged VM stands on, from the CPU to the guest's address,
// what is wrong with it, and the command that mends it. The judgement alone, a pure function of
// facts, which collect.h collects.
#pragma once

#include "launcher/doctor/facts.h"
#include "launcher/doctor/finding.h"

namespace tapgate {

/// What is found, in the order in which the layers stand upon each other.
Findings diagnose(const DoctorFacts& facts);

}  // namespace tapgate
