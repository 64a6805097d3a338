// SPDX-License-Identifier: GPL-2.0-or-later
//
// Translates libvirt's description of a domain (virsh dumpxml) to a VM's settings.
#pragma once

#include <string>
#include <string_view>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

/// The translation of the domain `text`, which errors call `source`. A note names each element and
/// each device of the domain. Throws a LauncherError for anything but a KVM or QEMU domain on a PC.
Translation translate_domain(std::string_view text, const std::string& source);

}  // namespace tapgate
