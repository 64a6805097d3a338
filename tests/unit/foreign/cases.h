// SPDX-License-Identifier: GPL-2.0-or-later
//
// What stands in tests/unit/foreign/*/cases.txt and expected.txt: "== NAME", and the text below it.
#ifndef TAPGATE_TESTS_UNIT_FOREIGN_CASES_H
#define TAPGATE_TESTS_UNIT_FOREIGN_CASES_H

#include <fstream>
#include <string>
#include <vector>

namespace tapgate {

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

#endif
