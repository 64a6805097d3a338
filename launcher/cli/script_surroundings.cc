// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/script_surroundings.h"

#include <pwd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"

namespace tapgate {

std::optional<std::string> readable_text(const std::string& path) {
    constexpr size_t most = 64UL * 1024;
    std::error_code unreadable;
    if (!path.starts_with('/') || !std::filesystem::is_regular_file(path, unreadable))
        return std::nullopt;
    try {
        return read_file(path, most);
    } catch (const LauncherError&) {
        return std::nullopt;
    }
}

std::optional<std::string> ScriptSurroundings::variable(const std::string& name) const {
    const char* const value =
        std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): one thread
    if (value == nullptr)
        return std::nullopt;
    // As a shell does when it starts.
    std::error_code elsewhere;
    if (name == "PWD" && !std::filesystem::equivalent(value, ".", elsewhere))
        return current_directory();
    return value;
}

std::optional<std::string> ScriptSurroundings::home_of(const std::string& user) const {
    const passwd* const found = getpwnam(user.c_str());  // NOLINT(concurrency-mt-unsafe)
    return found == nullptr ? std::nullopt : std::optional<std::string>(found->pw_dir);
}

std::optional<unsigned> ScriptSurroundings::processors() const {
    return std::thread::hardware_concurrency();
}

std::optional<bool> ScriptSurroundings::exists(const std::string& path) const {
    std::error_code unreadable;
    return std::filesystem::exists(path, unreadable);
}

}  // namespace tapgate
