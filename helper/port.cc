// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/port.h"

#include <ctime>

#include "helper/failure.h"
#include "helper/port_name.h"
#include "helper/process.h"
#include "helper/stale.h"
#include "helper/tap.h"

namespace tapgate {

namespace {

// A port whose last descriptor was just closed takes the kernel some 40 ms to go, and still has its
// slot and MAC address: who starts a VM anew at once waits for it, up to half a second.
constexpr int attempts = 25;
constexpr timespec pause_between{0, 20'000'000};

// The slots that `claim` may take on `bridge`. Its stale taps go first.
Slots slots_for(const LinkSocket& links, const Link& bridge, const Claim& claim) {
    const auto limit = claim.rule.limits.max_taps;
    std::vector<std::string> own;
    // Nobody else's: whoever has his own helper stopped while it looks at a tap keeps it in use.
    for (const int port : links.ports(bridge.name)) {
        std::string name = links.name_of(port);
        // As long as one is stale, nobody is refused for it.
        if (named_owner(name) == claim.account && !remove_if_stale(links, name))
            own.push_back(std::move(name));
    }
    if (!limit)
        return {other_slots, other_slots, random_value<unsigned>() % other_slots};
    return slots_within(*limit, bridge.index, own);
}

// Takes a slot by making the device that has its name. `make_device` returns its ifindex; 0: the
// name cannot be had.
Port::Device take_slot(const LinkSocket& links, const Link& bridge, const Claim& claim,
                       const std::function<int(const std::string&)>& make_device) {
    for (int attempt = 1; attempt <= attempts; attempt++) {
        if (attempt > 1)
            nanosleep(&pause_between, nullptr);
        const Slots slots = slots_for(links, bridge, claim);
        for (unsigned i = 0; i < slots.size; i++) {
            std::string name = port_name(claim.account, bridge.index,
                                         slots.begin + (slots.first + i) % slots.size);
            if (const int index = make_device(name))
                return {.name = std::move(name), .index = index};
        }
    }
    deny(claim.rule.str() + ": uid " + std::to_string(claim.account) + " has all its taps on " +
         printable(bridge.name) + " already");
}

}  // namespace

Port Port::make(const LinkSocket& links, const Link& bridge, const Claim& claim,
                const Request& request, const PortSettings& settings) {
    Port port = claim.rule.contained() ? make_contained(links, bridge, claim, request, settings)
                                       : make_plain(links, bridge, claim, request);
    // From here on: a port that counts, with a tap that nobody else can get at.
    port.configure(bridge, settings);
    return port;
}

Port Port::make_contained(const LinkSocket& links, const Link& bridge, const Claim& claim,
                          const Request& request, const PortSettings& settings) {
    ContainedTap tap(request.queues);
    Port port(links, take_slot(links, bridge, claim, [&](const std::string& name) {
                  return links.make_veth(name, settings, request.queues, tap.inside());
              }));
    ContainedTap::keep_ipv6_off(port.name());
    port.queues_ = tap.take_queues();
    make_private_tap(port.queues_, port.name(), request.vnet_header);
    port.contained_ = std::move(tap);
    return port;
}

Port Port::make_plain(const LinkSocket& links, const Link& bridge, const Claim& claim,
                      const Request& request) {
    UniqueFd tun = open_tun();
    Port port(links, take_slot(links, bridge, claim, [&](const std::string& name) {
                  return make_tap(tun, name, request.vnet_header) ? links.index_of(name) : 0;
              }));
    port.queues_.push_back(std::move(tun));
    return port;
}

void Port::open(const Claim& claim, const Link& bridge, const PortSettings& settings) {
    try {
        if (contained_)
            contained_->inside().join_inner_end(name_, settings.mtu);
        require(links_.set_address(index_, settings.address, true), true, bridge, settings);
    } catch (const LinkError& error) {
        fail_to_add(name_, bridge, error);
    }
    if (contained_)
        contained_->open_way_out();
    else
        set_owner(queues_.front(), claim.holder);
}

Port::Port(const LinkSocket& links, Device device)
    : links_(links), name_(std::move(device.name)), index_(device.index) {}

Port::Port(Port&& other) noexcept
    : links_(other.links_),
      name_(std::move(other.name_)),
      index_(std::exchange(other.index_, 0)),
      contained_(std::move(other.contained_)),
      queues_(std::move(other.queues_)) {}

Port::~Port() {
    if (index_ == 0)
        return;
    try {
        links_.remove(index_);
    } catch (const std::exception&) {
        return;  // gone already, or goes with the descriptors, which are closed next
    }
}

void Port::configure(const Link& bridge, const PortSettings& settings) const {
    for (int attempt = 1;; attempt++) {
        try {
            const auto fixing = settings.pin_bridge_mac ? addresses_that_fix(links_, bridge)
                                                        : std::vector<MacAddress>();
            return require(links_.configure(index_, settings, fixing), false, bridge, settings);
        } catch (const LinkError& error) {
            // The VM's last port, which is going, may still be the one with its MAC address.
            if (!is_taken_address(error) || attempt == attempts)
                fail_to_add(name_, bridge, error);
        }
        nanosleep(&pause_between, nullptr);
    }
}

void Port::require(Link port, bool up, const Link& bridge, const PortSettings& settings) const {
    // udev gives a new link an address of its own idea (MACAddressPolicy=), once, unless it has
    // seen that somebody else did; it may have looked before, and set it behind us.
    for (int more = 2; more > 0 && port.address != settings.address.bytes(); more--)
        port = links_.set_address(index_, settings.address, up);
    require_settings(port, bridge, settings);
    if (up && !port.up)
        throw LinkError(ENETDOWN, "");
}

}  // namespace tapgate
