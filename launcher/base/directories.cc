// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/directories.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

#include "launcher/base/error.h"

namespace tapgate {

namespace {

// A variable that holds an absolute path, as the specification wants it.
std::optional<std::string> directory_variable(const char* name) {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    if (value == nullptr || *value != '/')
        return std::nullopt;
    return value;
}

std::string own_directory(const char* variable, const char* below_home) {
    if (const auto directory = directory_variable(variable))
        return *directory + "/tapgate";
    return home_directory() + below_home + "/tapgate";
}

}  // namespace

std::string home_directory() {
    if (auto home = directory_variable("HOME"))
        return *home;
    const passwd* const user = getpwuid(getuid());  // NOLINT(concurrency-mt-unsafe): one thread
    if (user == nullptr)
        throw LauncherError("no home directory: HOME is not set, and uid " +
                            std::to_string(getuid()) + " has no entry");
    return user->pw_dir;
}

std::string config_directory() {
    return own_directory("XDG_CONFIG_HOME", "/.config");
}
std::string cache_directory() {
    return own_directory("XDG_CACHE_HOME", "/.cache");
}
std::string data_directory() {
    return own_directory("XDG_DATA_HOME", "/.local/share");
}

std::string runtime_directory() {
    if (const auto directory = directory_variable("XDG_RUNTIME_DIR"))
        return *directory + "/tapgate";
    const std::string uid = std::to_string(getuid());
    std::string usual = "/run/user/" + uid;
    struct stat status {};
    if (stat(usual.c_str(), &status) == 0 && status.st_uid == getuid())
        return usual + "/tapgate";
    return "/tmp/tapgate-" + uid;
}

std::string current_directory() {
    std::error_code error;
    std::string directory = std::filesystem::current_path(error).string();
    if (error)
        throw LauncherError("the current directory: " + error.message());
    return directory;
}

}  // namespace tapgate
