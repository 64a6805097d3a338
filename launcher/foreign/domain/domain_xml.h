// SPDX-License-Identifier: GPL-2.0-or-later
//
// libvirt's description of a domain (virsh dumpxml) as a VM's settings.
#pragma once

#include <string>
#include <string_view>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// What the domain `text` becomes; errors call it `source`. Each element of the domain and each of
/// its devices is named in a note. Throws a LauncherError for what is no domain of KVM's or QEMU's
/// on a PC.
Translation translate_domain(std::string_view text, const std::string& source);

}  // namespace tapgate
