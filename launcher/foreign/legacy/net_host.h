// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "launcher/foreign/legacy/parts.h"

namespace tapgate {

/// The bridge that an adapter was connected to.
struct HostBridge {
    std::string name = "br0";
    bool guessed = false;
};

/// Which bridge a tap was on, by the properties of its host's end, which are taken from `backend`
/// where they have no meaning any more. `kind` is "tap", "bridge" or "vmnet-bridged". Adds to `why`
/// what changes.
HostBridge bridge_of(const std::string& kind, Properties& backend, std::string& why);

/// The kind of network on Linux that does what one of macOS does; any other kind as it is.
std::string kind_on_linux(const std::string& kind, Properties& backend, std::string& why);

/// The forwarded ports of QEMU's own network as words of net = user; nothing if that cannot express
/// the network.
std::optional<std::string> simple_forwards(Properties& backend, std::string& why);

/// The socket of libvirt's passt, if that is behind a vhost-user network; else empty.
std::string passt_socket(const LegacyParts& parts, const Properties& backend);

}  // namespace tapgate
