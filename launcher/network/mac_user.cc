// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/mac_user.h"

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds pause{250};
// The kernel takes some 40 ms from the end of a VM to the end of its port.
constexpr milliseconds departure{500};
constexpr milliseconds short_pause{20};
// The time from the end of a VM until other nodes hear of it.
constexpr milliseconds withdrawal{5000};

}  // namespace

std::optional<MacUser> mac_user(const HostNetwork& network, const InterfaceName& bridge,
                                const MacAddress& mac) {
    const HostLink* const there = network.link(bridge.str());
    if (there == nullptr)
        return std::nullopt;
    // A port made for the address, even before its guest has sent anything.
    for (const HostLink* port : network.ports(there->index))
        if (const auto tag = port_tag(*port); tag && tag->mac == mac)
            return MacUser{.text = "the tap " + shown(port->name)};
    const Station* const station = network.station(mac, there->index);
    if (station == nullptr)
        return std::nullopt;
    const HostLink* const port = network.link(station->port);
    const bool remote = port != nullptr && port->tunnel_from.has_value();
    MacUser user{.how = station->entered ? MacUser::How::entered : MacUser::How::heard,
                 .remote = remote,
                 .age = milliseconds(station->age),
                 .text = (remote ? "a station of another host, behind the port "
                                 : "a station behind the port ") +
                         (port == nullptr ? "?" : shown(port->name))};
    if (user.how == MacUser::How::heard && user.age > heard_lately)
        return std::nullopt;
    return user;
}

void require_free_mac(const InterfaceName& bridge, const MacAddress& mac, bool own,
                      const MacQuestions& ask) {
    milliseconds waited{0};
    milliseconds youngest = milliseconds::max();
    for (;;) {
        const auto user = mac_user(ask.network(), bridge, mac);
        if (!user)
            return;
        std::string who = user->text;
        // On this host, the port of this VM's last run may still be going.
        bool wait = user->remote || waited < departure;
        if (user->remote && own) {
            const std::string host = ask.vm_elsewhere();
            if (host.empty() && user->how == MacUser::How::heard)
                return;
            if (!host.empty()) {
                who = "this VM itself, on the host " + shown(host) + ",";
                wait = false;
            }
        }
        // A station that was heard again is there.
        wait = wait && (!user->remote || waited.count() == 0 || user->age >= youngest) &&
               waited < (user->how == MacUser::How::entered ? withdrawal : heard_lately);
        if (!wait)
            throw LauncherError("net: " + who + " on " + bridge.str() + " has the MAC address " +
                                mac.str() + " already; give this VM another with mac=");
        if (user->remote && youngest == milliseconds::max())
            ask.tell("net: " + who + " had the MAC address " + mac.str() +
                     " a moment ago; waiting until it is known to be free ...");
        if (user->remote)
            youngest = user->age;
        const milliseconds time = user->remote ? pause : short_pause;
        ask.sleep(time);
        waited += time;
    }
}

}  // namespace tapgate
