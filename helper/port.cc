// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/port.h"

#include <algorithm>
#include <ctime>

#include "helper/failure.h"
#include "helper/port_name.h"
#include "helper/process.h"
#include "helper/stale.h"
#include "helper/tap.h"

namespace tapgate {

namespace {

// The kernel takes some 40 ms to remove a port whose last descriptor was just closed, and until
// then the port keeps its slot and MAC address. So that a VM can be restarted at once, wait for it,
// up to half a second.
constexpr int attempts = 25;
constexpr timespec pause_between{0, 20'000'000};

// Removes `account`'s stale ports on `bridge`, and returns the names of the others.
std::vector<std::string> ports_of(uid_t account, const LinkSocket& links, const Link& bridge) {
    std::vector<std::string> own;
    // Other users' ports are left alone: a caller who stopped his helper while it examined one
    // would keep that port in use.
    for (const int port : links.ports(bridge.name)) {
        std::string name = links.name_of(port);
        if (named_owner(name) == account && !remove_if_stale(links, name))
            own.push_back(std::move(name));
    }
    return own;
}

// Takes a slot by making the device with its name. `make_device` returns the device's ifindex, or 0
// when the name is taken. Throws Failure when there is no free slot.
Port::Device take_slot(const LinkSocket& links, const Link& bridge, const Claim& claim,
                       const std::function<int(const std::string&)>& make_device) {
    const auto limit = claim.rule.limits.max_taps;
    for (int attempt = 1; attempt <= attempts; attempt++) {
        if (attempt > 1)
            nanosleep(&pause_between, nullptr);
        const std::vector<std::string> own = ports_of(claim.account, links, bridge);
        const Slots slots =
            limit ? slots_within(*limit, bridge.index, own)
                  : Slots{other_slots, other_slots, random_value<unsigned>() % other_slots};
        for (unsigned i = 0; i < slots.size; i++) {
            std::string name = port_name(claim.account, bridge.index,
                                         slots.begin + (slots.first + i) % slots.size);
            // Not worth a try: the kernel makes a whole pair before it finds that a name is taken.
            const bool is_taken = std::find(own.begin(), own.end(), name) != own.end();
            if (const int index = is_taken ? 0 : make_device(name))
                return {.name = std::move(name), .index = index};
        }
    }
    deny(claim.rule.str() + ": uid " + std::to_string(claim.account) + " has all its taps on " +
         printable(bridge.name) + " already");
}

}  // namespace

// Delegates, so that the destructor runs, and removes what there is, when this constructor throws.
Port::Port(const LinkSocket& links, const Link& bridge, const Claim& claim, const Request& request,
           const PortSettings& settings)
    : Port(links) {
    if (claim.rule.contained())
        make_contained(bridge, claim, request, settings);
    else
        make_plain(bridge, claim, request);
    // From here on: there is a port that counts, with a tap that nobody else can reach.
    configure(bridge, settings);
    if (inside_)
        keep_ipv6_off(name());
}

void Port::make_contained(const Link& bridge, const Claim& claim, const Request& request,
                          const PortSettings& settings) {
    ContainedTap tap = make_namespace(request.queues);
    device_ = take_slot(links_, bridge, claim, [&](const std::string& name) {
        return links_.make_veth(name, settings, request.queues, tap.inside);
    });
    inside_ = std::move(tap.inside);
    queues_ = std::move(tap.queues);
    make_private_tap(queues_, name(), request.vnet_header);
}

void Port::make_plain(const Link& bridge, const Claim& claim, const Request& request) {
    queues_.push_back(open_tun());
    device_ = take_slot(links_, bridge, claim, [&](const std::string& name) {
        return make_tap(queues_[0], name, request.vnet_header);
    });
}

void Port::open(const Claim& claim, const Link& bridge, const PortSettings& settings) {
    try {
        if (inside_)
            inside_->join_inner_end(name(), settings.mtu);
        require(links_.set_address(device_.index, settings.address, true), true, bridge, settings);
    } catch (const LinkError& error) {
        fail_to_add(name(), bridge, error);
    }
    if (!inside_)
        return set_owner(queues_.front(), claim.holder);
    // Asking for the carrier makes frames pass at once: otherwise the kernel may take a second to
    // tell both bridges that their ports are up (net/core/link_watch.c).
    static_cast<void>(links_.may_have_carrier(name()));
    static_cast<void>(inside_->may_have_carrier(inner_end));
    static_cast<void>(inside_->may_have_carrier(name()));
}

Port::~Port() {
    if (device_.index == 0)
        return;
    try {
        links_.remove(device_.index);
    } catch (const std::exception&) {
        // It is gone, or will go with the descriptors, which are closed next.
    }
}

void Port::configure(const Link& bridge, const PortSettings& settings) const {
    for (int attempt = 1;; attempt++) {
        try {
            std::vector<MacAddress> fixing;
            if (settings.pin_bridge_mac)
                fixing = addresses_that_fix(links_, bridge, device_.index);
            return require(links_.configure(device_.index, name(), settings, fixing), false, bridge,
                           settings);
        } catch (const LinkError& error) {
            // The VM's previous port may still be there for a moment, with the same MAC address.
            if (!is_taken_address(error) || attempt == attempts)
                fail_to_add(name(), bridge, error);
        }
        nanosleep(&pause_between, nullptr);
    }
}

void Port::require(Link port, bool up, const Link& bridge, const PortSettings& settings) const {
    // udev may give a new link another address, once (MACAddressPolicy=), unless it sees that
    // somebody has set one. If it looked before we set ours, it has replaced ours: set it again.
    for (int more = 2; more > 0 && port.address != settings.address.bytes(); more--)
        port = links_.set_address(device_.index, settings.address, up);
    require_settings(port, bridge, settings);
    if (up && !port.up)
        throw LinkError(ENETDOWN, "");
}

}  // namespace tapgate
