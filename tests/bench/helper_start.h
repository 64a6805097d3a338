// SPDX-License-Identifier: GPL-2.0-or-later
//
// What QEMU does to get a tap, with a clock beside it.
#pragma once

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

[[noreturn]] inline void die(const std::string& what) {
    std::fprintf(stderr, "bench: %s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

// Dies of what is no number.
inline unsigned number(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        errno = EINVAL;
        die(std::string(text));
    }
    return value;
}

struct Start {
    int tap;          // the caller's
    double to_fd_us;  // from before fork() to the return of the recvmsg() that brings it
};

// Starts `helper` as QEMU does, for a tap on `bridge`, with the `extra` arguments; as `uid`, which
// only root may choose.
inline Start start_helper(const std::string& helper, const std::string& bridge,
                          const std::vector<std::string>& extra, uid_t uid = getuid()) {
    using Clock = std::chrono::steady_clock;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        die("socketpair");
    std::vector<std::string> words = {helper, "--use-vnet", "--fd=" + std::to_string(pair[1]),
                                      "--br=" + bridge};
    words.insert(words.end(), extra.begin(), extra.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);

    const Clock::time_point begin = Clock::now();
    const pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        close(pair[0]);
        if (uid != getuid() && (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0))
            _exit(126);
        execv(argv[0], argv.data());
        _exit(127);
    }
    close(pair[1]);

    char byte = 1;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(pair[0], &message, MSG_CMSG_CLOEXEC);
    const Clock::time_point here = Clock::now();
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (got != 1 || header == nullptr) {
        errno = EPROTO;
        die("no fd from " + helper);
    }
    int tap = -1;
    std::memcpy(&tap, CMSG_DATA(header), sizeof tap);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) {
        errno = EPROTO;
        die("exit status of " + helper);
    }
    close(pair[0]);
    return {tap, std::chrono::duration<double, std::micro>(here - begin).count()};
}
