// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/question.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <string_view>

#include "launcher/base/error.h"

namespace tapgate {

bool can_ask() {
    return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

bool agreed(const std::string& question) {
    if (!can_ask())
        throw LauncherError(
            "there is nobody to ask, since this is not a terminal; --yes goes ahead without "
            "asking");
    std::fprintf(stderr, "%s? [y/N] ", question.c_str());
    std::array<char, 64> line{};
    if (std::fgets(line.data(), line.size(), stdin) == nullptr)
        return false;
    const std::string_view answer(line.data());
    return answer == "y\n" || answer == "Y\n" || answer == "yes\n" || answer == "YES\n";
}

}  // namespace tapgate
