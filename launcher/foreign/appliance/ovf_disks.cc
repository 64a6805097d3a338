// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_disks.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string_view>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/translation/translation.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

constexpr double largest_disk = 0x1p46;  // 64 TiB

// "my%20disk.vmdk" as "my disk.vmdk", since file names are URIs.
std::string without_escapes(const std::string& uri) {
    std::string name;
    for (size_t i = 0; i < uri.size(); i++) {
        unsigned char byte = 0;
        const char* const digits = uri.data() + i + 1;
        if (uri[i] == '%' && i + 2 < uri.size() &&
            std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
            name += static_cast<char>(byte);
            i += 2;
        } else {
            name += uri[i];
        }
    }
    return name;
}

// The file's name, relative to the descriptor; empty if the file is elsewhere.
std::string file_below(std::string name) {
    constexpr std::string_view scheme = "file:///";
    if (name.starts_with(scheme))
        name.erase(0, scheme.size());
    while (name.starts_with("./"))
        name.erase(0, 2);
    if (name.empty() || name.starts_with('/') || name.find_first_of("\\:") != std::string::npos ||
        std::any_of(name.begin(), name.end(),
                    [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }))
        return {};
    const std::string around = "/" + name + "/";
    return around.find("/../") == std::string::npos && around.find("/./") == std::string::npos &&
                   around.find("//") == std::string::npos
               ? name
               : std::string();
}

// By the file's name, oVirt's words for the format, or the address of the format's description.
ImageFormat format_of(std::string_view file, const pugi::xml_node& disk) {
    const auto [by_name, known] = format_by_name(file);
    if (known)
        return image_format(by_name).value_or(ImageFormat::vmdk);
    const std::string volume = attribute_of(disk, "volume-format");
    if (!volume.empty())
        return volume == "RAW" ? ImageFormat::raw : ImageFormat::qcow2;
    const std::string format = attribute_of(disk, "format");
    constexpr Choice<ImageFormat> words[] = {{"qcow", ImageFormat::qcow2},
                                             {"vmdk", ImageFormat::vmdk},
                                             {"vdi", ImageFormat::vdi},
                                             {"vhdx", ImageFormat::vhdx},
                                             {"vhd", ImageFormat::vpc}};
    for (const auto& one : words) {
        if (format.find(one.name) != std::string::npos)
            return one.value;
    }
    return file.ends_with(".img") ? ImageFormat::raw : ImageFormat::vmdk;
}

// A disk has whole sectors.
std::uint64_t in_sectors(double bytes) {
    constexpr std::uint64_t sector = 512;
    return (static_cast<std::uint64_t>(bytes) + sector - 1) / sector * sector;
}

// The bus on which oVirt's guest found the disk.
DiskBus bus_of(const std::string& interface) {
    return interface == "VirtIO"        ? DiskBus::virtio
           : interface == "VirtIO_SCSI" ? DiskBus::scsi
                                        : DiskBus::sata;
}

void add_left(std::string& left, const std::string& more) {
    left += (left.empty() || more.empty() ? "" : ", ") + more;
}

// What an element says besides the attributes that tapgate reads or that mean nothing here.
std::string left_of(const pugi::xml_node& element, std::initializer_list<std::string_view> known) {
    std::string left;
    for (const pugi::xml_attribute& attribute : element.attributes()) {
        const std::string name(local_name(attribute.name()));
        const std::string value = attribute.value();
        if (!std::string_view(attribute.name()).starts_with("xmlns") && !value.empty() &&
            in_small_letters(value) != "false" && !is_one_of(name, known))
            add_left(left, name + "=" + value);
    }
    add_left(left, contents_of(element));
    return left;
}

// The disk, with what oVirt says about it in its element.
ApplianceDisk as_said(const pugi::xml_node& element, ApplianceDisk disk) {
    disk.interface = attribute_of(element, "disk-interface");
    disk.bus = bus_of(disk.interface);
    disk.is_first = in_small_letters(attribute_of(element, "boot")) == "true";
    add_left(disk.left,
             left_of(element,
                     {"diskId", "fileRef", "parentRef", "capacity", "capacityAllocationUnits",
                      "populatedSize", "format", "required", "uuid", "boot", "size", "actual_size",
                      "disk-interface", "volume-format", "volume-type", "vm_snapshot_id"}));
    return disk;
}

// "ovf:/disk/ID"
std::string id_of(const std::string& resource) {
    return resource.substr(resource.rfind('/') + 1);
}

// The property's value, or the one for `configuration` if there is one.
std::string value_of(const pugi::xml_node& property, const std::string& configuration) {
    std::string value = attribute_of(property, "value");
    if (value.empty())
        value = attribute_of(property, "defaultValue");
    for (const pugi::xml_node& one : property.children()) {
        if (local_name(one.name()) == "Value" && !configuration.empty() &&
            attribute_of(one, "configuration") == configuration)
            value = attribute_of(one, "value");
    }
    return value;
}

}  // namespace

