// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a VM is ended, step by step and never waiting for ever: the guest is asked by its power
// button, then QEMU is told to quit, then it is killed. Pure: what is to be done when.
#pragma once

#include <chrono>
#include <optional>

namespace tapgate {

class PowerDown {
  public:
    using Clock = std::chrono::steady_clock;
    using Milliseconds = std::chrono::milliseconds;

    /// How long each step may take.
    struct Limits {
        Milliseconds guest{90000};  ///< as long as systemd gives a service
        Milliseconds quit{5000};
        Milliseconds kill{5000};
    };

    enum class Step {
        none,
        ask,      ///< press the power button
        quit,     ///< QEMU ends, the guest loses its power
        kill,     ///< SIGKILL
        give_up,  ///< it hangs in the kernel
    };

    explicit PowerDown(const Limits& limits) : limits_(limits) {}

    /// Somebody wants it to end: the step to take at `now`, none when that is under way.
    Step begin(Clock::time_point now);

    /// Somebody does not want to wait any longer: the step behind the present one.
    Step hurry(Clock::time_point now);

    /// What is due at `now`. The button is pressed again now and then: a guest that boots has
    /// nobody who looks at it.
    Step due(Clock::time_point now);

    /// When due() has something next; nothing: never.
    [[nodiscard]] std::optional<Clock::time_point> next() const;

    /// The last step taken.
    [[nodiscard]] Step step() const { return step_; }

  private:
    Step enter(Step step, Clock::time_point now);

    Limits limits_;
    Step step_ = Step::none;
    Clock::time_point deadline_;   // of the step
    Clock::time_point ask_again_;  // while it is ask
};

}  // namespace tapgate
