// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "launcher/base/output.h"
#include "launcher/base/text.h"

namespace tapgate {

ProgressBar::ProgressBar(const std::string& what)
    : what_(shown(what)), terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
    if (drawn_)
        std::fputs("\r\033[K", stderr);
}

void ProgressBar::show(double percent) {
    constexpr int width = 40;
    const int whole = std::clamp(static_cast<int>(percent), 0, 100);
    if (terminal_) {
        drawn_ = true;
        const std::string bar(static_cast<size_t>(whole * width / 100), '#');
        std::fprintf(stderr, "\r%s [%-*s] %3d%%", what_.c_str(), width, bar.c_str(), whole);
    } else if (whole / 25 > quarter_) {
        quarter_ = whole / 25;
        note(what_ + ": " + std::to_string(whole) + "%");
    }
}

}  // namespace tapgate
