// SPDX-License-Identifier: GPL-2.0-or-later
//
// What tests of this folder share: a VM and whose it is, and what stands in
// tests/unit/foreign/*/cases.txt and expected.txt: "== NAME", and the text below it.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "launcher/vm/identity.h"
#include "launcher/vm/name.h"

namespace tapgate {

inline const VmName lab = VmName::parse("lab").value();
inline const Owner owner = {.machine_id = "m", .uid = 7};
/// Where relative paths begin.
inline constexpr const char* directory = "/data";

struct Case {
    std::string name;
    std::string text;
};

inline std::vector<Case> read_cases(const std::string& file) {
    std::ifstream stream(std::string(TAPGATE_TRANSLATE_CASES) + "/" + file);
    std::vector<Case> cases;
    for (std::string line; std::getline(stream, line);) {
        if (line.starts_with("== "))
            cases.push_back({line.substr(3), ""});
        else if (!cases.empty())
            cases.back().text += line + "\n";
    }
    return cases;
}

}  // namespace tapgate
