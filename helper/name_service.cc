// SPDX-License-Identifier: GPL-2.0-or-later
#include "helper/name_service.h"

#include <fcntl.h>
#include <grp.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "common/unique_fd.h"
#include "helper/failure.h"
#include "helper/policy_file.h"

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

// Takes what is before the first `end` off `text`, and that with it.
std::string_view take(std::string_view& text, char end) {
    const std::string_view taken = text.substr(0, text.find(end));
    text.remove_prefix(std::min(taken.size() + 1, text.size()));
    return taken;
}

// The third field of the line that begins with `name` in a passwd(5) or group(5) file. Not
// fgetpwent(3): that would bring stdio and the parsing of every field of every line.
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

// Starts tapgate-lookup with its stdout on `output`, an empty environment, and nothing else of
// ours.
void start_lookup(const char* kind, const std::string& name, int output, int not_for_it,
                  const std::string& what) {
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
        error = posix_spawn(&child, TAPGATE_LOOKUP, &files.actions, &process.attributes,
                            argv.data(), environment.data());
    if (error != 0)
        fail_with_errno(what + ": " + TAPGATE_LOOKUP, error);
}

// Asks tapgate-lookup. `kind` is "user" or "group".
std::optional<unsigned> look_up(const char* kind, const std::string& name, int not_for_it) {
    const std::string what =
        std::string("failed to look up ") + kind + " `" + printable(name) + "'";
    // What the caller can read, the caller can trace: see the head of name_service.h. Root could do
    // so anyway.
    if (getuid() != 0 && access(TAPGATE_LOOKUP, R_OK) == 0)
        throw Failure(what + ": " TAPGATE_LOOKUP " can be read: chmod 0711 it");
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        fail_with_errno(what);
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    start_lookup(kind, name, writing.get(), not_for_it, what);
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

std::optional<uid_t> HostNames::owner_of(uid_t uid) {
    const PolicyText file = read_policy_file("/etc/subuid");
    if (file.error != 0 && file.error != ENOENT)
        fail_with_errno("/etc/subuid", file.error);
    if (!file.distrust.empty())
        throw Failure(file.distrust);
    std::string_view text = file.text;
    while (!text.empty()) {
        std::string_view line = take(text, '\n');  // "alice:100000:65536"
        const std::string name(take(line, ':'));
        const auto first = whole_number(take(line, ':'));
        const auto count = whole_number(take(line, ':'));
        if (!first || !count || uid < *first || uid - *first >= *count)
            continue;
        const auto number = whole_number(name);
        const auto owner = number ? number : user_id(name);
        if (owner && *owner != 0)
            return owner;
    }
    return std::nullopt;
}

Asker asker_of(const Caller& caller, const Policy& policy, HostNames& names) {
    Asker asker{.uid = caller.uid, .owner = names.owner_of(caller.uid), .groups = {caller.gid}};
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
