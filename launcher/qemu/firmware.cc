// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/firmware.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/unique_fd.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/vm/data_directory.h"

namespace tapgate {

namespace {

using Json = nlohmann::ordered_json;

// The descriptors by file name. Of files with the same name, the one in the first directory.
std::map<std::string, std::string> descriptors(const std::vector<std::string>& directories) {
    std::map<std::string, std::string> found;
    for (const std::string& directory : directories) {
        for (const std::filesystem::path& entry : entries_of(directory)) {
            const std::string file = entry.filename().string();
            if (file.ends_with(".json"))
                found.emplace(file, entry.string());
        }
    }
    return found;
}

bool contains(const Json& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

bool fits_machine(const Json& targets, const MachineType& machine) {
    // A machine's alias stands for one of its versions.
    const std::string type = machine.str() == "q35"  ? "pc-q35-current"
                             : machine.str() == "pc" ? "pc-i440fx-current"
                                                     : machine.str();
    return std::any_of(targets.begin(), targets.end(), [&](const Json& target) {
        const Json& machines = target.at("machines");
        return target.at("architecture") == "x86_64" &&
               std::any_of(machines.begin(), machines.end(), [&](const Json& pattern) {
                   return fnmatch(pattern.get<std::string>().c_str(), type.c_str(), 0) == 0;
               });
    });
}

std::optional<FirmwareFile> readable(const Json& file) {
    const auto format = image_format(file.at("format").get<std::string>());
    FirmwareFile result{file.at("filename"), format.value_or(ImageFormat::raw)};
    if (!format || access(result.path.c_str(), R_OK) != 0)
        return std::nullopt;
    return result;
}

// The firmware of the descriptor if it fits the VM. Throws Json::exception for a malformed one.
std::optional<UefiFiles> fitting(const Json& descriptor, const VmSpec& spec) {
    const Json& features = descriptor.at("features");
    const Json& mapping = descriptor.at("mapping");
    const bool secure = spec.firmware == Firmware::uefi_secure;
    // Secure Boot without keys would have nothing to check against.
    const bool has_keys = contains(features, "secure-boot") && contains(features, "enrolled-keys");
    const bool needs_smm = contains(features, "requires-smm");
    if (!contains(descriptor.at("interface-types"), "uefi") || mapping.at("device") != "flash" ||
        mapping.value("mode", "split") != "split" ||
        !fits_machine(descriptor.at("targets"), spec.machine) ||
        (secure ? !has_keys : needs_smm || has_keys))
        return std::nullopt;
    auto code = readable(mapping.at("executable"));
    auto variables = readable(mapping.at("nvram-template"));
    if (!code || !variables)
        return std::nullopt;
    return UefiFiles{.code = std::move(*code),
                     .variables_template = std::move(*variables),
                     .variables = uefi_variables_path(spec.name, spec.firmware),
                     .needs_smm = needs_smm};
}

// OVMF of 2 MiB, which Debian (up to 12) and Ubuntu (up to 22.04) install without a descriptor. Old
// VMs have variables of 128 KiB for it, which the OVMF of 4 MiB cannot take.
std::optional<UefiFiles> small_ovmf(const VmSpec& spec) {
    const std::string directory = "/usr/share/OVMF/OVMF_";
    const bool secure = spec.firmware == Firmware::uefi_secure;
    UefiFiles files{.code = {directory + (secure ? "CODE.secboot.fd" : "CODE.fd")},
                    .variables_template = {directory + (secure ? "VARS.ms.fd" : "VARS.fd")},
                    .variables = uefi_variables_path(spec.name, spec.firmware),
                    .needs_smm = secure};
    const bool there = (!secure || spec.machine.is_q35()) &&
                       access(files.code.path.c_str(), R_OK) == 0 &&
                       access(files.variables_template.path.c_str(), R_OK) == 0;
    return there ? std::optional(std::move(files)) : std::nullopt;
}

// All that fit, the best first. Adds malformed descriptors to `broken`.
std::vector<UefiFiles> all_fitting(const VmSpec& spec, const std::vector<std::string>& directories,
                                   std::string& broken) {
    std::vector<UefiFiles> result;
    for (const auto& [file, path] : descriptors(directories)) {
        const std::string text = read_file(path).value_or("");
        // An empty file removes the distribution's descriptor of the same name.
        if (text.empty())
            continue;
        try {
            if (auto files = fitting(Json::parse(text), spec))
                result.push_back(std::move(*files));
        } catch (const Json::exception&) {
            broken += "; " + shown(path) + " is no descriptor of a firmware";
        }
    }
    return result;
}

// The firmware whose variables have the size of those that exist.
std::optional<UefiFiles> of_size(std::vector<UefiFiles> all, std::uint64_t size,
                                 const VmSpec& spec) {
    if (auto small = small_ovmf(spec))
        all.push_back(std::move(*small));
    const auto found = std::find_if(all.begin(), all.end(), [&](const UefiFiles& files) {
        return flash_size(files.variables_template) == size;
    });
    return found == all.end() ? std::nullopt : std::optional(std::move(*found));
}

std::string of_another_size(std::uint64_t size, const UefiFiles& files) {
    constexpr std::uint64_t kib = 1024;
    return "of " + std::to_string(size / kib) + " KiB, and the firmware of this host has " +
           std::to_string(flash_size(files.variables_template).value_or(0) / kib) + " (" +
           shown(files.variables_template.path) + ")";
}

LauncherError no_firmware(const VmSpec& spec, const std::vector<std::string>& directories,
                          const std::string& broken) {
    std::string where;
    for (const std::string& directory : directories)
        where.append(where.empty() ? "" : ", ").append(shown(directory));
    const bool secure = spec.firmware == Firmware::uefi_secure;
    return LauncherError(std::string("no UEFI firmware ") + (secure ? "with Secure Boot " : "") +
                         "for machine " + spec.machine.str() + " in " + where +
                         (secure && !spec.machine.is_q35()
                              ? "; it needs machine=q35"
                              : "; install the package ovmf (Fedora: edk2-ovmf), or use "
                                "firmware=bios") +
                         broken);
}

}  // namespace

std::optional<std::uint64_t> flash_size(const FirmwareFile& file, std::uint64_t offset) {
    const UniqueFd fd(open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return std::nullopt;
    if (file.format == ImageFormat::raw)
        return static_cast<std::uint64_t>(status.st_size) - offset;
    // Bytes 24 to 31 are the size, big-endian (docs/interop/qcow2.txt in QEMU's sources).
    std::array<unsigned char, 32> header{};
    constexpr std::array<unsigned char, 4> magic = {'Q', 'F', 'I', 0xfb};
    if (file.format != ImageFormat::qcow2 ||
        pread(fd.get(), header.data(), header.size(), static_cast<off_t>(offset)) !=
            static_cast<ssize_t>(header.size()) ||
        !std::equal(magic.begin(), magic.end(), header.begin()))
        return std::nullopt;
    return std::accumulate(header.begin() + 24, header.end(), std::uint64_t{0},
                           [](std::uint64_t sum, unsigned char byte) { return sum << 8U | byte; });
}

std::vector<std::string> firmware_directories() {
    const std::string own = config_directory();
    return {own.substr(0, own.rfind('/')) + "/qemu/firmware", "/etc/qemu/firmware",
            "/usr/share/qemu/firmware"};
}

UefiFiles find_uefi(const VmSpec& spec, const std::vector<std::string>& directories) {
    std::string broken;
    std::vector<UefiFiles> all = all_fitting(spec, directories, broken);
    const FirmwareFile variables{uefi_variables_path(spec.name, spec.firmware), ImageFormat::qcow2};
    const auto size = flash_size(variables);
    if (size)
        if (auto files = of_size(all, *size, spec))
            return std::move(*files);
    if (all.empty())
        throw no_firmware(spec, directories, broken);
    if (size)
        throw LauncherError("its UEFI variables " + shown(variables.path) + " are " +
                            of_another_size(*size, all.front()) +
                            ": move them away, and the VM begins with new ones, without the "
                            "boot entries and keys that are in them");
    return std::move(all.front());
}

std::string why_not_these_variables(const VmSpec& spec, std::uint64_t size,
                                    const std::vector<std::string>& directories) {
    std::string broken;
    const std::vector<UefiFiles> all = all_fitting(spec, directories, broken);
    return all.empty() || of_size(all, size, spec) ? std::string()
                                                   : of_another_size(size, all.front());
}

std::string uefi_variables_path(const VmName& name, Firmware firmware) {
    if (firmware == Firmware::bios)
        return {};
    return vm_data_directory(name) + "/" +
           (firmware == Firmware::uefi_secure ? "uefi-secure" : "uefi") + "-variables.qcow2";
}

void make_uefi_variables(const UefiFiles& files) {
    const std::string& path = files.variables;
    if (exists(path))
        return;
    make_private_directory(path.substr(0, path.rfind('/')));
    const HeldSignals signals;
    const UnfinishedFile unfinished(path);
    make_target(unfinished.path());
    const ProgramResult made = run_qemu_img(
        {"convert", "-f", std::string(name_of(files.variables_template.format)), "-O", "qcow2",
         files.variables_template.path, unfinished.path()},
        FileAccess{
            .read = {files.variables_template.path}, .parts = {}, .write = {unfinished.path()}});
    if (made.exit_code != 0)
        throw LauncherError("cannot make the UEFI variables " + shown(path) + ": " +
                            terminal_text(made.errors));
    unfinished.finish();
}

}  // namespace tapgate
