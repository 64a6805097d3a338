// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/operand.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/vm/file.h"
#include "launcher/vm/name.h"

namespace tapgate {

namespace {

constexpr std::string_view cdrom_ending = ".iso";
constexpr std::array<std::string_view, 9> image_endings = {
    ".qcow2", ".img", ".raw", ".vmdk", ".vdi", ".vhdx", ".vhd", ".vpc", cdrom_ending};

bool has_image_ending(const std::string& operand) {
    const std::string name = in_small_letters(operand);
    return std::any_of(image_endings.begin(), image_endings.end(),
                       [&](std::string_view ending) { return name.ends_with(ending); });
}

}  // namespace

bool is_image(const std::string& operand) {
    if (operand.find('/') != std::string::npos || operand.find(",format=") != std::string::npos)
        return true;
    if (!has_image_ending(operand))
        return false;
    const auto name = VmName::parse(operand);
    return !name || !has_vm_file(*name);
}

VmName name_of_image(const std::string& path) {
    std::string stem = path.substr(path.rfind('/') + 1);
    stem.resize(std::min(stem.find(",format="), stem.size()));
    if (has_image_ending(stem))
        stem.resize(stem.rfind('.'));
    auto name = VmName::parse(fitting_name(stem));
    if (!name)
        throw UsageError(quoted_word(path) +
                         " makes no name for a VM; tapgate create NAME --disk=" + shell_word(path) +
                         " gives it one");
    return std::move(*name);
}

Setting image_setting(const std::string& operand) {
    const std::string directory = current_directory();
    const auto absolute = [&](const std::string& path) {
        return path.starts_with('/') ? path : directory + "/" + path;
    };
    // A file of exactly that name, or one followed by properties.
    std::string path = absolute(operand);
    std::string value = commas_doubled(path);
    if (access(path.c_str(), F_OK) != 0 && operand.find(',') != std::string::npos) {
        std::vector<std::string> words = split_at_commas(operand);
        words[0] = path = absolute(words[0]);
        value = joined_by_commas(words);
    }
    if (operand.find("://") != std::string::npos)
        throw LauncherError(quoted_word(operand) +
                            ": an URL is https://, http:// or file://, and only `tapgate new NAME "
                            "--from=URL' takes one");
    if (access(path.c_str(), F_OK) != 0) {
        const int error = errno;
        throw LauncherError(shown(path) + ": " + errno_text(error) +
                            (error == ENOENT ? "; what is there: ls " +
                                                   shell_word(path.substr(0, path.rfind('/') + 1))
                                             : ""));
    }
    require_file(path);
    return command_line_setting(in_small_letters(path).ends_with(cdrom_ending) ? "cdrom" : "disk",
                                value, directory);
}

void refuse_bare_file(const CommandLine& command) {
    const std::string& operand = command.operands.at(0);
    std::error_code ignored;
    if (has_vm_file(command.vm_name()) || !std::filesystem::exists(operand, ignored) ||
        std::filesystem::is_directory(operand, ignored))
        return;
    std::vector<std::string> meant = command.operands;
    meant[0].insert(0, "./");
    throw LauncherError("no VM is called " + operand + "; the file of that name is meant by: " +
                        "tapgate " + std::string(command.verb->name) + " " + shell_text(meant));
}

VmDescription described_vm(const CommandLine& command) {
    const std::string& operand = command.operands.at(0);
    if (!is_image(operand)) {
        if (command.settings.empty())
            refuse_bare_file(command);
        return load_vm(command.vm_name(), command.settings);
    }
    std::vector<Setting> settings = {image_setting(operand)};
    settings.insert(settings.end(), command.settings.begin(), command.settings.end());
    return describe_unfiled_vm(name_of_image(operand), settings);
}

}  // namespace tapgate
