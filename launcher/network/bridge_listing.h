// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate bridges`: what brctl(8) shows of bridges, and whose each port is.
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
    std::string kind;                     ///< as HostLink has it
    std::string state;                    ///< see port_state_name()
    std::optional<uid_t> owner;           ///< of a tap
    std::string owner_name;               ///< empty: none, or the user has no name
    std::string vm;                       ///< empty: not known
    std::optional<MacAddress> mac;        ///< the port's own
    std::vector<ListedStation> stations;  ///< who sent frames through it
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

/// All bridges, or the one that `only` names, with their ports in the order of their indexes.
/// `user_name`: a user's name, or nothing. Throws a LauncherError when `only` is not a bridge.
std::vector<ListedBridge> list_bridges(const HostNetwork& network, const UserName& user_name,
                                       const std::string& only = {});

/// For a terminal of `width` columns (0: as wide as it takes), with a heading.
std::string bridges_text(const std::vector<ListedBridge>& bridges, size_t width = 0);

nlohmann::json bridges_json(const std::vector<ListedBridge>& bridges);

/// A bridge port's state as ip(8) names it: "forwarding", "blocking", ...
std::string port_state_name(std::uint8_t state);

/// The user's name from the name service; nothing when there is none.
std::string user_name_of(uid_t uid);

}  // namespace tapgate
