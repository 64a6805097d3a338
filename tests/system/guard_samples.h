// SPDX-License-Identifier: GPL-2.0-or-later
//
// What etc/tapgate.nft is for: the frames that its guards keep back, and their like that pass.

#pragma once

#include <string>
#include <vector>

namespace tapgate {

struct GuardSample {
    const char* name;
    const char* set;  // which says whose it was; nullptr: it passes
    std::string frame;
};

// From mac_a. What a bridge without STP forwards unless a guard is in the way.
std::vector<GuardSample> guard_samples();

// Who listens to which groups, on a bridge that looks into IGMP and MLD.
struct ListenerSample {
    const char* name;
    std::string stream;  // to the group that the report is about, and the queries
    std::string report;  // of mac_b
    std::string general_query;
    std::vector<std::string> queries;  // of mac_a
};
ListenerSample ipv4_listener();
ListenerSample ipv6_listener();

}  // namespace tapgate
