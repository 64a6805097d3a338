// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who on a bridge has a MAC address? Two guests with the same one take each other's frames, and
// neither knows why.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "common/names.h"
#include "launcher/network/host_network.h"

namespace tapgate {

/// How long a station counts as there after its last frame.
constexpr std::chrono::milliseconds heard_lately{30000};

/// Somebody who has the MAC address.
struct MacUser {
    enum class How {
        tap,      ///< a tap of this host is made for it
        heard,    ///< frames from it came lately
        entered,  ///< EVPN says that it is there, and says so as long as it is
    };
    How how = How::tap;
    bool remote = false;  ///< behind a tunnel, on another host
    std::chrono::milliseconds age{0};
    std::string text;  ///< "a station behind the port vx0"
};

/// Nothing: nobody. Pure.
std::optional<MacUser> mac_user(const HostNetwork& network, const InterfaceName& bridge,
                                const MacAddress& mac);

/// What is asked while a MAC address is waited for.
struct MacQuestions {
    std::function<HostNetwork()> network;
    /// The other host that the VM itself runs on; empty: none.
    std::function<std::string()> vm_elsewhere;
    std::function<void(std::chrono::milliseconds)> sleep;
    std::function<void(const std::string&)> tell;
};

/// Returns when nobody on the bridge has the address (any more). One of this host has half a second
/// to go, one who is heard again has none; one of another host may just have left it:
/// - `own`, the VM's very own address: what was heard was the VM, before it came here;
/// - what was learnt ages, for heard_lately; what EVPN entered goes within a moment.
/// Throws a LauncherError that names who has it.
void require_free_mac(const InterfaceName& bridge, const MacAddress& mac, bool own,
                      const MacQuestions& ask);

}  // namespace tapgate
