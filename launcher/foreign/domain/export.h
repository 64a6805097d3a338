// SPDX-License-Identifier: GPL-2.0-or-later
//
// A VM as a domain of libvirt's, which virsh define takes, and translate_domain() reads back.
#pragma once

#include <string>
#include <vector>

#include "launcher/vm/identity.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// The domain, and what of the VM has no place in it, a line each.
struct DomainText {
    std::string xml;
    std::vector<std::string> left_out;
};

/// `owner`: whose VM it is, which its UUID and its MAC addresses are made of, here as there.
/// `variables`: a raw image of its UEFI variables; empty: none.
DomainText domain_text(const VmSpec& spec, const Owner& owner, const std::string& variables = {});

}  // namespace tapgate
