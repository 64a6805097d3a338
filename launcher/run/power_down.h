// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a VM is ended, step by step, without ever waiting forever: the guest is asked by its power
// button, then QEMU is told to quit, then it is killed. Pure: decides what to do when.
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
        quit,     ///< end QEMU, which cuts the guest's power
        kill,     ///< kill QEMU with SIGKILL
        give_up,  ///< QEMU hangs in the kernel
    };

    explicit PowerDown(const Limits& limits) : limits_(limits) {}

    /// Begins to end the VM. Returns the step to take at `now`, or none when that has begun
    /// already.
    Step begin(Clock::time_point now);

    /// Goes on to the next step because somebody does not want to wait any longer.
    Step hurry(Clock::time_point now);

    /// Leaves out the steps before the kill, because nothing can be asked.
    Step kill(Clock::time_point now);

    /// The step that is due at `now`. It presses the button again now and then: in a guest that is
    /// still booting nothing reacts to it.
    Step due(Clock::time_point now);

    /// When due() will have something to do next; nothing: never.
    [[nodiscard]] std::optional<Clock::time_point> next() const;

    /// The last step taken.
    [[nodiscard]] Step step() const { return step_; }

  private:
    Step enter(Step step, Clock::time_point now);

    Limits limits_;
    Step step_ = Step::none;
    Clock::time_point deadline_;   // of the current step
    Clock::time_point ask_again_;  // when to press the button again
};

}  // namespace tapgate
