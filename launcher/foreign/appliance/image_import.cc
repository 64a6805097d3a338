// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/image_import.h"

#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "launcher/base/block_device.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/foreign/appliance/image_conversion.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/vmdk_descriptor.h"

namespace tapgate {

namespace {

using std::chrono::minutes;

// The image as qemu-img's --image-opts, which allows only the drivers that are named here.
std::string image_options(const SourceImage& image) {
    std::string text = "driver=" + std::string(name_of(image.format));
    std::string file = "file.";
    if (image.size > 0) {
        // QEMU's raw driver takes whole sectors, and a blank qcow2 has no whole one at its end.
        // tar(5) fills up a member's last sector with zeroes.
        constexpr std::uint64_t sector = 512;
        const std::uint64_t whole = (image.size + sector - 1) / sector * sector;
        text += ",file.driver=raw,file.offset=" + std::to_string(image.offset) +
                ",file.size=" + std::to_string(whole);
        file = "file.file.";
    }
    const std::string driver = is_block_device(image.path) ? "host_device" : "file";
    return text + "," + file + "driver=" + driver + "," + file +
           "filename=" + commas_doubled(image.path);
}

nlohmann::json qemu_img_json(const std::vector<std::string>& words, const FileAccess& files,
                             const std::string& what) {
    const ProgramResult result = run_qemu_img(words, files, minutes(5));
    if (result.exit_code != 0)
        throw LauncherError(shown(what) + ": " + terminal_text(result.errors));
    auto json = nlohmann::json::parse(result.output, nullptr, false);
    if (!json.is_object())
        throw LauncherError("qemu-img gave an unexpected answer about " + shown(what));
    return json;
}

void check_space(const SourceImage& image, const FileAccess& files, const std::string& directory) {
    const auto json = qemu_img_json(
        {"measure", "--output=json", "-O", "qcow2", "--image-opts", image_options(image)}, files,
        image.path);
    const std::uint64_t needed = json.value("required", std::uint64_t{0});
    require_room(needed, directory, image.path);
}

// Throws if qemu-img finds the image damaged.
void check_structure(const SourceImage& image, const FileAccess& files, const std::string& what) {
    constexpr int only_leaks = 3;     // lost space, which harms nobody
    constexpr int cannot_check = 63;  // a format that has nothing to check
    const ProgramResult result =
        run_qemu_img({"check", "-q", "--image-opts", image_options(image)}, files, minutes(30));
    if (result.exit_code != 0 && result.exit_code != only_leaks && result.exit_code != cannot_check)
        throw LauncherError(what + ": " + terminal_text(result.errors + result.output) +
                            image.doubt);
}

// Throws if the image has data behind the end of its file, which would be zeros. qemu-img check
// finds that only for whole clusters. Compressed data give no place, but do not unpack either.
void check_end(const SourceImage& image, const FileAccess& files, const std::string& what) {
    const ProgramResult result = run_qemu_img(
        {"map", "--output=json", "--image-opts", image_options(image)}, files, minutes(30));
    const std::uint64_t size = image.size > 0 ? image.size : std::filesystem::file_size(image.path);
    for (const auto& part : nlohmann::json::parse(result.output, nullptr, false)) {
        if (part.is_object() && part.value("data", false) && part.contains("offset") &&
            part.value("offset", std::uint64_t{0}) + part.value("length", std::uint64_t{0}) > size)
            throw LauncherError(what + ": a part of its data is missing" + image.doubt);
    }
}

// The path of the image to make; throws if there is one already.
std::string free_target(const std::string& directory, const std::string& name) {
    std::string target = directory + "/" + name;
    if (exists(target))
        throw LauncherError(shown(target) +
                            " is there already, from an earlier VM of this name or from an import "
                            "that was killed; move it away, or take another name");
    return target;
}

void refuse_part(const SourceImage& image, const Qcow2Names& names) {
    if (!names.backing.empty() || names.has_data_file)
        throw LauncherError(
            shown(image.path) + " is not a whole image: its " +
            (names.backing.empty() ? "data are in another file"
                                   : "backing file is " + quoted_word(names.backing)) +
            "; make it a whole image where it comes from, with: qemu-img convert -O qcow2");
}

}  // namespace

std::vector<std::string> check_source_image(const SourceImage& image) {
    // The beginning of a file or a device; a member of an archive is behind its header.
    const bool begins = image.format == ImageFormat::raw && image.offset == 0;
    if (image.size > 0 && !begins) {
        if (image.format == ImageFormat::vmdk)
            check_archived_vmdk(image.path, image.offset, image.size);
        else if (image.format == ImageFormat::qcow2)
            refuse_part(image, read_qcow2_names(image.path, image.offset));
        else
            throw LauncherError(
                shown(image.path) +
                ": of an archive only vmdk and qcow2 images can be read: unpack it (tar -xf), and "
                "import the .ovf");
        return {};
    }
    const auto path = HostPath::parse(image.path, "/");
    if (!path)
        throw LauncherError(shown(image.path) + ": the path is not UTF-8");
    const auto looks = format_by_content(image.path);
    if (image.format != ImageFormat::raw && looks != image.format)
        throw LauncherError(shown(image.path) + " is not a " + std::string(name_of(image.format)) +
                            " image" +
                            (looks ? ": it looks like " + std::string(name_of(*looks)) +
                                         "; if it is, add --format=" + std::string(name_of(*looks))
                                   : ", or it is damaged" + image.doubt));
    if (image.format == ImageFormat::vmdk)
        return check_vmdk_extents(image.path);
    if (image.format == ImageFormat::qcow2)
        refuse_part(image, read_qcow2_names(image.path));
    return {};
}

ImageImport::ImageImport(const std::string& directory) : directory_(directory) {
    make_private_directory(directory);
}

ImageImport::~ImageImport() {
    for (const std::string& path : imported_)
        unlink(path.c_str());
    // This fails, as it should, if something else is in it.
    rmdir(directory_.c_str());
}

void ImageImport::import(const SourceImage& image, const std::string& name,
                         const Progress& progress) {
    const std::string target = free_target(directory_, name);
    const FileAccess files{.read = {image.path}, .parts = check_source_image(image), .write = {}};
    const UnfinishedFile unfinished(target);
    // If the image was cut off, its missing part would be read as zeroes.
    check_structure(image, files, shown(image.path) + " is damaged");
    if (!image.doubt.empty() && files.parts.empty())
        check_end(image, files, shown(image.path) + " is damaged");
    check_space(image, files, directory_);
    convert_image({"-O", "qcow2", "--image-opts", image_options(image)}, files, unfinished,
                  signals_, progress, image.path);
    check_structure({.path = unfinished.path(), .format = ImageFormat::qcow2},
                    {.read = {unfinished.path()}, .parts = {}, .write = {}},
                    shown(image.path) + ": the image made from it is damaged");
    unfinished.finish();
    imported_.push_back(target);
    // Signals count up to here, after all that may take long; only a file is left to write.
    signals_.throw_if_any();
}

void ImageImport::make_blank(const std::string& name, std::uint64_t size) {
    const std::string target = free_target(directory_, name);
    const UnfinishedFile unfinished(target);
    const ProgramResult made = run_program(
        {"qemu-img", "create", "-q", "-f", "qcow2", unfinished.path(), std::to_string(size)});
    if (made.exit_code != 0)
        throw LauncherError("cannot make " + shown(target) + ": " + terminal_text(made.errors));
    signals_.throw_if_any();
    unfinished.finish();
    imported_.push_back(target);
}

std::uint64_t ImageImport::grow(const std::string& name, std::uint64_t size) {
    const std::string target = directory_ + "/" + name;
    const FileAccess files{.read = {}, .parts = {}, .write = {target}};
    const std::uint64_t before =
        qemu_img_json({"info", "--output=json", "-f", "qcow2", target}, files, target)
            .value("virtual-size", size);
    if (before >= size)
        return before;
    const ProgramResult grown = run_qemu_img(
        {"resize", "-q", "-f", "qcow2", target, std::to_string(size)}, files, minutes(5));
    if (grown.exit_code != 0)
        throw LauncherError("cannot make " + shown(target) +
                            " larger: " + terminal_text(grown.errors));
    signals_.throw_if_any();
    return before;
}

}  // namespace tapgate
