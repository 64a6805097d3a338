// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/foreign_variables.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "launcher/base/block_device.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/qemu/firmware.h"
#include "launcher/vm/data_directory.h"

namespace tapgate {

namespace {

void note_new_ones(Translation& translation, const std::string& why, const std::string& way_out) {
    translation.notes.push_back(
        {.kind = TranslationNote::Kind::dropped,
         .was = its_variables,
         .became = {},
         .why = why + "; it has new ones, without boot entries and keys: " + way_out});
}

std::optional<std::uint64_t> size_of(const SourceImage& variables) {
    if (variables.format == ImageFormat::raw && variables.size != 0)
        return variables.size;
    if (is_block_device(variables.path))
        return block_device_size(variables.path);
    return flash_size({variables.path, variables.format}, variables.offset);
}

constexpr const char* keeps_old_ones = "to keep the old ones, before the first start: `";

std::string conversion(ImageFormat format, const std::string& from, const VmSpec& spec) {
    return "(umask 077; mkdir -p " + shell_text({vm_data_directory(spec.name)}) +
           "; qemu-img convert -f " + std::string(name_of(format)) + " -O qcow2 " +
           shell_text({from, uefi_variables_path(spec.name, spec.firmware)}) + ")";
}

// How to get them from the host that they are on.
std::string way_to_bring(const Translation& translation, const VmSpec& spec) {
    const std::string from = shell_text({translation.variables});
    const std::string format(name_of(translation.variables_format));
    const std::string copy = "vars." + format;
    const std::string size = std::to_string(translation.variables_size);
    return keeps_old_ones + (translation.variables_size == 0 ? "cp " : "head -c " + size + " ") +
           from + (translation.variables_size == 0 ? " " : " >") + copy +
           "' where they are, and here `" + conversion(translation.variables_format, copy, spec) +
           "'";
}

}  // namespace

std::optional<SourceImage> fitting_variables(const SourceImage& variables, const VmSpec& spec,
                                             Translation& translation) {
    if (spec.firmware == Firmware::bios)
        return std::nullopt;
    const auto size = size_of(variables);
    const std::string why =
        size ? why_not_these_variables(spec, *size, firmware_directories()) : std::string();
    if (why.empty())
        return variables;
    note_new_ones(
        translation, "they are " + why,
        "a guest that does not boot now is found in the firmware's menu (Boot From File), "
        "as EFI/*/grubx64.efi or so");
    return std::nullopt;
}

std::optional<SourceImage> named_variables(Translation& translation, const VmSpec& spec) {
    const std::string& path = translation.variables;
    if (path.empty() || spec.firmware == Firmware::bios)
        return std::nullopt;
    if (access(path.c_str(), R_OK) != 0) {
        const std::string why = errno_text(errno);
        note_new_ones(translation, shown(path) + ": " + why, way_to_bring(translation, spec));
        return std::nullopt;
    }
    const SourceImage variables{.path = path,
                                .format = translation.variables_format,
                                .offset = 0,
                                .size = translation.variables_size};
    const auto whole = size_of({.path = path, .format = variables.format});
    if (whole && *whole >= variables.size) {
        auto fitting = fitting_variables(variables, spec, translation);
        if (!fitting)
            return std::nullopt;
        try {
            check_source_image(*fitting);
            return fitting;
        } catch (const LauncherError& error) {
            // Such as those of Proxmox' linked clones, which are based on others.
            note_new_ones(translation, error.what(),
                          keeps_old_ones + conversion(variables.format, path, spec) + "'");
            return std::nullopt;
        }
    }
    note_new_ones(translation,
                  shown(path) + " is no " + std::string(name_of(variables.format)) + " image",
                  way_to_bring(translation, spec));
    return std::nullopt;
}

}  // namespace tapgate
