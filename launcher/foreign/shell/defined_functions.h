// SPDX-License-Identifier: GPL-2.0-or-later
//
// The functions that a shell script has defined so far.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launcher/foreign/shell/truth.h"

namespace tapgate {

struct ShellFunction {
    std::string body;
    unsigned line = 0;
    Truth defined = Truth::yes;  ///< unknown if under a condition
};

class ShellFunctions {
  public:
    /// Null if there is none of that name. Valid until the next change.
    [[nodiscard]] const ShellFunction* find(const std::string& name) const {
        const auto found = functions_.find(name);
        return found == functions_.end() ? nullptr : &found->second;
    }

    void define(const std::string& name, ShellFunction function) {
        remember(name);
        functions_[name] = std::move(function);
    }

    void remove(const std::string& name) {
        remember(name);
        functions_.erase(name);
    }

    /// For undo_to(), since what a subshell defines is undone when it ends.
    [[nodiscard]] size_t mark() const { return before_.size(); }
    void undo_to(size_t mark) {
        for (; before_.size() > mark; before_.pop_back()) {
            auto& [name, function] = before_.back();
            if (function)
                functions_[name] = std::move(*function);
            else
                functions_.erase(name);
        }
    }

  private:
    void remember(const std::string& name) {
        const ShellFunction* const old = find(name);
        before_.emplace_back(name, old != nullptr ? std::optional(*old) : std::nullopt);
    }

    std::map<std::string, ShellFunction> functions_;
    std::vector<std::pair<std::string, std::optional<ShellFunction>>> before_;  // each change
};

}  // namespace tapgate
