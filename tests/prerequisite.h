// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a test needs of the machine: where that is missing the test is skipped, and fails under
// MUST_WORK=1, so that nothing is skipped unseen.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

namespace tapgate {

inline bool must_work() {
    const char* const value = std::getenv("MUST_WORK");  // NOLINT(concurrency-mt-unsafe): read only
    return value != nullptr && std::string_view(value) == "1";
}

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): it returns from the test
#define TAPGATE_REQUIRE(condition, why)                        \
    do {                                                       \
        if (!(condition)) {                                    \
            if (tapgate::must_work()) {                        \
                FAIL() << "prerequisite missing: " << (why);   \
            }                                                  \
            GTEST_SKIP() << "prerequisite missing: " << (why); \
        }                                                      \
    } while (false)

}  // namespace tapgate
