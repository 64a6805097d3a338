// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a script depends on beside its own text, as far as it can be looked up without running it.
#pragma once

#include <optional>
#include <string>

namespace tapgate {

/// The host and the place that a script is read for. Here nothing is known of them; whoever knows
/// more says it. An answer may depend on the moment.
class Surroundings {
  public:
    Surroundings() = default;
    Surroundings(const Surroundings&) = delete;
    Surroundings(Surroundings&&) = delete;
    Surroundings& operator=(const Surroundings&) = delete;
    Surroundings& operator=(Surroundings&&) = delete;
    virtual ~Surroundings() = default;

    /// A variable of the environment; only HOME, USER and PWD are asked for.
    [[nodiscard]] virtual std::optional<std::string> variable(const std::string& /*name*/) const {
        return std::nullopt;
    }
    /// The home directory of a user (`~ada').
    [[nodiscard]] virtual std::optional<std::string> home_of(const std::string& /*user*/) const {
        return std::nullopt;
    }
    /// The script's own path (`$0').
    [[nodiscard]] virtual std::optional<std::string> script() const { return std::nullopt; }
    /// How many processors the host has.
    [[nodiscard]] virtual std::optional<unsigned> processors() const { return std::nullopt; }
    /// Whether there is a file of this absolute path.
    [[nodiscard]] virtual std::optional<bool> exists(const std::string& /*path*/) const {
        return std::nullopt;
    }
    /// The text of a small file that the script, or a unit, names.
    [[nodiscard]] virtual std::optional<std::string> text_of(const std::string& /*path*/) const {
        return std::nullopt;
    }
};

}  // namespace tapgate
