// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate-lookup: finds the id of a user or group by libc's name service. tapgate-helper starts it
// for names that are not in /etc/passwd and /etc/group. It has no privilege, and must be installed
// execute-only (see name_service.h).
//
//   tapgate-lookup user|group NAME
//
// Prints "id N" or "none" and exits with 0. Prints nothing and exits with 1 when it cannot find
// out, as when a directory server is down: then nobody knows whether a `deny` is about the caller.
//
// "none" requires proof that the name service works. libc says "not found" also when it cannot load
// a module, or when one of several services does not answer; and the caller can cause that by
// limits (setrlimit(2), prlimit(2)). So before it says "none", this program asks the service for
// the name of its own user, which the service must know.
//
// That name must not be the one asked for, nor another spelling of it (ALICE, alice@corp,
// CORP\alice): the service may have run out of descriptors for the one lookup and not for the
// other. For a user with two names (an alias, a principal's name, one more in the local files), the
// one name would seem to prove that the other is nobody's. So a user with two names is never found:
// a policy that names one works for nobody, and is noticed on the first day. The same goes for a
// name or an id about which two services say different things, since a limit may affect only the
// first of them.

#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr unsigned time_limit_s = 10;  // tapgate-helper's own

struct Answer {
    int error = 0;
    long id = -1;  // negative: not found
    std::string name;
};

// Calls one of the four functions get{pw,gr}{nam,uid,gid}_r() with a buffer that is large enough: a
// group of thousands has a long line. Unlike getpwnam() and its kind, these distinguish "not found"
// (0 and no entry) from a failure.
template <typename Entry>
Answer ask(auto function, auto key, auto id, auto name) {
    std::vector<char> buffer(4096);
    for (;;) {
        Entry entry{};
        Entry* found = nullptr;
        const int error = function(key, &entry, buffer.data(), buffer.size(), &found);
        if (found != nullptr)
            return {error, entry.*id, entry.*name};
        if (error != ERANGE || buffer.size() > (64U << 20U))
            return {error, -1, {}};
        buffer.resize(buffer.size() * 4);
    }
}

Answer ask_user(auto function, auto key) {
    return ask<passwd>(function, key, &passwd::pw_uid, &passwd::pw_name);
}

Answer ask_group(auto function, auto key) {
    return ask<group>(function, key, &group::gr_gid, &group::gr_name);
}

// The name without a domain, in lower case.
std::string plain_name(std::string_view name) {
    name.remove_prefix(name.find('\\') + 1);  // npos + 1 is 0
    std::string plain(name.substr(0, name.find('@')));
    std::transform(plain.begin(), plain.end(), plain.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return plain;
}

// Whether the service has another name for the id that was found, or the local file has, which may
// be asked before or after the service.
bool has_another_name(bool is_user, const Answer& found) {
    const std::string name = plain_name(found.name);
    const auto id = static_cast<unsigned>(found.id);
    const Answer by_id = is_user ? ask_user(getpwuid_r, id) : ask_group(getgrgid_r, id);
    bool another = by_id.id != found.id || plain_name(by_id.name) != name;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
        std::fopen(is_user ? "/etc/passwd" : "/etc/group", "re"), std::fclose);
    if (!file)
        return another;
    if (is_user)
        while (const passwd* const user = fgetpwent(file.get()))
            another |= user->pw_uid == id && plain_name(user->pw_name) != name;
    else
        while (const group* const one = fgetgrent(file.get()))
            another |= one->gr_gid == id && plain_name(one->gr_name) != name;
    return another;
}

// The services for a database, by its line in nsswitch.conf(5): {"files", "sss"} for
// "passwd: files [NOTFOUND=continue] sss".
std::vector<std::string> services_of(const std::string& database) {
    std::ifstream file("/etc/nsswitch.conf");
    for (std::string line; std::getline(file, line);) {
        line.erase(std::min(line.find('#'), line.size()));
        bool is_action = false;
        for (char& c : line) {
            is_action |= c == '[';
            if (is_action || c == ':') {
                is_action &= c != ']';
                c = ' ';
            }
        }
        std::istringstream words(line);
        if (std::string word; words >> word && word == database)
            return {std::istream_iterator<std::string>(words), {}};
    }
    return {};
}

// Whether any of the services, asked alone, has another id for the name or another name for the id.
bool is_another_elsewhere(bool is_user, const char* asked, const Answer& found) {
    const char* const database = is_user ? "passwd" : "group";
    const auto id = static_cast<unsigned>(found.id);
    bool another = false;
    for (const std::string& service : services_of(database)) {
        if (__nss_configure_lookup(database, service.c_str()) != 0)
            return true;
        const Answer by_name = is_user ? ask_user(getpwnam_r, asked) : ask_group(getgrnam_r, asked);
        const Answer by_id = is_user ? ask_user(getpwuid_r, id) : ask_group(getgrgid_r, id);
        another |= by_name.id >= 0 && by_name.id != found.id;
        another |= by_id.id >= 0 && plain_name(by_id.name) != plain_name(found.name);
    }
    return another;
}

// What the service says about this process: about its user, or about each of its groups.
std::vector<Answer> ask_about_self(bool is_user) {
    if (is_user)
        return {ask_user(getpwuid_r, getuid())};
    std::vector<gid_t> groups(NGROUPS_MAX + 1);
    const int count = getgroups(NGROUPS_MAX, groups.data());
    groups.resize(static_cast<size_t>(std::max(count, 0)));
    groups.push_back(getgid());
    std::vector<Answer> answers(count < 0 ? 1 : 0);  // on failure: one answer, "not found"
    for (const gid_t gid : groups)
        answers.push_back(ask_group(getgrgid_r, gid));
    return answers;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3)
        return 1;
    alarm(time_limit_s);
    const bool is_user = std::string_view(argv[1]) == "user";
    const Answer asked = is_user ? ask_user(getpwnam_r, argv[2]) : ask_group(getgrnam_r, argv[2]);
    const bool is_found = asked.id >= 0;
    if (asked.error != 0 || (is_found && (plain_name(asked.name) != plain_name(argv[2]) ||
                                          has_another_name(is_user, asked) ||
                                          is_another_elsewhere(is_user, argv[2], asked))))
        return 1;
    const auto proves_service = [&](const Answer& self) {
        return self.id >= 0 && plain_name(self.name) != plain_name(argv[2]);
    };
    const auto self = is_found ? std::vector<Answer>{} : ask_about_self(is_user);
    if (!std::all_of(self.begin(), self.end(), proves_service))
        return 1;
    const int printed = is_found ? std::printf("id %ld\n", asked.id) : std::puts("none");
    if (printed < 0 || std::fflush(stdout) != 0)
        return 1;
    _exit(0);  // the helper looks at the exit code: no module's exit handler may change it
}
