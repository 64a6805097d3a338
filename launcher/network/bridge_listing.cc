// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/bridge_listing.h"

#include <linux/if_bridge.h>
#include <pwd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "launcher/base/error.h"
#include "launcher/base/terminal_table.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using nlohmann::json;

// If there are more stations behind a port (an uplink), the text only gives their number.
constexpr size_t most_shown = 4;

ListedPort listed(const HostNetwork& network, const HostLink& link, const UserName& user_name) {
    ListedPort port;
    port.name = link.name;
    port.kind = link.kind;
    port.state = port_state_name(link.port->state);
    port.mac = link.mac;
    port.owner = link.tap_owner;
    if (const auto tag = port_tag(link)) {
        port.owner = tag->owner;
        if (tag->vm)
            port.vm = tag->vm->str();
    }
    if (port.owner)
        port.owner_name = user_name(*port.owner);
    for (const Station& station : network.stations) {
        if (station.port != link.index || station.own ||
            std::any_of(port.stations.begin(), port.stations.end(),
                        [&](const ListedStation& seen) { return seen.mac == station.mac; }))
            continue;
        ListedStation one{station.mac, {}};
        for (const Neighbour& neighbour : network.neighbours_of(station.mac, link.master))
            one.addresses.push_back(usable_address(network, neighbour));
        port.stations.push_back(std::move(one));
    }
    if (link.port->isolated)
        port.options.emplace_back("isolated");
    if (link.port->guard || link.port->root_block)
        port.options.emplace_back("guard");
    if (link.port->locked)
        port.options.emplace_back("locked");
    return port;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
    std::string text;
    for (const std::string& word : words)
        text.append(text.empty() ? "" : between).append(word);
    return text;
}

std::string or_dash(const std::string& text) {
    return text.empty() ? "-" : shown(text);
}

std::string owner_text(const ListedPort& port) {
    if (!port.owner)
        return "-";
    return port.owner_name.empty() ? std::to_string(*port.owner) : shown(port.owner_name);
}

// The cells of a port, after those of its bridge: a row for each station, at least one.
std::vector<std::vector<std::string>> rows_of(const ListedPort& port) {
    std::vector<std::vector<std::string>> stations;
    if (port.stations.size() > most_shown)
        stations.push_back({std::to_string(port.stations.size()) + " stations", "-"});
    else
        for (const ListedStation& one : port.stations)
            stations.push_back({one.mac.str(), or_dash(joined(one.addresses, " "))});
    if (stations.empty())
        stations.push_back({"-", "-"});
    std::vector<std::vector<std::string>> rows;
    for (const auto& station : stations) {
        const bool first = rows.empty();
        rows.push_back({first ? shown(port.name) : "", first ? port.state : "",
                        first ? owner_text(port) : "", first ? or_dash(port.vm) : "", station[0],
                        station[1], first ? joined(port.options, ",") : ""});
    }
    return rows;
}

}  // namespace

std::string port_state_name(std::uint8_t state) {
    switch (state) {
        case BR_STATE_DISABLED:
            return "disabled";
        case BR_STATE_LISTENING:
            return "listening";
        case BR_STATE_LEARNING:
            return "learning";
        case BR_STATE_FORWARDING:
            return "forwarding";
        case BR_STATE_BLOCKING:
            return "blocking";
        default:
            return std::to_string(state);
    }
}

std::string user_name_of(uid_t uid) {
    const passwd* const user = getpwuid(uid);  // NOLINT(concurrency-mt-unsafe): one thread
    return user != nullptr ? user->pw_name : "";
}

std::vector<ListedBridge> list_bridges(const HostNetwork& network, const UserName& user_name,
                                       const std::string& only) {
    std::vector<ListedBridge> bridges;
    for (const HostLink& link : network.links) {
        if (!link.bridge || (!only.empty() && link.name != only))
            continue;
        ListedBridge bridge{link.name, *link.bridge, link.up, link.mac, {}, {}};
        for (const HostAddress& address : network.addresses)
            if (address.link == link.index)
                bridge.addresses.push_back(address.address + "/" + std::to_string(address.prefix));
        for (const HostLink* port : network.ports(link.index))
            bridge.ports.push_back(listed(network, *port, user_name));
        bridges.push_back(std::move(bridge));
    }
    std::sort(bridges.begin(), bridges.end(),
              [](const ListedBridge& a, const ListedBridge& b) { return a.name < b.name; });
    if (!only.empty() && bridges.empty()) {
        const HostLink* const link = network.link(only);
        std::string others;
        for (const HostLink& one : network.links) {
            if (one.bridge)
                others.append(others.empty() ? "" : ", ").append(shown(one.name));
        }
        throw LauncherError(
            link == nullptr
                ? "there is no bridge " + quoted_word(only) +
                      (others.empty() ? "; this host has none, and how one is made: tapgate doctor"
                                      : "; those that there are: " + others)
                : shown(only) + " is not a bridge (it is a " +
                      (link->kind.empty() ? "network device" : shown(link->kind)) + ")");
    }
    return bridges;
}

std::string bridges_text(const std::vector<ListedBridge>& bridges, size_t width) {
    std::vector<std::vector<std::string>> rows{{"bridge name", "bridge id", "STP enabled",
                                                "interfaces", "state", "owner", "VM", "MAC",
                                                "address", "options"}};
    for (const ListedBridge& bridge : bridges) {
        std::vector<std::string> start{shown(bridge.name), bridge.facts.id,
                                       bridge.facts.stp ? "yes" : "no"};
        if (bridge.ports.empty())
            rows.push_back(start);
        for (const ListedPort& port : bridge.ports) {
            for (const auto& cells : rows_of(port)) {
                rows.push_back(start);
                rows.back().insert(rows.back().end(), cells.begin(), cells.end());
                start.assign(start.size(), "");
            }
        }
    }
    return fitted_table(rows, width);
}

json bridges_json(const std::vector<ListedBridge>& bridges) {
    const auto mac_or_null = [](const std::optional<MacAddress>& mac) {
        return mac ? json(mac->str()) : json(nullptr);
    };
    json all = json::array();
    for (const ListedBridge& bridge : bridges) {
        json ports = json::array();
        for (const ListedPort& port : bridge.ports) {
            json stations = json::array();
            for (const ListedStation& station : port.stations)
                stations.push_back({{"mac", station.mac.str()}, {"addresses", station.addresses}});
            ports.push_back(
                {{"name", port.name},
                 {"kind", port.kind},
                 {"state", port.state},
                 {"uid", port.owner ? json(*port.owner) : json(nullptr)},
                 {"owner", port.owner_name.empty() ? json(nullptr) : json(port.owner_name)},
                 {"vm", port.vm.empty() ? json(nullptr) : json(port.vm)},
                 {"mac", mac_or_null(port.mac)},
                 {"stations", stations},
                 {"options", port.options}});
        }
        all.push_back({{"name", bridge.name},
                       {"id", bridge.facts.id},
                       {"stp", bridge.facts.stp},
                       {"up", bridge.up},
                       {"mac", mac_or_null(bridge.mac)},
                       {"addresses", bridge.addresses},
                       {"ports", ports}});
    }
    return all;
}

}  // namespace tapgate
