// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/autostart_link.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "launcher/base/directories.h"
#include "launcher/base/files.h"

namespace tapgate {

namespace {

constexpr std::string_view unit_prefix = "tapgate@";
constexpr std::string_view unit_ending = ".service";

std::string wants_directory() {
    const std::string config = config_directory();
    return config.substr(0, config.rfind('/')) + "/systemd/user/default.target.wants";
}

}  // namespace

std::string autostart_link(const VmName& name) {
    return wants_directory() + "/" + std::string(unit_prefix) + name.str() +
           std::string(unit_ending);
}

bool starts_by_itself(const VmName& name) {
    std::error_code none;
    return std::filesystem::is_symlink(autostart_link(name), none);
}

std::vector<std::string> self_starting_vms() {
    std::vector<std::string> names;
    for (const std::filesystem::path& entry : entries_of(wants_directory())) {
        const std::string file = entry.filename().string();
        if (!file.starts_with(unit_prefix) || !file.ends_with(unit_ending))
            continue;
        const auto name = VmName::parse(
            file.substr(unit_prefix.size(), file.size() - unit_prefix.size() - unit_ending.size()));
        if (name && starts_by_itself(*name))
            names.push_back(name->str());
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace tapgate
