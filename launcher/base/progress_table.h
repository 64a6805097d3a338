// SPDX-License-Identifier: GPL-2.0-or-later
//
// Shows on stderr what many VMs are doing at the same time: on a terminal a table that is redrawn
// with each change; otherwise a line for each VM that is done.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace tapgate {

class ProgressTable {
  public:
    using Clock = std::chrono::steady_clock;

    enum class State { waiting, busy, done, failed };

    struct Row {
        std::string name;
        std::string text;  ///< what it is doing, or has become
        State state = State::waiting;
        Clock::time_point since = {};  ///< when it began to do that
    };

    /// Who says, without a terminal, why something failed.
    enum class Failures { told_at_once, told_by_caller };

    /// Shows nothing yet.
    explicit ProgressTable(std::vector<Row> rows, Failures failures = Failures::told_at_once);

    void set(size_t row, State state, const std::string& text, Clock::time_point now);

    /// To be called about once a second, to show that time passes.
    void tick(Clock::time_point now);

    [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

  private:
    void draw(Clock::time_point now);

    std::vector<Row> rows_;
    Failures failures_;
    bool terminal_;
    bool drawn_ = false;
    Clock::time_point told_ = {};  // when something was shown last
};

/// The table's lines, each at most `width` columns wide.
std::vector<std::string> progress_lines(const std::vector<ProgressTable::Row>& rows, size_t width,
                                        ProgressTable::Clock::time_point now);

/// "3 of 20 done; starting: web-4, web-5 (7 s)".
std::string progress_summary(const std::vector<ProgressTable::Row>& rows,
                             ProgressTable::Clock::time_point now);

}  // namespace tapgate
