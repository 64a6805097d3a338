// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "helper/failure.h"
#include "helper/policy.h"

namespace tapgate {

/// A name service of a few names, which remembers what it was asked, and fails for the name
/// "broken".
class FakeNames : public NameService {
  public:
    std::map<std::string, unsigned> users{{"alice", 1001}, {"bob", 1002}};
    std::map<std::string, unsigned> groups{{"students", 3001}, {"staff", 3002}};
    std::vector<std::string> asked;

    std::optional<uid_t> user_id(const std::string& name) override { return find(users, name); }
    std::optional<gid_t> group_id(const std::string& name) override { return find(groups, name); }

  private:
    std::optional<unsigned> find(const std::map<std::string, unsigned>& ids,
                                 const std::string& name) {
        asked.push_back(name);
        if (name == "broken")
            throw Failure("failed to look up `broken'");
        const auto id = ids.find(name);
        return id == ids.end() ? std::nullopt : std::optional(id->second);
    }
};

}  // namespace tapgate
