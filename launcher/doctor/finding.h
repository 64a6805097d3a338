// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the doctor says about one thing: its state, and how to fix it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace tapgate {

enum class Health { ok, warn, fail };

struct Finding {
    std::string check;  ///< the name of the check; scripts rely on it, so it never changes
    Health health = Health::ok;
    std::string text;
    std::string remedy = {};  ///< a command, or what to do; empty when there is nothing to do
};

using Findings = std::vector<Finding>;

/// The findings for a terminal of `columns` columns (0: no limit): a line for each, with its remedy
/// below it, and their numbers at the end.
std::string findings_text(const Findings& findings, size_t columns = 0);

/// An object for each finding: {"check", "result" (ok, warn, FAIL), "text", "remedy"}.
nlohmann::json findings_json(const Findings& findings);

}  // namespace tapgate
