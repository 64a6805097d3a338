// SPDX-License-Identifier: GPL-2.0-or-later
//
// Why something in a shell script is not known without running it.
#pragma once

#include <string>

namespace tapgate {

/// Why a word, a variable or a command is not known; false if it is known.
struct ShellProblem {
    std::string what;  ///< as an error says it: "a here-document (`<<')"
    /// It depends on arguments or on the environment, and what was read is right without them.
    bool soft = false;
    bool of_argument = false;   ///< it depends on an argument of the script, which got none
    unsigned line = 0;          ///< where it came up, which is also in `what`; 0 if not yet known
    std::string variable = {};  ///< NAME, if `what` is "the variable NAME, which is REASON,"
    std::string reason = {};    ///< REASON

    explicit operator bool() const { return !what.empty(); }
    [[nodiscard]] bool is_hard() const { return !what.empty() && !soft; }

    /// Adds another problem: the first one is reported, and it is soft if all of them are.
    void add(const ShellProblem& other);

    /// The same problem with that line, unless it has one already.
    [[nodiscard]] ShellProblem met_in(unsigned place) const;

    /// The problem of the variable `name', for which this one is the REASON.
    [[nodiscard]] ShellProblem of_variable(const std::string& name) const;
    /// The REASON for the variable `name', which is set to something with this problem.
    [[nodiscard]] ShellProblem reason_for(const std::string& name) const;
};

}  // namespace tapgate
