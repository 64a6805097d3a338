// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/bridge_port.h"

#include <cerrno>

#include "helper/failure.h"
#include "helper/policy_file.h"
#include "helper/port_name.h"
#include "helper/process.h"

namespace tapgate {

namespace {

// `first`, the first byte, says that it is a station's, and locally administered.
MacAddress random_address(std::uint8_t first) {
    auto bytes = random_value<MacAddress::Bytes>();
    bytes[0] = first;
    return *MacAddress::from_bytes(bytes);
}

// The guest's address, to which the port is to be locked.
MacAddress address_to_lock_to(const Rule& rule, const Request& request) {
    const auto refuse = [&](const std::string& why) { deny(rule.str() + ": " + why); };
    if (!request.mac)
        refuse(
            "mac-lock needs the guest's MAC address: start the VM with `tapgate run', or QEMU with "
            "helper=\"" TAPGATE_HELPER_PATH
            " --mac=MAC\" and the same mac=MAC for the guest's device");
    if (!rule.port.mac_lock->matches(*request.mac))
        refuse("--mac=" + request.mac->str() + " does not begin with " + rule.port.mac_lock->str());
    return *request.mac;
}

// In the stock helper's words.
std::string adding(const std::string& port, const Link& bridge) {
    return "failed to add interface `" + printable(port) + "' to bridge `" +
           printable(bridge.name) + "'";
}

}  // namespace

Link find_bridge(const LinkSocket& links, const InterfaceName& name) {
    const std::string shown = printable(name.str());
    const std::string failed = "failed to get mtu of bridge `" + shown + "': ";
    try {
        Link link = links.get(name.str());
        // The kernel also finds links by alternative names, but the policy was asked about `name`.
        if (link.name != name.str())
            throw Failure(failed + shown + " is another name of " + printable(link.name) +
                          ": ask for it by that name");
        if (link.kind == "bridge")
            return link;
        throw Failure("failed to add interface to bridge `" + shown + "': " + shown +
                      " is not a bridge (it is a " +
                      (link.kind.empty() ? "network device" : printable(link.kind)) + ")");
    } catch (const LinkError& error) {
        // The stock helper notices a missing bridge when it asks for the MTU, hence its wording.
        std::string text = failed + error_text(error.code().value());
        if (error.code().value() == ENODEV)
            text +=
                ": there is no bridge " + shown + " (`ip -br link show type bridge' lists them)";
        throw Failure(text);
    }
}

std::vector<MacAddress> addresses_that_fix(const LinkSocket& links, const Link& bridge, int port) {
    // The link messages do not have this: 3 is NET_ADDR_SET (linux/netdevice.h). But sysfs may be
    // that of another network namespace, with a bridge of the same name, for whoever was put into
    // this one (nsenter(1)). It is this one's if it knows the new port, whose ifindex is random.
    // (It does not, either, if the port is gone meanwhile; then nothing is to be fixed.)
    const std::string name = links.name_of(port);
    if (read_host_file("/sys/class/net/" + bridge.name + "/addr_assign_type") == "3\n" &&
        (read_host_file("/sys/class/net/" + name + "/ifindex") == std::to_string(port) + "\n" ||
         links.name_of(port).empty()))
        return {};
    const Link now = links.get(bridge.name);
    if (now.index != bridge.index)  // another bridge has taken its name
        throw LinkError(ENODEV, "");
    const auto own = MacAddress::from_bytes(now.address);
    if (!own)  // its last port is gone
        return {random_address(0x02)};
    if (now.id_address == now.address)
        return {*own};
    // A bridge that never had a port has a random address, but an STP bridge id of zeroes, which
    // would win every root election. The kernel updates the id only when the address changes
    // (br_set_mac_address() in net/bridge/br_device.c), so change it and change it back.
    return {random_address(0x02), *own};
}

PortSettings port_settings(const Link& bridge, const Rule& rule, const Request& request,
                           uid_t owner) {
    const PortOptions& options = rule.port;
    PortSettings settings{
        // A bridge takes frames for a port's own address to be for the host, and forgets where that
        // address was, even if root has said so: it must not be the caller's choice. A bridge
        // without its own address takes the lowest of its ports', and with fe, as QEMU's helper has
        // it, these are higher than any other.
        .address = random_address(0xfe),
        .mtu = bridge.mtu,
        .master = bridge.index,
        .alias = tag_of(owner, request.vm, request.mac),
        .contained = rule.contained(),
        .isolated = options.isolated,
        .guard = options.guard,
        .only_sender = std::nullopt,
        .vlan = options.vlan,
        .pin_bridge_mac = options.pin_bridge_mac,
    };
    if (options.mac_lock)
        settings.only_sender = address_to_lock_to(rule, request);
    // Without STP a bridge forwards BPDUs like any other frame, even from guarded ports, and so to
    // the switch behind its uplink. With STP done by a daemon, it hands them to that without a look
    // at the guard. See br_handle_frame() in the kernel's net/bridge/br_input.c.
    if (options.guard && !bridge.stp)
        deny(rule.str() + ": bridge " + printable(bridge.name) +
             " speaks no 802.1D STP in the kernel, so guard would keep nothing back: ip link set " +
             printable(bridge.name) + " type bridge stp_state 1 vlan_protocol 802.1Q");
    if (options.vlan && !bridge.vlan_filtering)
        deny(rule.str() + ": bridge " + printable(bridge.name) +
             " does not filter VLANs, so vlan=" + std::to_string(*options.vlan) +
             " would mean nothing: ip link set " + printable(bridge.name) +
             " type bridge vlan_filtering 1");
    return settings;
}

void require_settings(const Link& port, const Link& bridge, const PortSettings& settings) {
    // Root, or a daemon of root's, may have changed it meanwhile.
    const auto must_be = [&](bool same, const char* property) {
        if (!same)
            throw Failure(adding(port.name, bridge) + ": the " + property +
                          " is not what was set: does something else on this host (udev, "
                          "NetworkManager) manage `" +
                          printable(port.name) + "'?");
    };
    must_be(!settings.contained || port.kind == "veth", "kind");
    must_be(port.master == settings.master, "bridge");
    must_be(port.address == settings.address.bytes(), "MAC address");
    must_be(port.mtu == settings.mtu, "MTU");
    must_be(port.alias == settings.alias, "alias");
    // A kernel silently ignores flags that it does not know, and does not report them either.
    const auto must_have = [&](bool wanted, std::optional<bool> there, const char* option) {
        if (wanted && !there.value_or(false))
            throw Failure(adding(port.name, bridge) +
                          ": this kernel does not know the port option " + option);
    };
    must_have(settings.isolated, port.port.isolated, "isolated (Linux 4.18 does)");
    must_have(settings.guard, port.port.guard, "guard");
    must_have(settings.guard, port.port.root_block, "guard");
    must_have(settings.only_sender.has_value(), port.port.locked, "mac-lock (Linux 5.18 does)");
    must_be(!settings.only_sender || port.port.learning == false, "learning flag");
}

bool is_taken_address(const LinkError& error) {
    return error.step() == "mac-lock" && error.code().value() == EEXIST;
}

void fail_to_add(const std::string& port, const Link& bridge, const LinkError& error) {
    // Where a link is gone, the step is only the one that noticed.
    const std::string step = error.code().value() == ENODEV ? "" : error.step();
    std::string what = adding(port, bridge) + (step.empty() ? "" : ": " + step);
    if (is_taken_address(error))
        what += ": another machine on the bridge has this MAC address";
    fail_with_errno(what, error.code().value());
}

}  // namespace tapgate
