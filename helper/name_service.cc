// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/name_service.h"

#include <fcntl.h>
#include <grp.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "common/unique_fd.h"
#include "helper/failure.h"

namespace tapgate {

namespace {

std::string read_to_end(int fd, const std::string& what) {
    std::string text;
    std::array<char, 16384> buffer;  // NOLINT: filled by read()
    for (;;) {
        const ssize_t got = read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            fail_with_errno(what);
        if (got == 0)
            return text;
        text.append(buffer.data(), static_cast<size_t>(got));
    }
}

// The text of /etc/passwd or /etc/group. A host without one has its names elsewhere.
std::string read_local(const char* path) {
    const std::string what = std::string("failed to read ") + path;
    const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT)
        return {};
    if (!fd)
        fail_with_errno(what);
    return read_to_end(fd.get(), what);
}

// The third field of the line that begins with `name` in a passwd(5) or group(5) file. Not
// fgetpwent(3): that would bring stdio and the parsing of every field of every line.
std::optional<unsigned> find_id(std::string_view text, const std::string& name) {
    const std::string beginning = name + ":";
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.substr(0, beginning.size()) != beginning)
            continue;
        const size_t third = line.find(':', beginning.size());
        if (third == std::string_view::npos)
            continue;
        const std::string_view rest = line.substr(third + 1);
        return whole_number(rest.substr(0, rest.find(':')));
    }
    return std::nullopt;
}

struct SpawnActions {
    posix_spawn_file_actions_t actions{};
    SpawnActions() { posix_spawn_file_actions_init(&actions); }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;
    ~SpawnActions() { posix_spawn_file_actions_destroy(&actions); }
};

struct SpawnAttributes {
    posix_spawnattr_t attributes{};
    SpawnAttributes() { posix_spawnattr_init(&attributes); }
    SpawnAttributes(const SpawnAttributes&) = delete;
    SpawnAttributes& operator=(const SpawnAttributes&) = delete;
    ~SpawnAttributes() { posix_spawnattr_destroy(&attributes); }
};

// A copy of tapgate-lookup that can be executed and not read, for an installation whose own can be
// read (see the head of name_service.h). Owns nothing when that one will do: root may read
// anything, and could trace anything.
UniqueFd unreadable_copy(const std::string& what) {
    if (getuid() == 0)
        return {};
    const UniqueFd installed(open(TAPGATE_LOOKUP, O_RDONLY | O_CLOEXEC));
    if (!installed)
        return {};
    constexpr unsigned executable = 0x10;  // MFD_EXEC, which kernels before 6.3 do not know
    UniqueFd copy(memfd_create("tapgate-lookup", MFD_CLOEXEC | executable));
    if (!copy && errno == EINVAL)
        copy = UniqueFd(memfd_create("tapgate-lookup", MFD_CLOEXEC));
    constexpr size_t at_once = 1U << 20U;
    ssize_t copied = copy ? 1 : -1;
    while (copied > 0)
        copied = sendfile(copy.get(), installed.get(), nullptr, at_once);
    // A file that somebody can write to is not executed. Nobody but this process can open it: a
    // process that is not dumpable has its descriptors to itself.
    UniqueFd program;
    if (copied == 0)
        program = UniqueFd(
            open(("/proc/self/fd/" + std::to_string(copy.get())).c_str(), O_RDONLY | O_CLOEXEC));
    if (!program || fchmod(copy.get(), S_IXUSR | S_IXGRP | S_IXOTH) != 0)
        fail_with_errno(what + ": no copy of " TAPGATE_LOOKUP
                               " that cannot be read (chmod 0711 makes it unnecessary)");
    return program;
}

// Starts `program`, which is tapgate-lookup, with its stdout on `output`, an empty environment, and
// nothing else of ours.
void start_lookup(const std::string& program, const char* kind, const std::string& name, int output,
                  int not_for_it, const std::string& what) {
    SpawnActions files;
    SpawnAttributes process;
    sigset_t none;
    sigemptyset(&none);
    int error = posix_spawn_file_actions_adddup2(&files.actions, output, STDOUT_FILENO);
    if (error == 0)
        error =
            posix_spawn_file_actions_addopen(&files.actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    if (error == 0)
        error =
            posix_spawn_file_actions_addopen(&files.actions, STDERR_FILENO, "/dev/null", O_RDWR, 0);
    if (error == 0 && not_for_it > STDERR_FILENO)
        error = posix_spawn_file_actions_addclose(&files.actions, not_for_it);
    if (error == 0)
        error = posix_spawnattr_setsigmask(&process.attributes, &none);
    if (error == 0)
        error = posix_spawnattr_setflags(&process.attributes, POSIX_SPAWN_SETSIGMASK);
    std::string argument0 = TAPGATE_LOOKUP;
    std::string argument1 = kind;
    std::string argument2 = name;
    std::array<char*, 4> argv{argument0.data(), argument1.data(), argument2.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    pid_t child = -1;
    if (error == 0)
        error = posix_spawn(&child, program.c_str(), &files.actions, &process.attributes,
                            argv.data(), environment.data());
    if (error != 0)
        fail_with_errno(what + ": " + TAPGATE_LOOKUP, error);
}

// Asks tapgate-lookup. `kind` is "user" or "group".
std::optional<unsigned> look_up(const char* kind, const std::string& name, int not_for_it) {
    const std::string what =
        std::string("failed to look up ") + kind + " `" + printable(name) + "'";
    const UniqueFd copy = unreadable_copy(what);
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        fail_with_errno(what);
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    start_lookup(copy ? "/proc/self/fd/" + std::to_string(copy.get()) : TAPGATE_LOOKUP, kind, name,
                 writing.get(), not_for_it, what);
    writing.reset();
    // "id 1001", "none", or nothing when it failed. The answer's last byte says that it is whole,
    // so its exit code is not waited for.
    std::string_view answer;
    const std::string text = read_to_end(reading.get(), what);
    answer = text;
    if (answer == "none\n")
        return std::nullopt;
    if (answer.substr(0, 3) == "id " && answer.back() == '\n')
        if (const auto id = whole_number(answer.substr(3, answer.size() - 4)))
            return id;
    throw Failure(what + ": the name service does not answer (try `id' and `getent " +
                  (*kind == 'u' ? "passwd " : "group ") + printable(name) + "')");
}

}  // namespace

std::optional<uid_t> HostNames::user_id(const std::string& name) {
    if (!passwd_)
        passwd_ = read_local("/etc/passwd");
    const auto id = find_id(*passwd_, name);
    return id ? id : look_up("user", name, keep_from_lookup_);
}

std::optional<gid_t> HostNames::group_id(const std::string& name) {
    if (!group_)
        group_ = read_local("/etc/group");
    const auto id = find_id(*group_, name);
    return id ? id : look_up("group", name, keep_from_lookup_);
}

Asker asker_of(const Caller& caller, const Policy& policy) {
    Asker asker{.uid = caller.uid, .groups = {caller.gid}};
    const bool groups_matter =
        std::any_of(policy.rules.begin(), policy.rules.end(),
                    [](const Rule& rule) { return !rule.who.groups.empty(); });
    if (!groups_matter)
        return asker;
    const int count = getgroups(0, nullptr);
    if (count < 0)
        fail_with_errno("failed to read the caller's groups");
    asker.groups.resize(1 + static_cast<size_t>(count));
    if (getgroups(count, asker.groups.data() + 1) != count)
        fail_with_errno("failed to read the caller's groups");
    return asker;
}

}  // namespace tapgate
