// SPDX-License-Identifier: GPL-2.0-or-later
//
// A bridge with guests, whose taps are as the options of a rule say, and a network behind it.
//
//     tap (guest) ---- br0 ---- uplink | far end, "the network"
//                       |
//                      host

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/unique_fd.h"
#include "tests/system/testbed.h"
#include "tests/system/wire.h"

namespace tapgate {

class Ports : public Testbed {
  protected:
    struct Guest {
        UniqueFd fd;
        std::string tap;
        std::string mac;
        Station station;
    };

    // Who sends and who gets frames: a guest, or the network behind the uplink.
    struct Party {
        const Station* station;
        std::string mac;
    };

    // How a refusal begins that comes from the policy's only rule, before the rule's options.
    static constexpr const char* denied_by_this =
        "access denied by acl file: /etc/qemu/bridge.conf:1: allow br0";

    void prepare() override;

    // The answer to --br=br0 with `more` arguments.
    static HelperResult ask(const std::vector<std::string>& more,
                            const HelperOptions& options = {});
    // The answer to a guest with that address, where the rule has those options.
    static HelperResult ask_for(const std::string& options, const std::string& mac);
    // The same for one that is granted. Throws a std::runtime_error when it is not.
    static Guest start(const std::string& options, const std::string& mac);

    static Party party(const Guest& guest) { return {&guest.station, guest.mac}; }
    Party network() const { return {&*network_, router_mac}; }
    const Station& far() const { return *network_; }

    // Sends one frame of each kind: those that arrive.
    static std::vector<std::string> arriving(const Party& from, const Party& to);
    static testing::AssertionResult reaches(const Party& from, const Party& to);
    static testing::AssertionResult is_cut_off(const Party& from, const Party& to);
    static testing::AssertionResult reach_each_other(const Party& a, const Party& b);
    // Whether a frame with that source address passes from the guest to the network.
    bool passes(const Guest& guest, std::string_view source) const;

    // The port behind which the bridge believes `mac` to be; "" for none, "br0" for the bridge.
    static std::string where_is(const std::string& mac);
    // Whether the bridge has no entry for it any more. The kernel takes some ms to remove what
    // belonged to a tap.
    static bool forgets(const std::string& mac);

  private:
    OneCpu one_cpu_;
    std::optional<Station> network_;
};

}  // namespace tapgate
