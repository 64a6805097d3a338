// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/name_service.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "common/unique_fd.h"
#include "helper/failure.h"
#include "helper/policy_file.h"

namespace tapgate {

namespace {

// Takes the part before the first `end` off `text`, along with that `end`.
std::string_view take(std::string_view& text, char end) {
    const std::string_view taken = text.substr(0, text.find(end));
    text.remove_prefix(std::min(taken.size() + 1, text.size()));
    return taken;
}

// The id (third field) in the line of `name` in a passwd(5) or group(5) file. fgetpwent(3) would
// bring stdio along and parse every field of every line.
std::optional<unsigned> find_id(std::string_view text, const std::string& name) {
    while (!text.empty()) {
        std::string_view line = take(text, '\n');
        if (take(line, ':') != name)
            continue;
        take(line, ':');
        return whole_number(take(line, ':'));
    }
    return std::nullopt;
}

// A line of subuid(5): whose subordinate uids, from `first` on, and how many.
struct Range {
    std::string owner;
    unsigned first = 0;
    unsigned count = 0;
};

// Reads a line like "alice:100000:65536". Nothing when it is empty or a comment.
std::optional<Range> parse_range(std::string_view line) {
    if (line.empty() || line.front() == '#')
        return std::nullopt;
    std::string_view rest = line;
    Range range{.owner = std::string(take(rest, ':'))};
    for (unsigned* const number : {&range.first, &range.count}) {
        // newuidmap(1) also reads "0x186a0" and "0303240" as 100000, and counts beyond 32 bits.
        const std::string_view digits = take(rest, ':');
        *number = whole_number(digits).value_or(0);
        if (std::to_string(*number) != digits)
            throw Failure("/etc/subuid: `" + printable(line) +
                          "' is not NAME:UID:COUNT in plain decimal numbers of 32 bits");
    }
    return range;
}

// Opens tapgate-lookup for execution by a caller who cannot read it: the installed file, or a copy
// of it in memory when the caller could read that (see the head of name_service.h). Root can read
// and trace anything anyway. Negative when there is no such program or it cannot be copied.
int unreadable_lookup() {
    // Only EACCES proves that the file is unreadable: the caller can cause other errors himself.
    const UniqueFd installed(open(TAPGATE_LOOKUP, O_RDONLY | O_CLOEXEC));
    if ((!installed && errno == EACCES) || getuid() == 0)
        return open(TAPGATE_LOOKUP, O_PATH | O_CLOEXEC);
    constexpr unsigned executable = 0x10;  // MFD_EXEC, which kernels before 6.3 do not know
    UniqueFd copy(memfd_create("tapgate-lookup", MFD_CLOEXEC | executable));
    if (!copy)
        copy.reset(memfd_create("tapgate-lookup", MFD_CLOEXEC));
    ssize_t copied = 1;
    while (copied > 0)
        copied = sendfile(copy.get(), installed.get(), nullptr, 1U << 20U);
    if (copied != 0 || fchmod(copy.get(), S_IXUSR | S_IXGRP | S_IXOTH) != 0)
        return -1;
    // Not `copy` itself: the kernel does not execute a file that is open for writing.
    return open(("/proc/self/fd/" + std::to_string(copy.get())).c_str(), O_PATH | O_CLOEXEC);
}

// Turns this process into tapgate-lookup, with `output` as its stdout, an empty environment, and
// nothing else inherited.
[[noreturn]] void become_lookup(const char* kind, const std::string& name, int output) {
    const int nothing = open("/dev/null", O_RDWR);
    const sigset_t none{};
    const std::array<const char*, 4> words{TAPGATE_LOOKUP, kind, name.c_str(), nullptr};
    const std::array<char*, 1> environment{nullptr};
    if (dup2(nothing, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(nothing, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0 &&
        sigprocmask(SIG_SETMASK, &none, nullptr) == 0 && chdir("/") == 0)
        fexecve(unreadable_lookup(), const_cast<char**>(words.data()),  // NOLINT: not written to
                environment.data());
    _exit(EXIT_FAILURE);
}

// Asks tapgate-lookup. `kind` is "user" or "group".
std::optional<unsigned> look_up(const char* kind, const std::string& name) {
    const std::string what =
        std::string("failed to look up ") + kind + " `" + printable(name) + "'";
    if (access(TAPGATE_LOOKUP, X_OK) != 0)
        fail_with_errno(what + ": " TAPGATE_LOOKUP);
    // With 1, a caller may trace even what he cannot read, and so could forge the answer. A /proc
    // without the file (ProcSubset=pid) does not prove otherwise.
    if (const auto mode = read_host_file("/proc/sys/fs/suid_dumpable");
        mode != "0\n" && mode != "2\n")
        throw Failure(what +
                      ": fs.suid_dumpable=1, or unknown, has callers trace tapgate-lookup: "
                      "`sysctl -w fs.suid_dumpable=2'");
    // Not a pipe: whoever has one end of that can open the other (/proc/self/fd), and take back
    // what was said but not read yet.
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        fail_with_errno(what);
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const pid_t child = fork();
    if (child < 0)
        fail_with_errno(what);
    if (child == 0)
        become_lookup(kind, name, writing.get());
    writing.reset();
    // The answer is "id 1001", "none", or nothing when the lookup failed. Without exit code 0 it
    // may be forged: old kernels may let a caller take the socket of a lookup he has killed, once
    // its memory is released and with that what it must not be traced for (ptrace_may_access()).
    const std::string answer = read_to_end(reading.get(), what);
    int status = 0;
    const bool ended_well = waitpid(child, &status, 0) == child && status == 0;
    if (ended_well && answer == "none\n")
        return std::nullopt;
    if (ended_well && answer.starts_with("id ") && answer.back() == '\n')
        if (const auto id = whole_number(std::string_view(answer).substr(3, answer.size() - 4)))
            return id;
    throw Failure(what + ": the name service does not answer, or by another name (try `getent " +
                  (*kind == 'u' ? "passwd " : "group ") + printable(name) + "')");
}

}  // namespace

std::optional<uid_t> HostNames::user_id(const std::string& name) {
    if (!passwd_)
        passwd_ = read_host_file("/etc/passwd");
    const auto id = find_id(*passwd_, name);
    return id ? id : look_up("user", name);
}

std::optional<gid_t> HostNames::group_id(const std::string& name) {
    if (!group_)
        group_ = read_host_file("/etc/group");
    const auto id = find_id(*group_, name);
    return id ? id : look_up("group", name);
}

std::optional<uid_t> HostNames::owner_of(uid_t uid) {
    const PolicyText file = read_policy_file("/etc/subuid");
    if (file.error != 0 && file.error != ENOENT)
        fail_with_errno("/etc/subuid", file.error);
    if (!file.distrust.empty())
        throw Failure(file.distrust);
    std::optional<uid_t> owner;
    std::string_view text = file.text;
    while (!text.empty()) {
        const auto range = parse_range(take(text, '\n'));
        if (!range || uid < range->first || uid - range->first >= range->count)
            continue;
        const auto number = whole_number(range->owner);
        const auto one = number ? number : user_id(range->owner);
        if (!one)
            throw Failure("/etc/subuid: there is no user `" + printable(range->owner) +
                          "', whose uid " + std::to_string(uid) + " is");
        if (*one == 0)
            continue;
        if (owner && *owner != *one)
            throw Failure("/etc/subuid: uid " + std::to_string(uid) + " is one of uid " +
                          std::to_string(*owner) + "'s and of uid " + std::to_string(*one) + "'s");
        owner = one;
    }
    return owner;
}

Asker asker_of(const Caller& caller, HostNames& names) {
    Asker asker{.uid = caller.uid, .owner = names.owner_of(caller.uid), .groups = {caller.gid}};
    // An owner who is a subordinate uid himself, of somebody else, cannot be charged for others.
    if (asker.owner && names.owner_of(*asker.owner).value_or(*asker.owner) != *asker.owner)
        throw Failure("/etc/subuid: uid " + std::to_string(asker.uid) + " is one of uid " +
                      std::to_string(*asker.owner) + "'s, which is one of somebody else's");
    const int count = getgroups(0, nullptr);
    asker.groups.resize(1 + static_cast<size_t>(std::max(count, 0)));
    if (count < 0 || getgroups(count, asker.groups.data() + 1) != count)
        fail_with_errno("failed to read the caller's groups");
    return asker;
}

}  // namespace tapgate
