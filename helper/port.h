// SPDX-License-Identifier: GPL-2.0-or-later
//
// A port of a bridge, with the tap behind it. What a caller can reach is never half-made: the port
// is made with its name (which is its slot of max-taps), gets all that the rule says while it is
// down, is read back, comes up, and only then can its user get at the tap.
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

/// Whose port it is, and what lets him have it.
struct Claim {
    uid_t account = 0;  ///< whom it counts for
    uid_t holder = 0;   ///< whose tap it is
    const Rule& rule;
};

/// A port that is there, and as it should be. Deleted, by its ifindex, when it goes out of scope,
/// or cannot be made whole.
///
/// What a rule with a limit or a port option gives is the outer end of a contained tap (see
/// contained_tap.h); what a plain rule gives, and the stock helper, is a tap of one queue in the
/// host's namespace.
class Port {
  public:
    struct Device {
        std::string name;
        int index = 0;  ///< 0: there is none
    };

    /// Makes the port, down, with all that `settings` say. Needs CAP_NET_ADMIN. Throws Failure,
    /// also when the user has all the taps that the rule gives.
    Port(const LinkSocket& links, const Link& bridge, const Claim& claim, const Request& request,
         const PortSettings& settings);

    /// Brings the port up, reads it back, and then makes the tap its user's. Throws Failure.
    void open(const Claim& claim, const Link& bridge, const PortSettings& settings);

    Port(const Port&) = delete;
    Port(Port&&) = delete;
    Port& operator=(const Port&) = delete;
    Port& operator=(Port&&) = delete;
    ~Port();

    [[nodiscard]] const std::string& name() const { return device_.name; }

    /// The tap's descriptors, one a queue.
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
    std::optional<LinkSocket> inside_;  // of a contained tap
    std::vector<UniqueFd> queues_;
};

}  // namespace tapgate
