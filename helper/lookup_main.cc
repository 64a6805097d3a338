// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate-lookup: the id of a user or group, from libc's name service. tapgate-helper starts it for
// names that /etc/passwd and /etc/group do not have; it has no privilege, and must be installed
// execute-only (see name_service.h).
//
//   tapgate-lookup user|group NAME
//
// Prints "id N" or "none" and exits with 0; prints nothing and exits with 1 when it cannot find
// out, as when a directory server is down: then nobody knows whether a `deny` is about the caller.

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <vector>

namespace {

// Calls getpwnam_r() or getgrnam_r() with a buffer that is large enough: a group of thousands has a
// long line. Unlike their elder siblings they tell "not found" (0 and no entry) from a failure.
template <typename Entry, typename Function>
int look_up(Function function, const char* name, Entry& entry, Entry*& found) {
    std::vector<char> buffer(4096);
    for (;;) {
        const int error = function(name, &entry, buffer.data(), buffer.size(), &found);
        if (error != ERANGE || buffer.size() > (64U << 20U))
            return error;
        buffer.resize(buffer.size() * 4);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3)
        return 1;
    const std::string_view kind = argv[1];
    int error = EINVAL;
    long id = -1;
    if (kind == "user") {
        passwd user{};
        passwd* found = nullptr;
        error = look_up(getpwnam_r, argv[2], user, found);
        if (found != nullptr)
            id = user.pw_uid;
    } else if (kind == "group") {
        group members{};
        group* found = nullptr;
        error = look_up(getgrnam_r, argv[2], members, found);
        if (found != nullptr)
            id = members.gr_gid;
    }
    if (error != 0)
        return 1;
    const int printed = id < 0 ? std::puts("none") : std::printf("id %ld\n", id);
    return printed < 0 || std::fflush(stdout) != 0 ? 1 : 0;
}
