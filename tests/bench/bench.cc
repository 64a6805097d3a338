// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plays QEMU's side of the bridge helper protocol many times over and prints how long each helper
// takes.
//
//   bench [--rounds N] [--uid UID] [--group GID] NAME=HELPER [--arguments ARGUMENT]... ...
//   bench --hold N [--uid UID] [--group GID] NAME=HELPER
//
// --group puts it into that group, --arguments gives the helper before it one more argument.
//
// Each round starts every helper once, in turn (A B C, A B C, ...), so that a machine whose speed
// drifts drifts for all of them alike. Measured is start-to-fd: from before fork() to the return of
// the recvmsg() that brings the tap, which is what a starting VM waits for. The last columns are
// ratios to the first helper's p50, from the same run. Nothing here asserts a time.
//
// With --hold it takes no time, but N taps, and has them until its standard input ends.
//
// It needs the lab that tests/bench/run makes: bridge br0, a policy that allows it, /dev/net/tun.

#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/bench/helper_start.h"

namespace {

struct Contender {
    std::string name;
    std::string path;
    std::vector<std::string> extra;  // arguments after the protocol's own
    std::vector<double> to_fd_us;    // start to fd, one a round
};

// The kernel takes a contained tap's namespace away behind its last close(), for some 40 ms in
// which it has the lock that the next start needs; a plain tap it takes away within close(). So
// that each start finds the same host, each is given the same time to go.
constexpr std::chrono::milliseconds time_to_go{60};

double run_once(const Contender& contender) {
    const Start run = start_helper(contender.path, "br0", contender.extra);
    close(run.tap);
    std::this_thread::sleep_for(time_to_go);
    return run.to_fd_us;
}

double percentile(std::vector<double> values, double fraction) {
    std::sort(values.begin(), values.end());
    const auto last = static_cast<double>(values.size() - 1);
    return values[static_cast<size_t>(last * fraction)];
}

}  // namespace

int main(int argc, char** argv) {
    unsigned rounds = 200;
    unsigned uid = 60123;
    unsigned hold = 0;
    std::vector<gid_t> groups;
    std::vector<Contender> contenders;
    for (int i = 1; i < argc; i++) {
        const std::string_view word = argv[i];
        if (word == "--rounds" && i + 1 < argc) {
            rounds = number(argv[++i]);
        } else if (word == "--uid" && i + 1 < argc) {
            uid = number(argv[++i]);
        } else if (word == "--group" && i + 1 < argc) {
            groups.push_back(number(argv[++i]));
        } else if (word == "--hold" && i + 1 < argc) {
            hold = number(argv[++i]);
        } else if (word == "--arguments" && i + 1 < argc && !contenders.empty()) {
            contenders.back().extra.emplace_back(argv[++i]);  // for the helper named before
        } else if (const size_t equals = word.find('='); equals != std::string_view::npos) {
            contenders.push_back({std::string(word.substr(0, equals)),
                                  std::string(word.substr(equals + 1)),
                                  {},
                                  {}});
        } else {
            std::fprintf(stderr, "bench: what is `%s'?\n", argv[i]);
            return 1;
        }
    }
    if (contenders.empty() || rounds == 0) {
        std::fprintf(stderr,
                     "Usage: bench [--rounds N] [--uid UID] [--group GID] NAME=HELPER ...\n");
        return 1;
    }
    // The helpers' setuid bit means nothing to root: measure as the users they are for.
    if (setgroups(groups.size(), groups.data()) != 0 || setresgid(uid, uid, uid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        die("become an unprivileged user");

    if (hold > 0) {
        while (hold-- > 0)
            start_helper(contenders.front().path, "br0", contenders.front().extra);
        // The taps go when we go.
        char byte = 0;
        while (read(STDIN_FILENO, &byte, 1) > 0) {
        }
        return 0;
    }

    for (unsigned warm_up = 0; warm_up < 5; warm_up++)
        for (const Contender& contender : contenders)
            run_once(contender);
    for (unsigned round = 0; round < rounds; round++)
        for (Contender& contender : contenders)
            contender.to_fd_us.push_back(run_once(contender));

    std::printf("%-24s %10s %10s %10s   %s\n", "start to fd, us", "min", "p50", "p99",
                ("p50 / " + contenders.front().name).c_str());
    const double base = percentile(contenders.front().to_fd_us, 0.5);
    for (const Contender& contender : contenders) {
        const double p50 = percentile(contender.to_fd_us, 0.5);
        std::printf("%-24s %10.0f %10.0f %10.0f   %.2f\n", contender.name.c_str(),
                    percentile(contender.to_fd_us, 0), p50, percentile(contender.to_fd_us, 0.99),
                    p50 / base);
    }
    return 0;
}