void OvfDisks::read_properties(const pugi::xml_node& system, const std::string& configuration) {
    // From the inside out, as the value nearest to the VM counts.
    for (pugi::xml_node around = system; around; around = around.parent()) {
        for (const pugi::xml_node& section : around.children()) {
            if (ovf_name(section) != "ProductSection")
                continue;
            std::string product = attribute_of(section, "class");
            product += product.empty() ? "" : ".";
            std::string instance = attribute_of(section, "instance");
            instance.insert(0, instance.empty() ? "" : ".");
            for (const pugi::xml_node& one : section.children()) {
                if (local_name(one.name()) != "Property")
                    continue;
                const std::string key = attribute_of(one, "key");
                const std::string value = value_of(one, configuration);
                properties_.emplace(key, value);
                // The name by which other sections refer to it (DMTF DSP0243, 9.5.1).
                properties_.emplace(product + key + instance, value);
            }
        }
    }
}

std::string OvfDisks::resolved(const std::string& text, const std::string& way_out) const {
    if (!text.starts_with("${") || !text.ends_with('}'))
        return text;
    const auto found = properties_.find(text.substr(2, text.size() - 3));
    if (found == properties_.end() || found->second.empty())
        throw LauncherError(
            source_ + ": " + quoted_word(text) +
            " has no value: give its <Property> one in the descriptor (ovf:value=)" + way_out);
    return found->second;
}

void OvfDisks::read_files(const pugi::xml_node& envelope) {
    const pugi::xml_node inner = envelope.find_node([&](const pugi::xml_node& node) {
        return is_one_of(ovf_name(node), {"References", "DiskSection"}) &&
               node.parent() != envelope;
    });
    if (inner)
        misplaced_ = ": its " + shown(tag_of(inner)) + " is inside of " +
                     shown(tag_of(inner.parent())) + ", but belongs directly in <Envelope>";
    // Some descriptors have a section for each file and disk.
    for (const pugi::xml_node& section : envelope.children()) {
        if (ovf_name(section) == "References")
            read_references(section);
        if (ovf_name(section) == "DiskSection")
            read_disks(section);
    }
}

void OvfDisks::read_references(const pugi::xml_node& section) {
    for (const pugi::xml_node& node : section.children()) {
        if (local_name(node.name()) != "File")
            continue;
        const std::string compression = attribute_of(node, "compression");
        File file;
        file.href = attribute_of(node, "href");
        file.name = file_below(without_escapes(file.href));
        file.escaped = file_below(file.href);
        file.is_gzip = compression == "gzip" || file.name.ends_with(".gz");
        file.piece_size = parse_whole<std::uint64_t>(attribute_of(node, "chunkSize")).value_or(0);
        file.size = parse_whole<std::uint64_t>(attribute_of(node, "size")).value_or(0);
        file.left =
            left_of(node, {"id", "href", "size", "compression", "chunkSize", "disk_storage_type"});
        if (!compression.empty() && compression != "identity" && compression != "gzip")
            file.unusable =
                "is compressed in a way that tapgate cannot unpack: " + shown(compression);
        else if (file.name.empty())
            file.unusable =
                "is not a file beside the descriptor: put it there, and let href= in the "
                "descriptor be its name alone";
        const std::string id = attribute_of(node, "id");
        if (!files_.emplace(id, std::move(file)).second && !id.empty())
            throw LauncherError(source_ + ": two files have the id " + quoted_word(id));
    }
}

void OvfDisks::read_disks(const pugi::xml_node& section) {
    for (const pugi::xml_node& disk : section.children()) {
        if (local_name(disk.name()) != "Disk")
            continue;
        const std::string id = attribute_of(disk, "diskId");
        if (!disks_.emplace(id, disk).second && !id.empty())
            throw LauncherError(source_ + ": two disks have the id " + quoted_word(id));
    }
}

std::map<std::string, OvfDisks::File>::const_iterator OvfDisks::file_of(
    const std::string& id) const {
    const auto found = files_.find(id);
    if (found != files_.end())
        return found;
    return std::find_if(files_.begin(), files_.end(),
                        [&](const auto& file) { return !id.empty() && file.second.href == id; });
}

std::map<std::string, pugi::xml_node>::const_iterator OvfDisks::disk_of(
    const std::string& id) const {
    const auto found = disks_.find(id);
    if (found != disks_.end())
        return found;
    return std::find_if(disks_.begin(), disks_.end(), [&](const auto& disk) {
        return !id.empty() && attribute_of(disk.second, "fileRef") == id;
    });
}

std::map<std::string, OvfDisks::File>::const_iterator OvfDisks::file_for(
    const pugi::xml_node& element) const {
    const std::string file = attribute_of(element, "fileRef");
    if (!file.empty())
        return file_of(file);
    // Some descriptors name the file only by the disk's own id.
    const std::string id = attribute_of(element, "diskId");
    const bool is_anothers = std::any_of(disks_.begin(), disks_.end(), [&](const auto& disk) {
        return attribute_of(disk.second, "fileRef") == id;
    });
    return is_anothers || id.empty() ? files_.end() : files_.find(id);
}

