// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/directories.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "launcher/base/batch_job.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

// The value of a variable that holds an absolute path, as the specification requires.
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

bool is_own(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 && status.st_uid == geteuid();
}

// The directories that runtime_directory() may be in, the preferred first. A variable that `su` has
// left in the environment is another user's. A directory that does not exist yet is ours to make if
// the one above it is ours. Nothing in /tmp: there anybody could take the name first.
std::vector<std::string> runtime_bases() {
    std::vector<std::string> bases;
    // In a job: what a login has set up for the user goes when the login ends, and the environment
    // may name a directory of another host. All steps of the job find this one.
    const bool in_job = batch_job().has_value();
    if (in_job)
        bases.push_back(runtime_base_of_host());
    if (const auto named = directory_variable("XDG_RUNTIME_DIR");
        named &&
        (is_own(*named) || (access(named->c_str(), F_OK) != 0 &&
                            is_own(named->substr(0, std::max<size_t>(named->rfind('/'), 1))))))
        bases.push_back(*named);
    if (std::string usual = "/run/user/" + std::to_string(getuid());
        is_own(usual) && (bases.empty() || bases[0] != usual))
        bases.push_back(std::move(usual));
    if (!in_job)
        bases.push_back(runtime_base_of_host());
    return bases;
}

// Throws unless the directory is this user's and nobody else can write to it.
std::string checked_runtime_directory(const std::string& base);

}  // namespace

std::string runtime_base_of_host() {
    std::array<char, HOST_NAME_MAX + 1> buffer{};
    if (gethostname(buffer.data(), buffer.size() - 1) != 0)
        fail_with_errno("the host's name");
    const std::string name = buffer.data();
    if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos)
        throw LauncherError("the host's name, " + quoted_word(name) +
                            ", is no name for a directory; set XDG_RUNTIME_DIR to one of yours");
    return home_directory() + "/.cache/tapgate/run/" + name;
}

std::string home_directory() {
    if (auto home = directory_variable("HOME"))
        return *home;
    const passwd* const user = getpwuid(getuid());  // NOLINT(concurrency-mt-unsafe): one thread
    if (user == nullptr)
        throw LauncherError("no home directory: HOME is not set to an absolute path, and uid " +
                            std::to_string(getuid()) +
                            " has no entry in /etc/passwd; set HOME to a directory of yours");
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

namespace {

std::string checked_runtime_directory(const std::string& base) {
    std::string path = base + "/tapgate";
    const std::string way_out =
        "; log in as yourself, or set XDG_RUNTIME_DIR to a directory of yours";
    struct stat status {};
    // One that does not exist is fine: make_private_directory() makes it, and checks again.
    if (stat(base.c_str(), &status) == 0) {
        if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid())
            throw LauncherError(shown(base) + " is not a directory of yours" + way_out);
        if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
            throw LauncherError(shown(base) + ": others can write to it" + way_out);
    }
    // Not stat(): whoever made a link there would choose where it leads.
    if (lstat(path.c_str(), &status) == 0) {
        if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid())
            throw LauncherError(shown(path) + " is not a directory of yours; remove it");
        if ((status.st_mode & 077) != 0)
            throw LauncherError(shown(path) +
                                ": others can get into it; if all in it is yours: chmod 700 " +
                                shown(path));
    }
    return path;
}

}  // namespace

std::string runtime_directory() {
    return checked_runtime_directory(runtime_bases().front());
}

std::vector<std::string> other_runtime_directories() {
    std::vector<std::string> others;
    const std::vector<std::string> bases = runtime_bases();
    for (size_t i = 1; i < bases.size(); i++) {
        try {
            std::string path = checked_runtime_directory(bases[i]);
            if (access(path.c_str(), F_OK) == 0)
                others.push_back(std::move(path));
        } catch (const LauncherError&) {
            // It is not ours, so none of our VMs are in it.
        }
    }
    return others;
}

std::string current_directory() {
    std::error_code error;
    std::string directory = std::filesystem::current_path(error).string();
    if (error)
        throw LauncherError("the current directory: " + error.message() +
                            "; change to one that is there: cd");
    return directory;
}

std::string absolute_path(const std::string& path) {
    return path.starts_with('/') ? path : current_directory() + "/" + path;
}

}  // namespace tapgate
