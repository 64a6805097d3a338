// SPDX-License-Identifier: GPL-2.0-or-later
//
// What `tapgate translate' looks up on this host for the script that it reads.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "launcher/foreign/shell/surroundings.h"

namespace tapgate {

/// The text of a regular file of 64 KiB at most, by its absolute path; nothing if it cannot be
/// read.
std::optional<std::string> readable_text(const std::string& path);

/// This host, for a script of this user's.
class ScriptSurroundings : public Surroundings {
  public:
    /// `script` is its absolute path.
    explicit ScriptSurroundings(std::string script) : script_(std::move(script)) {}

    [[nodiscard]] std::optional<std::string> variable(const std::string& name) const override;
    [[nodiscard]] std::optional<std::string> home_of(const std::string& user) const override;
    [[nodiscard]] std::optional<std::string> script() const override { return script_; }
    [[nodiscard]] std::optional<unsigned> processors() const override;
    [[nodiscard]] std::optional<bool> exists(const std::string& path) const override;
    [[nodiscard]] std::optional<std::string> text_of(const std::string& path) const override {
        return readable_text(path);
    }

  private:
    std::string script_;
};

}  // namespace tapgate
