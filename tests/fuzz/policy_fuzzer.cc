// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes as a tree of policy files. Files are separated by the byte 0x01; the first is the main
// file, the others are named 1, 2, ... Whatever it is: it parses, or it ends in a Failure whose
// text is fit for a terminal; and what parses is decided as bridge.conf(5) says.

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "helper/failure.h"
#include "helper/policy_parser.h"
#include "helper/policy_tool/inspect.h"
#include "tests/fuzz/require.h"
#include "tests/unit/helper/fake_names.h"

namespace {

using tapgate::PolicyText;
using tapgate::require;
using tapgate::require_clean_text;

// The decision once more, written down as bridge.conf(5) has it.
void require_right_decision(const tapgate::Policy& policy, const tapgate::InterfaceName& bridge) {
    tapgate::FakeNames names;
    const tapgate::Asker asker{.uid = 1001, .groups = {1001, 3001}};
    bool allowed = false;
    bool denied = false;
    for (const tapgate::Rule& rule : policy.rules) {
        const bool denying = rule.action == tapgate::Rule::Action::deny;
        const bool matches = (!rule.bridge || rule.bridge->str() == bridge.str()) &&
                             rule.who.match(asker, denying, names);
        allowed |= matches && !denying;
        denied |= matches && denying;
    }
    const tapgate::Verdict verdict = policy.decide(bridge, asker, names);
    require(verdict.allowed == (allowed && !denied));
    require((verdict.rule != nullptr) == (allowed || denied));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
    std::vector<std::string> files(1);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 1)
            files.emplace_back();
        else
            files.back() += static_cast<char>(data[i]);
    }
    size_t reads = 0;
    const auto read_file = [&](const std::string& path) -> PolicyText {
        // Eight levels of files that include each other many times are root's own doing, and slow.
        if (++reads > 200)
            throw tapgate::Failure("enough");
        const std::string name = path.substr(path.rfind('/') + 1);
        if (name == "main")
            return {files[0], 0, ""};
        if (name.size() == 1 && name[0] > '0' && static_cast<size_t>(name[0] - '0') < files.size())
            return {files[static_cast<size_t>(name[0] - '0')], 0, ""};
        return {"", ENOENT, ""};
    };
    try {
        const tapgate::Policy policy = tapgate::parse_policy("/p/main", read_file);
        require_right_decision(policy, *tapgate::InterfaceName::parse("br0"));
        for (const tapgate::Rule& rule : policy.rules)
            if (rule.bridge)
                require_right_decision(policy, *rule.bridge);
    } catch (const tapgate::Failure& failure) {
        require_clean_text(failure.what());
    }
    reads = 0;
    tapgate::FakeNames names;
    require_clean_text(tapgate::check("/p/main", read_file, [](auto&) { return std::string(); },
                                      names, {{"br0", false}})
                           .text);
    return 0;
}
