// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/doctor/finding.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace tapgate {

namespace {

std::string_view word_of(Health health) {
    switch (health) {
        case Health::ok:
            return "ok";
        case Health::warn:
            return "warn";
        case Health::fail:
            return "FAIL";
    }
    return "";
}

}  // namespace

std::string findings_text(const Findings& findings) {
    size_t width = 0;
    for (const Finding& finding : findings)
        width = std::max(width, finding.check.size());
    std::string text;
    size_t warnings = 0;
    size_t failures = 0;
    for (const Finding& finding : findings) {
        std::string line(word_of(finding.health));
        line.resize(6, ' ');
        line += finding.check;
        line.resize(6 + width + 2, ' ');
        text += line + finding.text + "\n";
        if (finding.health != Health::ok && !finding.remedy.empty())
            text += std::string(line.size(), ' ') + "-> " + finding.remedy + "\n";
        warnings += finding.health == Health::warn ? 1 : 0;
        failures += finding.health == Health::fail ? 1 : 0;
    }
    return text + std::to_string(failures) + " FAIL, " + std::to_string(warnings) + " warn, " +
           std::to_string(findings.size() - failures - warnings) + " ok\n";
}

nlohmann::json findings_json(const Findings& findings) {
    nlohmann::json all = nlohmann::json::array();
    for (const Finding& finding : findings)
        all.push_back({{"check", finding.check},
                       {"result", word_of(finding.health)},
                       {"text", finding.text},
                       {"remedy", finding.remedy}});
    return all;
}

}  // namespace tapgate
