// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate doctor`: says for each layer that a bridged VM depends on, from the CPU to the guest's
// address, what is wrong with it and which command fixes it. This is only the judgement, a pure
// function of the facts that collect.h collects.
#pragma once

#include "launcher/doctor/facts.h"
#include "launcher/doctor/finding.h"

namespace tapgate {

/// The findings, in the order in which the layers depend on each other.
Findings diagnose(const DoctorFacts& facts);

}  // namespace tapgate
