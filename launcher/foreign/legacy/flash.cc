// SPDX-License-Identifier: GPL-2.0-or-later
//
// Firmware: in flash memory, or from -bios.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

void keep_flash(LegacyParts& parts, const LegacyDrive& drive) {
    Properties properties = drive.properties;
    properties.set("if", "pflash");
    properties.set("file", parts.machine.absolute(properties.get("file")));
    if (properties.get("format").empty())
        properties.set("format", format_by_name(properties.get("file")).first);
    parts.result.keep(drive.was, {"-drive", properties.str()}, "the guest's firmware");
}

void translate_bios(LegacyParts& parts, const LegacyOption& option) {
    const FirmwareKind kind = firmware_kind(option.value);
    if (kind == FirmwareKind::other) {
        const bool own = is_rom_of_qemu(option.value);
        parts.result.keep(option.text,
                          {"-bios", own ? option.value : parts.machine.absolute(option.value)},
                          "the guest's firmware");
        return;
    }
    const bool secure = kind == FirmwareKind::uefi_secure && parts.machine.q35;
    parts.set(option.text, "firmware", secure ? "uefi-secure" : "uefi",
              "the firmware of this host, with new variables");
}

// The guest's variables: a file or a block device, or the beginning of one (size=).
void find_variables(Translation& result, const LegacyDrive& flash, const std::string& path) {
    const Properties& said = flash.properties;
    const auto format = image_format(said.get("format"));
    const auto size = parse_whole<std::uint64_t>(said.get("size"));
    const bool is_begun = said.has("offset") && said.get("offset") != "0";
    if (!path.starts_with('/') || is_begun || (said.has("size") && !size))
        return;
    if (format != ImageFormat::raw && (format != ImageFormat::qcow2 || size))
        return;
    result.variables = path;
    result.variables_format = *format;
    result.variables_size = size.value_or(0);
}

// With firmware in flash memory, QEMU does not even open the file of -bios.
void translate_bioses(LegacyParts& parts, bool has_flash) {
    for (const LegacyOption& option : parts.bios) {
        if (has_flash)
            parts.result.dropped(option.text, "QEMU uses the firmware in flash memory instead");
        else if (&option != &parts.bios.back())
            parts.result.dropped(option.text, "a later one replaces it");
        else
            translate_bios(parts, option);
    }
}

}  // namespace

void translate_flash(LegacyParts& parts) {
    std::vector<LegacyDrive> flash;
    auto& drives = parts.drives.drives;
    for (const LegacyDrive& drive : drives) {
        if (drive.properties.get("if") == "pflash")
            flash.push_back(drive);
    }
    std::erase_if(drives,
                  [](const LegacyDrive& drive) { return drive.properties.get("if") == "pflash"; });
    std::stable_sort(flash.begin(), flash.end(), [](const LegacyDrive& a, const LegacyDrive& b) {
        return a.properties.get("unit") < b.properties.get("unit");
    });
    for (const auto& [unit, name] : parts.drives.flash_nodes) {
        const NodeImage image = image_of_node(
            parts.drives.nodes, name, [&](const auto& group) { return has_limits(parts, group); });
        LegacyDrive drive{image.was, image.properties};
        drive.properties.set("file", image.path);
        drive.properties.set("format", image.format);
        flash.push_back(std::move(drive));
    }
    translate_bioses(parts, !flash.empty());
    if (flash.empty())
        return;
    const FirmwareKind by_name = firmware_kind(flash[0].properties.get("file"));
    if (by_name == FirmwareKind::other && flash.size() == 1) {
        keep_flash(parts, flash[0]);
        return;
    }
    std::string was;
    for (const LegacyDrive& one : flash)
        was.append(was.empty() ? "" : " ").append(one.was);
    // Either setting alone is also used with firmware that was not built for it.
    const bool secure = by_name == FirmwareKind::uefi_secure || (parts.smm && parts.secure_flash);
    if (flash.size() > 1) {
        const std::string path = flash[1].properties.get("file");
        find_variables(parts.result, flash[1],
                       has_protocol(path) ? "" : parts.machine.absolute(path));
    }
    const std::string& variables = parts.result.variables;
    const std::string new_ones =
        "new variables: its boot menu is empty, so the guest boots from \\EFI\\BOOT until its "
        "entries are made again";
    std::string why =
        variables.empty()
            ? "the firmware of this host, with " + new_ones
            : "the firmware of this host; --create copies the guest's variables, such as what it "
              "boots, from " +
                  shown(variables) + "; where that cannot be read, it has " + new_ones;
    if (flash.size() > 1 && is_true(flash[1].properties.get("snapshot")))
        add_reason(why, "they are stored from one start to the next, in spite of snapshot=");
    if (secure && !parts.machine.q35)
        add_reason(why, "without Secure Boot, which machine pc does not have");
    else if (secure)
        add_reason(why,
                   std::string(variables.empty() ? "" : "with new ones, ") +
                       "a system that is not signed with Microsoft's keys needs firmware = uefi");
    parts.set(was, "firmware", secure && parts.machine.q35 ? "uefi-secure" : "uefi", why);
}

void take_bios(LegacyParts& parts, const LegacyOption& option) {
    parts.bios.push_back(option);
}

}  // namespace tapgate
