// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the doctor says of one thing: how it is, and what mends it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace tapgate {

enum class Health { ok, warn, fail };

struct Finding {
    std::string check;  ///< which one; scripts rely on these words, so they never change
    Health health = Health::ok;
    std::string text;
    std::string remedy = {};  ///< a command, or what to do; empty: nothing
};

using Findings = std::vector<Finding>;

/// For a terminal of that many `columns` (0: as wide as it takes): a line for each, its remedy
/// below, and the count at the end.
std::string findings_text(const Findings& findings, size_t columns = 0);

/// {"check", "result" (ok, warn, FAIL), "text", "remedy"} each.
nlohmann::json findings_json(const Findings& findings);

}  // namespace tapgate
