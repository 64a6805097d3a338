// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/bridge_port.h"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

#include "helper/failure.h"

namespace tapgate {

Link find_bridge(const LinkSocket& links, const InterfaceName& name) {
    const std::string shown = printable(name.str());
    try {
        Link link = links.get(name.str());
        if (link.kind == "bridge")
            return link;
        throw Failure("failed to add interface to bridge `" + shown + "': " + shown +
                      " is not a bridge (it is a " +
                      (link.kind.empty() ? "network device" : printable(link.kind)) + ")");
    } catch (const std::system_error& error) {
        // The stock helper finds a missing bridge when it asks for its MTU, and says so.
        std::string text =
            "failed to get mtu of bridge `" + shown + "': " + error_text(error.code().value());
        if (error.code().value() == ENODEV)
            text +=
                ": there is no bridge " + shown + " (`ip -br link show type bridge' lists them)";
        throw Failure(text);
    }
}

std::string port_alias(const Caller& caller, const Request& request) {
    std::string alias = "tapgate uid=" + std::to_string(caller.uid);
    if (request.vm)
        alias += " vm=" + request.vm->str();
    return alias;
}

MacAddress port_address(const Request& request) {
    if (request.mac)
        return request.mac->host_side();
    MacAddress::Bytes bytes{};
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        fail_with_errno("failed to make a MAC address");
    return MacAddress::host_side_of(bytes);
}

void attach_port(const LinkSocket& links, const Tap& tap, const Link& bridge,
                 const InterfaceName& bridge_name, const MacAddress& address,
                 const std::string& alias) {
    const std::string what = "failed to add interface `" + tap.name() + "' to bridge `" +
                             printable(bridge_name.str()) + "'";
    Link port;
    try {
        port = links.make_port(
            tap.name(),
            {.address = address, .mtu = bridge.mtu, .master = bridge.index, .alias = alias});
    } catch (const std::system_error& error) {
        fail_with_errno(what, error.code().value());
    }
    // udev may have rewritten the address meanwhile (MACAddressPolicy), root may have done
    // anything.
    const auto must_be = [&](bool same, const char* property) {
        if (!same)
            throw Failure(what + ": the " + property +
                          " is not what was set: does something else " +
                          "on this host (udev, NetworkManager) manage `" + tap.name() + "'?");
    };
    must_be(port.master == bridge.index, "bridge");
    must_be(port.address == address.bytes(), "MAC address");
    must_be(port.mtu == bridge.mtu, "MTU");
    must_be(port.alias == alias, "alias");
    must_be(port.up, "state");
}

}  // namespace tapgate
