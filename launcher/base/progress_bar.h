// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>

namespace tapgate {

/// Called with a percentage from 0 to 100.
using Progress = std::function<void(double percent)>;

/// Shows on stderr how far something is: on a terminal a growing bar, which the destructor removes;
/// otherwise a line for each quarter.
class ProgressBar {
  public:
    explicit ProgressBar(const std::string& what);
    ~ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    void show(double percent);

  private:
    std::string what_;
    bool terminal_;
    bool drawn_ = false;
    int quarter_ = 0;
};

}  // namespace tapgate
