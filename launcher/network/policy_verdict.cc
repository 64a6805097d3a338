// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/policy_verdict.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/network/helper_client.h"

namespace tapgate {

PolicyVerdict policy_verdict(const std::string& helper, const std::string& bridge) {
    Pipe pipe = make_pipe(O_NONBLOCK);
    PolicyVerdict verdict;
    const std::string beside = helper.substr(0, helper.rfind('/') + 1) + "tapgate-policy";
    const std::string program = access(beside.c_str(), X_OK) == 0 ? beside : TAPGATE_POLICY_TOOL;
    try {
        ChildProcess child({.program = program,
                            .argv = {program, "explain", "--br=" + bridge},
                            .output = pipe.writing.get()});
        pipe.writing.reset();
        const auto end = child.wait(helper_time_limit);
        std::array<char, 4096> words{};
        const ssize_t got = read(pipe.reading.get(), words.data(), words.size());
        verdict.text.assign(words.data(), got > 0 ? static_cast<size_t>(got) : 0);
        verdict.allowed = end && end->in_order();
        verdict.answered =
            verdict.allowed || verdict.text.find(": denied for uid ") != std::string::npos;
        if (!end)
            verdict.text = program + " did not answer in time";
        else if (verdict.text.empty())
            verdict.text = program + " ended with " + end->text() + " and without a word";
    } catch (const LauncherError& error) {
        verdict.text = error.what();
    }
    return verdict;
}

}  // namespace tapgate
