// SPDX-License-Identifier: GPL-2.0-or-later
//
// The options of the network as they are read: what is the guest's end of a wire, and what the
// host's.
#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/shell/variables.h"

namespace tapgate {

namespace {

// JSON has a list of strings as hostfwd.0.str=, where options repeat hostfwd=.
void name_strings(Properties& properties) {
    for (auto& [key, value] : properties.all()) {
        const size_t dot = key.find('.');
        if (dot != std::string::npos && key.ends_with(".str") &&
            parse_whole<unsigned>(key.substr(dot + 1, key.size() - dot - 5)))
            key.resize(dot);
    }
}

void add_net(LegacyNets& nets, const LegacyOption& option) {
    const std::string& value = option.value;
    const std::string& was = option.text;
    Properties properties = Properties::parse(value, "type");
    const std::string kind = properties.take("type").value_or("");
    std::string wire = "vlan " + (properties.has("vlan") ? properties.get("vlan") : "0");
    if (kind == "none") {
        nets.none_was = was;
    } else if (kind == "nic") {
        if (properties.has("netdev"))
            wire = properties.get("netdev");
        const std::string model = properties.take("model").value_or("");
        nets.adapters.push_back({was, properties, model, wire, option.slot});
    } else {
        nets.hosts.push_back({was, properties, kind, wire});
    }
}

void add_netdev(LegacyNets& nets, const std::string& value, const std::string& was) {
    Properties properties = Properties::parse(value, "type");
    name_strings(properties);
    const std::string kind = properties.take("type").value_or("");
    nets.hosts.push_back({was, properties, kind, properties.get("id")});
}

void add_nic(LegacyNets& nets, const LegacyOption& option) {
    const std::string& value = option.value;
    const std::string& was = option.text;
    Properties host = Properties::parse(value, "type");
    const std::string kind = host.take("type").value_or("user");
    if (kind == "none") {
        nets.none_was = was;
        return;
    }
    Properties adapter;
    for (const char* const key : {"mac", "macaddr", "addr"}) {
        if (const auto mac = host.take(key))
            adapter.set(key, *mac);
    }
    const std::string model = host.take("model").value_or("");
    const std::string wire = "-nic " + std::to_string(nets.adapters.size());
    nets.adapters.push_back({was, adapter, model, wire, option.slot});
    nets.hosts.push_back({was, host, kind, wire});
}

}  // namespace

void take_net(LegacyParts& parts, const LegacyOption& option) {
    const std::string_view name = option.kind->name;
    // The reason is added where this is caught.
    if (option.value == unknown_text)
        throw LauncherError(option.text);
    if (name == "net")
        add_net(parts.nets, option);
    else if (name == "netdev")
        add_netdev(parts.nets, option.value, option.text);
    else if (name == "nic")
        add_nic(parts.nets, option);
    else
        parts.nets.user_options.emplace_back(
            (name == "bootp" ? "bootfile=" : "tftp=") + commas_doubled(option.value), option.text);
}

// tcp:5555::22 is the old form of hostfwd=tcp::5555-:22.
void take_redir(LegacyParts& parts, const LegacyOption& option) {
    const std::string& value = option.value;
    const size_t first = value.find(':');
    const size_t second = first == std::string::npos ? first : value.find(':', first + 1);
    if (second == std::string::npos) {
        parts.result.dropped(option.text, "it has to look like tcp:2222::22");
        return;
    }
    const std::string protocol = first == 0 ? "tcp" : value.substr(0, first);
    parts.nets.user_options.emplace_back(
        "hostfwd=" + commas_doubled(protocol + "::" + value.substr(first + 1, second - first - 1) +
                                    "-" + value.substr(second + 1)),
        option.text);
}

}  // namespace tapgate
