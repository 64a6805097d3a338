// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/progress_table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "launcher/base/output.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using std::chrono::seconds;
using State = ProgressTable::State;

// Without a terminal: the longest time without a line.
constexpr seconds longest_silence{10};

winsize window() {
    winsize size{};
    ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    return size;
}

std::string seconds_since(ProgressTable::Clock::time_point since,
                          ProgressTable::Clock::time_point now) {
    return std::to_string(std::chrono::duration_cast<seconds>(now - since).count()) + " s";
}

}  // namespace

ProgressTable::ProgressTable(std::vector<Row> rows, Failures failures)
    : rows_(std::move(rows)),
      failures_(failures),
      // A table that does not fit into the window could not be redrawn.
      terminal_(isatty(STDERR_FILENO) == 1 && rows_.size() < window().ws_row) {}

void ProgressTable::set(size_t row, State state, const std::string& text, Clock::time_point now) {
    Row& changed = rows_.at(row);
    changed.state = state;
    changed.text = text;
    changed.since = now;
    if (terminal_) {
        draw(now);
    } else if (state == State::done ||
               (state == State::failed && failures_ == Failures::told_at_once)) {
        note(changed.name + " " + text);
        told_ = now;
    }
}

void ProgressTable::tick(Clock::time_point now) {
    if (terminal_) {
        if (now - told_ >= seconds(1))
            draw(now);
        return;
    }
    if (told_ == Clock::time_point())
        told_ = now;
    if (now - told_ < longest_silence)
        return;
    note(progress_summary(rows_, now));
    told_ = now;
}

void ProgressTable::draw(Clock::time_point now) {
    const size_t width = std::max<size_t>(window().ws_col, 20);
    std::string text = drawn_ ? "\033[" + std::to_string(rows_.size()) + "A" : "";
    for (const std::string& line : progress_lines(rows_, width, now))
        text += "\r" + line + "\033[K\n";
    std::fputs(text.c_str(), stderr);
    drawn_ = true;
    told_ = now;
}

std::vector<std::string> progress_lines(const std::vector<ProgressTable::Row>& rows, size_t width,
                                        ProgressTable::Clock::time_point now) {
    size_t widest = 0;
    for (const auto& row : rows)
        widest = std::max(widest, row.name.size());
    std::vector<std::string> lines;
    for (const auto& row : rows) {
        std::string line = row.name + std::string(widest + 2 - row.name.size(), ' ') +
                           shown(row.text.substr(0, row.text.find('\n')));
        if (row.state == State::busy && now - row.since >= seconds(1))
            line += " (" + seconds_since(row.since, now) + ")";
        // One column stays free: some terminals begin a new line after the last one.
        line.resize(std::min(line.size(), width - 1));
        lines.push_back(std::move(line));
    }
    return lines;
}

std::string progress_summary(const std::vector<ProgressTable::Row>& rows,
                             ProgressTable::Clock::time_point now) {
    constexpr size_t most_names = 4;
    size_t ended = 0;
    size_t busy = 0;
    std::string names;
    const ProgressTable::Row* oldest = nullptr;
    for (const auto& row : rows) {
        if (row.state == State::done || row.state == State::failed)
            ended++;
        if (row.state != State::busy)
            continue;
        if (oldest == nullptr || row.since < oldest->since)
            oldest = &row;
        if (++busy <= most_names)
            names += (names.empty() ? "" : ", ") + row.name;
    }
    std::string text = std::to_string(ended) + " of " + std::to_string(rows.size()) + " done";
    if (oldest != nullptr)
        text += "; " + oldest->text + ": " + names + (busy > most_names ? ", ..." : "") + " (" +
                seconds_since(oldest->since, now) + ")";
    return text;
}

}  // namespace tapgate
