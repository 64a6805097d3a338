// SPDX-License-Identifier: GPL-2.0-or-later
//
// A name service for the tests, as libc loads it (`passwd: files tapgatetest`): it has one user
// "remote" (2101) and one group "remotestudents" (3101), which it also finds by the second names
// "r.mote" and "r.students". What else it does says the first word of /etc/tapgatetest:
//
//   ok       answers
//   down     cannot answer (NSS_STATUS_UNAVAIL), and errno says why
//   silent   the same, and errno says nothing
//   wait     answers once /etc/tapgatetest says something else
//
// and it writes /mnt/nss/asked when it is asked something, if it may.
//
// And a second one, `tapgateother`, which answers by itself, whatever becomes of the first: it has
// the one user, and group, that /etc/tapgateother names ("remote 2102").

#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace {

constexpr uid_t remote_account = 2101;
constexpr gid_t remote_students = 3101;

// Nothing of the C++ library that could need to be loaded.
std::string_view read_mode(std::array<char, 16>& buffer) {
    const int fd = open("/etc/tapgatetest", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? 0 : read(fd, buffer.data(), buffer.size());
    close(fd);
    return {buffer.data(), size < 0 ? 0U : static_cast<std::size_t>(size)};
}

nss_status as_configured(int* error) {
    close(open("/mnt/nss/asked", O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    std::array<char, 16> buffer{};
    std::string_view mode = read_mode(buffer);
    for (int i = 0; mode.starts_with("wait") && i < 6000; ++i) {
        usleep(10000);
        mode = read_mode(buffer);
    }
    if (mode.starts_with("ok"))
        return NSS_STATUS_SUCCESS;
    *error = mode.starts_with("silent") ? 0 : ECONNREFUSED;
    return NSS_STATUS_UNAVAIL;
}

// Puts `text` at the beginning of the caller's buffer.
char* put(std::string_view text, char* buffer, std::size_t size) {
    if (text.size() + 1 > size)
        return nullptr;
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    return buffer;
}

nss_status fill(const char* name, unsigned id, passwd* user, char* buffer, std::size_t size,
                int* error) {
    static std::array<char, 1> empty{};
    *user = {};
    user->pw_name = put(name, buffer, size);
    user->pw_uid = user->pw_gid = id;
    user->pw_passwd = user->pw_gecos = user->pw_dir = user->pw_shell = empty.data();
    if (user->pw_name == nullptr) {
        *error = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    return NSS_STATUS_SUCCESS;
}

nss_status fill(const char* name, unsigned id, group* found, char* buffer, std::size_t size,
                int* error) {
    static std::array<char, 1> empty{};
    static std::array<char*, 1> members{};
    *found = {};
    found->gr_name = put(name, buffer, size);
    found->gr_gid = id;
    found->gr_passwd = empty.data();
    found->gr_mem = members.data();
    if (found->gr_name == nullptr) {
        *error = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    return NSS_STATUS_SUCCESS;
}

nss_status find_user(bool matches, passwd* user, char* buffer, std::size_t size, int* error) {
    const nss_status status = as_configured(error);
    if (status != NSS_STATUS_SUCCESS || !matches)
        return status == NSS_STATUS_SUCCESS ? NSS_STATUS_NOTFOUND : status;
    return fill("remote", remote_account, user, buffer, size, error);
}

nss_status find_group(bool matches, group* found, char* buffer, std::size_t size, int* error) {
    const nss_status status = as_configured(error);
    if (status != NSS_STATUS_SUCCESS || !matches)
        return status == NSS_STATUS_SUCCESS ? NSS_STATUS_NOTFOUND : status;
    return fill("remotestudents", remote_students, found, buffer, size, error);
}

// `name`: nothing where the id is asked for.
template <typename Entry>
nss_status find_other(const char* name, unsigned id, Entry* entry, char* buffer, std::size_t size,
                      int* error) {
    *error = ENOENT;
    std::FILE* const file = std::fopen("/etc/tapgateother", "re");
    std::array<char, 32> known{};
    unsigned known_id = 0;
    const bool is_there = file != nullptr &&
                          // NOLINTNEXTLINE(cert-err34-c): the test's own number, and iostreams
                          // would run in the helper
                          std::fscanf(file, "%31s %u", known.data(), &known_id) == 2;
    if (file != nullptr)
        std::fclose(file);
    if (!is_there || (name != nullptr ? known.data() != std::string_view(name) : known_id != id))
        return NSS_STATUS_NOTFOUND;
    return fill(known.data(), known_id, entry, buffer, size, error);
}

}  // namespace

// The names are libc's (nss(5)).
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming,misc-use-internal-linkage)
extern "C" {

nss_status _nss_tapgatetest_getpwnam_r(const char* name, passwd* user, char* buffer,
                                       std::size_t size, int* error) {
    const std::string_view asked(name);
    return find_user(asked == "remote" || asked == "r.mote", user, buffer, size, error);
}

nss_status _nss_tapgatetest_getpwuid_r(uid_t uid, passwd* user, char* buffer, std::size_t size,
                                       int* error) {
    return find_user(uid == remote_account, user, buffer, size, error);
}

nss_status _nss_tapgatetest_getgrnam_r(const char* name, group* found, char* buffer,
                                       std::size_t size, int* error) {
    const std::string_view asked(name);
    return find_group(asked == "remotestudents" || asked == "r.students", found, buffer, size,
                      error);
}

nss_status _nss_tapgatetest_getgrgid_r(gid_t gid, group* found, char* buffer, std::size_t size,
                                       int* error) {
    return find_group(gid == remote_students, found, buffer, size, error);
}

nss_status _nss_tapgateother_getpwnam_r(const char* name, passwd* user, char* buffer,
                                        std::size_t size, int* error) {
    return find_other(name, 0, user, buffer, size, error);
}

nss_status _nss_tapgateother_getpwuid_r(uid_t uid, passwd* user, char* buffer, std::size_t size,
                                        int* error) {
    return find_other(nullptr, uid, user, buffer, size, error);
}

nss_status _nss_tapgateother_getgrnam_r(const char* name, group* found, char* buffer,
                                        std::size_t size, int* error) {
    return find_other(name, 0, found, buffer, size, error);
}

nss_status _nss_tapgateother_getgrgid_r(gid_t gid, group* found, char* buffer, std::size_t size,
                                        int* error) {
    return find_other(nullptr, gid, found, buffer, size, error);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming,misc-use-internal-linkage)
