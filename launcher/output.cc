// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/output.h"

#include <cstdio>

#include "launcher/error.h"

namespace tapgate {

void print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        throw LauncherError("cannot write to the standard output");
}

void note(const std::string& text) {
    std::fprintf(stderr, "tapgate: %s\n", text.c_str());
}

}  // namespace tapgate
