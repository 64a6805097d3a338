// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/doctor/finding.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "launcher/base/terminal_table.h"

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

std::string findings_text(const Findings& findings, size_t columns) {
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
        // On a narrow terminal the continuation begins near the left, or half of it would be
        // margin.
        constexpr size_t little = 8;
        const size_t indent = columns != 0 && line.size() > columns / 2 ? little : line.size();
        text += line + fitted_text(finding.text, line.size(), indent, columns) + "\n";
        if (finding.health != Health::ok && !finding.remedy.empty())
            text += std::string(indent, ' ') + "-> " +
                    fitted_text(finding.remedy, indent + 3, indent + 3, columns) + "\n";
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
