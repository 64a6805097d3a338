// SPDX-License-Identifier: GPL-2.0-or-later
//
// A port of a bridge, with the tap behind it. A caller can never reach anything unfinished: the
// port is made with its name (which is its slot of max-taps), gets its settings while it is down,
// is read back and brought up, and only then does its user get the tap.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "helper/bridge_port.h"
#include "helper/contained_tap.h"
#include "helper/link.h"
#include "helper/policy.h"
#include "helper/request.h"

namespace tapgate {

/// Whose the port is to be, and by which rule.
struct Claim {
    uid_t account = 0;  ///< the uid against whose quota it counts
    uid_t holder = 0;   ///< the uid that gets the tap
    const Rule& rule;
};

/// A port that exists and is as it should be. It is deleted, by its ifindex, when it goes out of
/// scope or cannot be completed.
///
/// A rule with a limit or a port option gives the outer end of a contained tap (see
/// contained_tap.h). A plain rule, like the stock helper, gives a tap with one queue in the host's
/// namespace.
class Port {
  public:
    struct Device {
        std::string name;
        int index = 0;  ///< 0: there is no device
    };

    /// Makes the port with all its settings, down. Needs CAP_NET_ADMIN. Throws Failure, also when
    /// the user already has all the taps that the rule allows.
    Port(const LinkSocket& links, const Link& bridge, const Claim& claim, const Request& request,
         const PortSettings& settings);

    /// Brings the port up, reads it back, and then gives its user the tap. Throws Failure.
    void open(const Claim& claim, const Link& bridge, const PortSettings& settings);

    Port(const Port&) = delete;
    Port(Port&&) = delete;
    Port& operator=(const Port&) = delete;
    Port& operator=(Port&&) = delete;
    ~Port();

    [[nodiscard]] const std::string& name() const { return device_.name; }

    /// The tap's descriptors, one for each queue; owned here.
    [[nodiscard]] std::span<const UniqueFd> queues() const { return queues_; }

  private:
    explicit Port(const LinkSocket& links) : links_(links) {}
    void make_contained(const Link& bridge, const Claim& claim, const Request& request,
                        const PortSettings& settings);
    void make_plain(const Link& bridge, const Claim& claim, const Request& request);
    void configure(const Link& bridge, const PortSettings& settings) const;
    void require(Link port, bool up, const Link& bridge, const PortSettings& settings) const;

    const LinkSocket& links_;
    Device device_;
    std::optional<LinkSocket> inside_;  // the namespace of a contained tap
    std::vector<UniqueFd> queues_;
};

}  // namespace tapgate
