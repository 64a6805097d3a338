// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/problem.h"

namespace tapgate {

void ShellProblem::add(const ShellProblem& other) {
    if (!other)
        return;
    const bool all_soft = other.soft && !is_hard();
    if (what.empty())
        *this = other;
    soft = all_soft;
}

ShellProblem ShellProblem::met_in(unsigned place) const {
    ShellProblem placed = *this;
    if (what.empty() || line != 0)
        return placed;
    const std::string where = " in line " + std::to_string(place);
    placed.what += where;
    if (!reason.empty())
        placed.reason += "," + where;
    placed.line = place;
    return placed;
}

ShellProblem ShellProblem::of_variable(const std::string& name) const {
    ShellProblem whole = *this;
    whole.what = "the variable " + name + ", which is " + what + (what.ends_with(',') ? "" : ",");
    whole.variable = name;
    whole.reason = what;
    return whole;
}

ShellProblem ShellProblem::reason_for(const std::string& name) const {
    ShellProblem why = *this;
    // A variable that is made from itself is unknown for the same reason as before.
    why.what = variable == name ? reason : "made of " + what;
    why.variable.clear();
    why.reason.clear();
    return why;
}

}  // namespace tapgate
