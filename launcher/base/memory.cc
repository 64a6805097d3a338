// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "launcher/base/files.h"

namespace tapgate {

namespace {

std::optional<std::uint64_t> number_in(const std::string& text) {
    std::uint64_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && stop != text.data() ? std::optional(number) : std::nullopt;
}

// The number after `key` in a file of lines "KEY NUMBER" or "KEY: NUMBER kB".
std::uint64_t number_behind(const std::string& path, const std::string& key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string word;
        std::string value;
        words >> word >> value;
        if (word == key || word == key + ":")
            return number_in(value).value_or(0);
    }
    return 0;
}

// The names of files in the two versions of cgroups.
struct Names {
    const char* limit;
    const char* usage;
    const char* inactive;  // in memory.stat: pages of files, which the kernel can free at once
    const char* kills;     // the file that has "oom_kill N"
};
constexpr Names version1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
                            "memory.oom_control"};
constexpr Names version2 = {"memory.max", "memory.current", "inactive_file", "memory.events"};

struct Group {
    std::string path;
    const Names* names;
};

// The cgroup of this process, and those above it.
std::vector<Group> groups(const std::string& root) {
    std::vector<Group> all;
    std::ifstream file(root + "/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        // "N:CONTROLLER,...:PATH"; of version 2 there is one, "0::PATH".
        const size_t first = line.find(':');
        const size_t second = line.find(':', std::min(first + 1, line.size()));
        if (first == std::string::npos || second == std::string::npos)
            continue;
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        const bool is_second = controllers == ",,";
        if (!is_second && controllers.find(",memory,") == std::string::npos)
            continue;
        const Names& names = is_second ? version2 : version1;
        const std::string mount = root + (is_second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory");
        // What is above the root of a cgroup namespace cannot be read.
        std::string path = line.substr(second + 1);
        while (path.starts_with("/.."))
            path.erase(0, 3);
        for (;;) {
            all.push_back({mount + (path == "/" ? "" : path), &names});
            if (path.empty() || path == "/")
                break;
            path.resize(path.rfind('/'));
        }
    }
    return all;
}

}  // namespace

Memory memory(const std::string& root) {
    constexpr std::uint64_t kibibyte = 1024;
    constexpr std::uint64_t mebibyte = 1024 * kibibyte;
    Memory result;
    result.available = number_behind(root + "/proc/meminfo", "MemAvailable") / kibibyte;
    const std::uint64_t total = number_behind(root + "/proc/meminfo", "MemTotal") / kibibyte;
    for (const Group& group : groups(root)) {
        const std::string directory = group.path + "/";
        // "max" or an empty file means no limit; so does version 1's number beyond all memory.
        const auto limit = number_in(first_word(directory + group.names->limit));
        if (!limit || (total != 0 && *limit / mebibyte >= total))
            continue;
        const std::uint64_t usage =
            number_in(first_word(directory + group.names->usage)).value_or(0);
        const std::uint64_t inactive =
            number_behind(directory + "memory.stat", group.names->inactive);
        const std::uint64_t taken = usage - std::min(usage, inactive);
        result.available =
            std::min(result.available, (*limit - std::min(*limit, taken)) / mebibyte);
        if (result.limit == 0 || *limit / mebibyte < result.limit)
            result.limit = *limit / mebibyte;
    }
    return result;
}

std::uint64_t memory_kills(const std::string& root) {
    std::uint64_t kills = 0;
    for (const Group& group : groups(root))
        kills = std::max(kills, number_behind(group.path + "/" + group.names->kills, "oom_kill"));
    return kills;
}

}  // namespace tapgate