ApplianceDisk OvfDisks::disk(const std::string& resource, const std::string& was) {
    if (resource.empty())
        throw LauncherError(source_ + ": " + shown(was) +
                            ": the disk has neither a file nor a size: give it a size in the "
                            "descriptor (rasd:VirtualQuantity), or remove the item");
    const std::string id = id_of(resource);
    const auto disk = disk_of(id);
    const pugi::xml_node element = disk == disks_.end() ? pugi::xml_node() : disk->second;
    if (element)
        taken_disks_.insert(disk->first);
    if (!attribute_of(element, "parentRef").empty())
        throw LauncherError(source_ + ": " + shown(tag_of(element)) +
                            ": this disk is only the changes to another one (parentRef), which "
                            "tapgate does not put together: export the VM anew with whole disks, "
                            "from a full clone or after its snapshots are deleted");
    const auto file = element ? file_for(element) : file_of(id);
    const bool names_file = !element || !attribute_of(element, "fileRef").empty();
    if (file == files_.end() && !names_file)
        return as_said(element, blank_disk_of(element));
    if (file == files_.end())
        throw LauncherError(source_ + ": " + shown(was) + ": the descriptor names no file for " +
                            quoted_word(resource) + misplaced_);
    if (!file->second.unusable.empty())
        throw LauncherError(source_ + ": " + quoted_word(file->second.href) + " " +
                            file->second.unusable);
    taken_files_.insert(file->first);
    std::string name = file->second.name;
    if (file->second.is_gzip && name.ends_with(".gz"))
        name.erase(name.size() - 3);
    // oVirt's sizes of files are those of disks.
    const bool is_of_ovirt = !attribute_of(element, "volume-format").empty();
    ApplianceDisk result = as_said(
        element, {.file = file->second.name,
                  .escaped = file->second.escaped == file->second.name ? "" : file->second.escaped,
                  .format = format_of(name, element),
                  .compressed = file->second.is_gzip,
                  .capacity = capacity_of(element),
                  .left = file->second.left,
                  .piece_size = file->second.piece_size,
                  .file_size = is_of_ovirt ? 0 : file->second.size});
    result.is_by_id = !names_file;
    if (const std::string capacity = attribute_of(element, "capacity");
        !capacity.empty() && result.capacity == 0)
        add_left(result.left, "capacity=" + capacity + " (not a disk size)");
    return result;
}

std::uint64_t OvfDisks::capacity_of(const pugi::xml_node& element) const {
    const std::string units = attribute_of(element, "capacityAllocationUnits");
    const auto unit = units.empty() ? std::optional(1.0) : ovf_unit(units);
    const auto number = ovf_number(resolved(attribute_of(element, "capacity")));
    const double bytes = number.value_or(0) * unit.value_or(0);
    return bytes <= largest_disk ? in_sectors(bytes) : 0;
}

std::string OvfDisks::file_in_drive(const std::string& resource) {
    const std::string id = id_of(resource);
    const auto disk = disk_of(id);
    const auto file = disk == disks_.end() ? file_of(id) : file_for(disk->second);
    if (disk != disks_.end())
        taken_disks_.insert(disk->first);
    if (file != files_.end())
        taken_files_.insert(file->first);
    return file == files_.end() ? resource : file->second.href;
}

// oVirt counts whole GiB, in an attribute of its own.
ApplianceDisk OvfDisks::blank_disk_of(const pugi::xml_node& element) const {
    const std::string capacity = attribute_of(element, "capacity");
    return capacity.empty() ? blank_disk(attribute_of(element, "size"), "GB", tag_of(element))
                            : blank_disk(capacity, attribute_of(element, "capacityAllocationUnits"),
                                         tag_of(element));
}

std::vector<std::string> OvfDisks::unused() const {
    std::vector<std::string> tags;
    for (const auto& [id, file] : files_) {
        if (!taken_files_.contains(id))
            tags.push_back("<File href='" + file.href + "'>");
    }
    for (const auto& [id, disk] : disks_) {
        if (!taken_disks_.contains(id))
            tags.push_back(tag_of(disk));
    }
    return tags;
}

ApplianceDisk OvfDisks::blank_disk(const std::string& size, const std::string& units,
                                   const std::string& was) const {
    const auto unit = units.empty() ? std::optional(1.0) : ovf_unit(units);
    const std::string capacity = resolved(size);
    const double bytes = unit ? ovf_number(capacity).value_or(0) * *unit : 0;
    if (bytes < 1 || bytes > largest_disk)
        throw LauncherError(source_ + ": " + shown(was) + ": not a disk size");
    return {.file = "", .capacity = in_sectors(bytes)};
}

}  // namespace tapgate
