// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finds out who on a bridge has a MAC address. Two guests with the same address take each other's
// frames, and neither knows why.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "common/names.h"
#include "launcher/network/host_network.h"

namespace tapgate {

/// For how long after its last frame a station counts as present.
constexpr std::chrono::milliseconds heard_lately{30000};

/// Somebody who has the MAC address.
struct MacUser {
    enum class How {
        tap,      ///< a tap on this host was made for it
        heard,    ///< frames from it have come recently
        entered,  ///< EVPN says that it is there, and would say when it is not
    };
    How how = How::tap;
    bool remote = false;  ///< behind a tunnel, on another host
    std::chrono::milliseconds age{0};
    std::string text;  ///< "a station behind the port vx0"
};

/// Who has the address; nothing when nobody has. A pure function.
std::optional<MacUser> mac_user(const HostNetwork& network, const InterfaceName& bridge,
                                const MacAddress& mac);

/// The questions to ask while waiting for a MAC address to be free.
struct MacQuestions {
    std::function<HostNetwork()> network;
    /// The other host on which the VM itself runs; empty when there is none.
    std::function<std::string()> vm_elsewhere;
    std::function<void(std::chrono::milliseconds)> sleep;
    std::function<void(const std::string&)> tell;
};

/// Returns when nobody on the bridge has the address, or no longer. If somebody on this host has
/// it, waits half a second for him to go. If somebody on another host has it, he may just have
/// left:
/// - `own` means that the address is the VM's own, so what was heard was the VM before it came
/// here;
/// - a learnt entry expires within heard_lately, and one by EVPN goes within a moment.
/// Does not wait for a station that is heard again. Throws a LauncherError that names who has it.
void require_free_mac(const InterfaceName& bridge, const MacAddress& mac, bool own,
                      const MacQuestions& ask);

}  // namespace tapgate
