// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/power_down.h"

#include <algorithm>

namespace tapgate {

namespace {

constexpr PowerDown::Milliseconds between_presses{3000};

}  // namespace

PowerDown::Step PowerDown::enter(Step step, Clock::time_point now) {
    step_ = step;
    switch (step) {
        case Step::ask:
            deadline_ = now + limits_.guest;
            ask_again_ = now + between_presses;
            break;
        case Step::quit:
            deadline_ = now + limits_.quit;
            break;
        case Step::kill:
            deadline_ = now + limits_.kill;
            break;
        case Step::none:
        case Step::give_up:
            break;
    }
    return step;
}

PowerDown::Step PowerDown::begin(Clock::time_point now) {
    return step_ == Step::none ? enter(Step::ask, now) : Step::none;
}

PowerDown::Step PowerDown::hurry(Clock::time_point now) {
    switch (step_) {
        case Step::none:
            return enter(Step::ask, now);
        case Step::ask:
            return enter(Step::quit, now);
        case Step::quit:
            return enter(Step::kill, now);
        case Step::kill:
        case Step::give_up:
            break;
    }
    return Step::none;
}

PowerDown::Step PowerDown::kill(Clock::time_point now) {
    return enter(Step::kill, now);
}

PowerDown::Step PowerDown::due(Clock::time_point now) {
    const auto when = next();
    if (!when || now < *when)
        return Step::none;
    if (now < deadline_) {
        ask_again_ = now + between_presses;
        return Step::ask;
    }
    return step_ == Step::kill ? enter(Step::give_up, now) : hurry(now);
}

std::optional<PowerDown::Clock::time_point> PowerDown::next() const {
    if (step_ == Step::none || step_ == Step::give_up)
        return std::nullopt;
    return step_ == Step::ask ? std::min(deadline_, ask_again_) : deadline_;
}

}  // namespace tapgate
