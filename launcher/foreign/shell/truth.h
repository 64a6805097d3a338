// SPDX-License-Identifier: GPL-2.0-or-later
//
// What can be said about a script that is not run: yes, no, or that only running it would show.
#pragma once

namespace tapgate {

/// In ascending order: combining several gives the smallest.
enum class Truth { no, unknown, yes };

inline Truth negated(Truth truth) {
    return truth == Truth::yes ? Truth::no : truth == Truth::no ? Truth::yes : truth;
}

inline Truth truth_of(bool holds) {
    return holds ? Truth::yes : Truth::no;
}

}  // namespace tapgate
