// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate bridges`: what brctl(8) shows of bridges, and whose port each one is.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "launcher/network/host_network.h"

namespace tapgate {

struct ListedStation {
    MacAddress mac;
    std::vector<std::string> addresses;
};

struct ListedPort {
    std::string name;
    std::string kind;                     ///< as in HostLink
    std::string state;                    ///< see port_state_name()
    std::optional<uid_t> owner;           ///< if it is a tap
    std::string owner_name;               ///< empty when there is no owner, or he has no name
    std::string vm;                       ///< empty when not known
    std::optional<MacAddress> mac;        ///< the port's own
    std::vector<ListedStation> stations;  ///< the machines that have sent frames through it
    std::vector<std::string> options;     ///< "isolated", "guard", "locked"
};

struct ListedBridge {
    std::string name;
    BridgeFacts facts;
    bool up = false;
    std::optional<MacAddress> mac;
    std::vector<std::string> addresses;  ///< "192.0.2.1/24"
    std::vector<ListedPort> ports;
};

using UserName = std::function<std::string(uid_t)>;

/// All bridges, or only the one called `only`, with their ports in the order of their ifindices.
/// `user_name` returns a user's name, or an empty string. Throws a LauncherError when `only` is not
/// a bridge.
std::vector<ListedBridge> list_bridges(const HostNetwork& network, const UserName& user_name,
                                       const std::string& only = {});

/// The list with a heading, for a terminal of `width` columns (0: no limit).
std::string bridges_text(const std::vector<ListedBridge>& bridges, size_t width = 0);

nlohmann::json bridges_json(const std::vector<ListedBridge>& bridges);

/// The state of a bridge's port as ip(8) calls it: "forwarding", "blocking", ...
std::string port_state_name(std::uint8_t state);

/// The user's name by the name service; empty when there is none.
std::string user_name_of(uid_t uid);

}  // namespace tapgate
