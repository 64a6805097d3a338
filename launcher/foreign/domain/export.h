// SPDX-License-Identifier: GPL-2.0-or-later
//
// Writes a VM as a libvirt domain, which virsh define accepts and translate_domain() reads back.
#pragma once

#include <string>
#include <vector>

#include "launcher/vm/identity.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// The domain, and a line for each thing of the VM that it cannot express.
struct DomainText {
    std::string xml;
    std::vector<std::string> left_out;
};

/// The VM's UUID and MAC addresses are derived from `owner`, as tapgate itself does. `variables` is
/// a raw image of its UEFI variables; empty: it has none.
DomainText domain_text(const VmSpec& spec, const Owner& owner, const std::string& variables = {});

}  // namespace tapgate
