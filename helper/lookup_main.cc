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
//
// "none" takes proof that the name service works. libc also says so when it cannot load a module,
// or one of several services does not answer, and its caller can bring that about (setrlimit(2),
// prlimit(2)). So the service must know who this process is, by another name than the one asked
// for.

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <vector>

namespace {

constexpr unsigned time_limit_s = 10;  // tapgate-helper's own

// Calls one of the four functions get{pw,gr}{nam,uid,gid}_r() with a buffer that is large enough: a
// group of thousands has a long line. Unlike their elder siblings they tell "not found" (0 and no
// entry) from a failure.
template <typename Entry>
class Query {
  public:
    template <typename Function, typename Key>
    Query(Function function, Key key) {
        do {
            buffer_.resize(buffer_.size() * 4);
            error_ = function(key, &entry_, buffer_.data(), buffer_.size(), &found_);
        } while (error_ == ERANGE && buffer_.size() < (64U << 20U));
    }
    bool failed() const { return error_ != 0; }
    const Entry* found() const { return found_; }

  private:
    std::vector<char> buffer_ = std::vector<char>(1024);
    Entry entry_{};
    Entry* found_ = nullptr;
    int error_ = 0;
};

bool knows_this_user_by_another_name(std::string_view name) {
    const Query<passwd> self(getpwuid_r, getuid());
    return self.found() != nullptr && self.found()->pw_name != name;
}

bool knows_these_groups_by_other_names(std::string_view name) {
    const int count = getgroups(0, nullptr);
    if (count < 0)
        return false;
    std::vector<gid_t> groups(static_cast<size_t>(count));
    if (getgroups(count, groups.data()) != count)
        return false;
    groups.push_back(getgid());
    return std::all_of(groups.begin(), groups.end(), [&](gid_t gid) {
        const Query<group> own(getgrgid_r, gid);
        return own.found() != nullptr && own.found()->gr_name != name;
    });
}

int answer(long id) {
    const int printed = id < 0 ? std::puts("none") : std::printf("id %ld\n", id);
    return printed < 0 || std::fflush(stdout) != 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3)
        return 1;
    alarm(time_limit_s);
    const std::string_view kind = argv[1];
    const char* const name = argv[2];
    if (kind == "user") {
        const Query<passwd> user(getpwnam_r, name);
        if (user.found() != nullptr)
            return answer(user.found()->pw_uid);
        return user.failed() || !knows_this_user_by_another_name(name) ? 1 : answer(-1);
    }
    if (kind == "group") {
        const Query<group> members(getgrnam_r, name);
        if (members.found() != nullptr)
            return answer(members.found()->gr_gid);
        return members.failed() || !knows_these_groups_by_other_names(name) ? 1 : answer(-1);
    }
    return 1;
}
