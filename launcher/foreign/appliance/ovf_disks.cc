// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_disks.h"

#include <string_view>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/translation/translation.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// The file's name, below the descriptor; empty: it is elsewhere.
std::string file_below(std::string name) {
    constexpr std::string_view scheme = "file:///";
    if (name.starts_with(scheme))
        name.erase(0, scheme.size());
    while (name.starts_with("./"))
        name.erase(0, 2);
    if (name.empty() || name.starts_with('/') || name.find_first_of("\\:") != std::string::npos ||
        name.find('\0') != std::string::npos)
        return {};
    const std::string around = "/" + name + "/";
    return around.find("/../") == std::string::npos && around.find("/./") == std::string::npos &&
                   around.find("//") == std::string::npos
               ? name
               : std::string();
}

ImageFormat format_of(std::string_view file, std::string_view format) {
    const auto [by_name, known] = format_by_name(file);
    if (known)
        return image_format(by_name).value_or(ImageFormat::vmdk);
    for (const auto& one : image_formats) {
        if (one.name != "raw" && format.find(one.name) != std::string_view::npos)
            return one.value;
    }
    return file.ends_with(".img") ? ImageFormat::raw : ImageFormat::vmdk;
}

}  // namespace

void OvfDisks::read_properties(const pugi::xml_node& system) {
    for (const pugi::xml_node& section : system.children()) {
        if (ovf_name(section) != "ProductSection")
            continue;
        for (const pugi::xml_node& one : section.children()) {
            if (local_name(one.name()) == "Property")
                properties_[attribute_of(one, "key")] = attribute_of(one, "value");
        }
    }
}

std::string OvfDisks::resolved(const std::string& text) const {
    if (!text.starts_with("${") || !text.ends_with('}'))
        return text;
    const auto found = properties_.find(text.substr(2, text.size() - 3));
    return found == properties_.end() ? text : found->second;
}

void OvfDisks::read_files(const pugi::xml_node& envelope) {
    for (const pugi::xml_node& node : ovf_section(envelope, "References").children()) {
        const std::string compression = attribute_of(node, "compression");
        File file;
        file.href = attribute_of(node, "href");
        file.name = file_below(file.href);
        file.is_gzip = compression == "gzip" || file.name.ends_with(".gz");
        if (!attribute_of(node, "chunkSize").empty())
            file.unusable = "is in pieces: join them with cat";
        else if (!compression.empty() && compression != "identity" && compression != "gzip")
            file.unusable = "is compressed with " + shown(compression);
        else if (file.name.empty())
            file.unusable = "is no file beside the descriptor";
        files_[attribute_of(node, "id")] = std::move(file);
    }
    for (const pugi::xml_node& disk : ovf_section(envelope, "DiskSection").children()) {
        if (local_name(disk.name()) != "Disk")
            continue;
        if (!attribute_of(disk, "parentRef").empty())
            throw LauncherError(source_ + ": " + shown(tag_of(disk)) +
                                ": the disk has a parent; export the VM as a whole");
        disks_[attribute_of(disk, "diskId")] = disk;
    }
}

ApplianceDisk OvfDisks::disk(const std::string& resource, const std::string& was) {
    const std::string id = resource.substr(resource.rfind('/') + 1);
    const auto disk = disks_.find(id);
    taken_.insert(id);
    const std::string file_id = disk == disks_.end() ? id : attribute_of(disk->second, "fileRef");
    if (disk != disks_.end() && file_id.empty())
        return blank_disk(attribute_of(disk->second, "capacity"),
                          attribute_of(disk->second, "capacityAllocationUnits"),
                          tag_of(disk->second));
    const auto file = files_.find(file_id);
    if (file == files_.end())
        throw LauncherError(source_ + ": " + shown(was) + ": no file is said for " +
                            quoted_word(resource));
    if (!file->second.unusable.empty())
        throw LauncherError(source_ + ": " + quoted_word(file->second.href) + " " +
                            file->second.unusable);
    taken_.insert(file_id);
    std::string name = file->second.name;
    if (file->second.is_gzip && name.ends_with(".gz"))
        name.erase(name.size() - 3);
    const std::string format = disk == disks_.end() ? "" : attribute_of(disk->second, "format");
    return {.file = file->second.name,
            .format = format_of(name, format),
            .compressed = file->second.is_gzip};
}

std::vector<std::string> OvfDisks::unused() const {
    std::vector<std::string> tags;
    for (const auto& [id, file] : files_) {
        if (!taken_.contains(id))
            tags.push_back("<File href='" + file.href + "'>");
    }
    for (const auto& [id, disk] : disks_) {
        if (!taken_.contains(id))
            tags.push_back(tag_of(disk));
    }
    return tags;
}

ApplianceDisk OvfDisks::blank_disk(const std::string& size, const std::string& units,
                                   const std::string& was) const {
    const auto unit = units.empty() ? std::optional(1.0) : ovf_unit(units);
    const std::string capacity = resolved(size);
    constexpr double most = 0x1p46;  // 64 TiB
    const double bytes = unit ? static_cast<double>(leading_number(capacity)) * *unit : 0;
    if (bytes < 1 || bytes > most)
        throw LauncherError(source_ + ": " + shown(was) + ": no size of a disk");
    return {.file = "", .capacity = static_cast<std::uint64_t>(bytes)};
}

}  // namespace tapgate
