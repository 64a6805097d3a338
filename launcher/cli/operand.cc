// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/operand.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/vm/file.h"
#include "launcher/vm/name.h"

namespace tapgate {

namespace {

constexpr std::string_view cdrom_ending = ".iso";
constexpr std::array<std::string_view, 9> image_endings = {
    ".qcow2", ".img", ".raw", ".vmdk", ".vdi", ".vhdx", ".vhd", ".vpc", cdrom_ending};

bool has_image_ending(std::string_view name) {
    return std::any_of(image_endings.begin(), image_endings.end(),
                       [&](std::string_view ending) { return name.ends_with(ending); });
}

}  // namespace

bool is_image(const std::string& operand) {
    if (operand.find('/') != std::string::npos)
        return true;
    if (!has_image_ending(operand))
        return false;
    const auto name = VmName::parse(operand);
    return !name || !has_vm_file(*name);
}

VmName name_of_image(const std::string& path) {
    std::string stem = path.substr(path.rfind('/') + 1);
    if (has_image_ending(stem))
        stem.resize(stem.rfind('.'));
    auto name = VmName::parse(fitting_name(stem));
    if (!name)
        throw UsageError(quoted_word(path) +
                         " makes no name for a VM; tapgate create NAME --disk=" + shown(path) +
                         " gives it one");
    return std::move(*name);
}

VmDescription described_vm(const CommandLine& command) {
    const std::string& operand = command.operands.at(0);
    if (!is_image(operand))
        return load_vm(command.vm_name(), command.settings);
    const std::string directory = current_directory();
    const std::string path = operand.front() == '/' ? operand : directory + "/" + operand;
    if (access(path.c_str(), F_OK) != 0)
        fail_with_errno(shown(path));
    std::vector<Setting> settings = {command_line_setting(
        operand.ends_with(cdrom_ending) ? "cdrom" : "disk", commas_doubled(path), directory)};
    settings.insert(settings.end(), command.settings.begin(), command.settings.end());
    return describe_unfiled_vm(name_of_image(operand), settings);
}

}  // namespace tapgate
