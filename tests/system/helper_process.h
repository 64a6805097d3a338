// SPDX-License-Identifier: GPL-2.0-or-later
//
// A helper that is started as QEMU starts it, by whom a test wants, and what came of it.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/unique_fd.h"

namespace tapgate {

struct Account {
    const char* name;
    uid_t uid;
    gid_t gid;
};

// In /etc/passwd and /etc/group of every test bed.
inline constexpr Account alice_account{"alice", 2001, 2001};
inline constexpr Account bob_account{"bob", 2002, 2002};
// A group of alice's; but for the helper, only the groups count that the caller really has.
inline constexpr gid_t students_gid = 3001;

// The socket's number in the helper, too high to be one that the helper opens itself.
inline constexpr int socket_number = 27;

// How QEMU asks for a tap on br0, and how a refusal by the policy begins, before the rule.
inline const std::vector<std::string> usual_args = {"--use-vnet", "--fd=27", "--br=br0"};
inline constexpr const char* denied_by_acl = "access denied by acl file: ";

struct HelperOptions {
    std::string program;  // empty for the installed helper under test
    // The whole argument vector, argv[0] included, instead of {program, args...}.
    std::optional<std::vector<std::string>> argv;
    uid_t uid = alice_account.uid;
    gid_t gid = alice_account.gid;
    std::vector<gid_t> groups;
    // The last one is for a helper with AddressSanitizer: that cannot look for leaks where nobody
    // may trace, which the helper ensures.
    std::vector<std::string> env = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8",
                                    "ASAN_OPTIONS=detect_leaks=0"};
    // Runs in the child as the caller, after everything else is set up and right before exec: for
    // what QEMU does not do, such as closed stdio, limits, or something else at socket_number.
    std::function<void()> before_exec;
    // Nothing is read from the socket until the helper has ended.
    bool deaf = false;
    // The child asks to be traced by this process; it stops with SIGTRAP after exec.
    bool traced = false;
    std::chrono::milliseconds timeout{15000};
};

// The options for a request by that user.
HelperOptions as(const Account& user, std::vector<gid_t> groups = {});

struct HelperResult {
    bool timed_out = false;
    int exit_status = -1;  // -1 if a signal ended it
    int signal = 0;
    std::string out;
    std::string err;
    std::string data;  // bytes that came over the socket
    std::vector<UniqueFd> fds;
    int fd_messages = 0;
    bool control_truncated = false;
};

// A running helper, with QEMU's end of its socket; killed and reaped when it goes out of scope.
class HelperProcess {
  public:
    HelperProcess(const std::vector<std::string>& args, const HelperOptions& options);
    ~HelperProcess();
    HelperProcess(const HelperProcess&) = delete;
    HelperProcess(HelperProcess&&) = delete;
    HelperProcess& operator=(const HelperProcess&) = delete;
    HelperProcess& operator=(HelperProcess&&) = delete;

    pid_t pid() const { return pid_; }
    void kill(int signal) const;

    // Waits until it ends, at most options.timeout; then it is killed, and `timed_out`.
    HelperResult finish();

    // For the tracer, which reaps it itself.
    HelperResult collect(int wait_status);

  private:
    void drain_socket(HelperResult* result) const;

    HelperOptions options_;
    pid_t pid_ = -1;
    UniqueFd pidfd_;
    UniqueFd socket_;
    UniqueFd out_;
    UniqueFd err_;
};

// Exit 0 with exactly one zero byte and `fds` tap fds in one message, and nothing on stderr.
testing::AssertionResult granted(const HelperResult& run, std::size_t fds = 1);
// Exit 1 with one line that begins with `beginning`, nothing sent, no tap left.
testing::AssertionResult failed(const HelperResult& run, std::string_view beginning);
// Like failed(), and the line contains `part`.
testing::AssertionResult failed_saying(const HelperResult& run, std::string_view beginning,
                                       std::string_view part);
std::string describe(const HelperResult& run);

}  // namespace tapgate
