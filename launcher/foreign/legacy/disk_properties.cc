// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/legacy/disk_properties.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

// Properties that a guest sees in its disk, and would miss.
bool is_seen(const std::string& key, const std::string& value) {
    constexpr std::array<std::string_view, 18> seen = {"logical_block_size",
                                                       "physical_block_size",
                                                       "min_io_size",
                                                       "opt_io_size",
                                                       "discard_granularity",
                                                       "wwn",
                                                       "port_wwn",
                                                       "cyls",
                                                       "heads",
                                                       "secs",
                                                       "lcyls",
                                                       "lheads",
                                                       "lsecs",
                                                       "bios-chs-trans",
                                                       "vendor",
                                                       "product",
                                                       "model",
                                                       "ver"};
    constexpr std::array<std::string_view, 3> flags = {"share-rw", "removable", "rotation_rate"};
    const bool block = key == "logical_block_size" || key == "physical_block_size";
    return (is_one_of(key, seen) && !(block && value == "512")) ||
           (is_one_of(key, flags) && value != "off" && value != "0" && value != "false");
}

// Properties that say where a device is plugged in, which tapgate decides itself.
bool is_place(const std::string& key) {
    constexpr std::array<std::string_view, 11> places = {
        "driver",  "drive", "id",      "bus",           "addr", "unit",
        "scsi-id", "lun",   "channel", "multifunction", "port"};
    return is_one_of(key, places);
}

// Properties without which QEMU could not open an image that is kept.
bool is_for_opening(const std::string& key) {
    constexpr std::array<std::string_view, 5> plain = {"key-secret", "offset", "size", "backing",
                                                       "data-file"};
    constexpr std::array<std::string_view, 4> parts = {"file.", "encrypt.", "backing.",
                                                       "data-file."};
    return is_one_of(key, plain) ||
           std::any_of(parts.begin(), parts.end(),
                       [&](std::string_view part) { return key.starts_with(part); });
}

std::string cache_of(Properties& properties, const std::string& write_cache) {
    const auto mode = properties.take("cache");
    const bool direct = is_true(properties.take("cache.direct").value_or(""));
    const bool unsafe = is_true(properties.take("cache.no-flush").value_or(""));
    const std::string back = properties.take("cache.writeback").value_or(write_cache);
    const bool through = back == "off" || back == "false";
    if (mode && *mode == "off")
        return "none";
    if (mode && *mode != "default")
        return *mode;
    if (unsafe)
        return "unsafe";
    return direct ? (through ? "directsync" : "none") : through ? "writethrough" : "";
}

// Removes properties that do what disk= does anyway, or no more than that.
void take_ours(Properties& properties) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 7> ours = {
        {{"auto-read-only", "on"},
         {"auto-read-only", "off"},
         {"detect-zeroes", "off"},
         {"detect-zeroes", "unmap"},
         {"aio", "threads"},
         {"locking", "auto"},
         {"locking", "on"}}};
    for (const auto& [key, value] : ours) {
        if (properties.get(key) == value)
            properties.take(key);
    }
}

// What the drive says about writing; empty if nothing, or no more than QEMU does anyway.
std::string about_writing(const Properties& properties) {
    std::vector<Properties::Property> said;
    for (const char* const key : {"discard", "detect-zeroes"}) {
        const std::string value = properties.get(key);
        constexpr std::array<std::string_view, 4> defaults = {"", "off", "ignore", "unset"};
        // libvirt gives each storage node discard=unmap, with auto-read-only.
        const bool usual = std::string_view(key) == "discard" && properties.has("auto-read-only");
        if (!usual && !is_one_of(value, defaults))
            said.emplace_back(key, value);
    }
    return said.empty() ? "" : listed(said);
}

// The format in which the script's `qemu-img create' makes the image; empty if it does not, or
// makes it in several formats.
std::string format_when_made(const std::vector<MadeImage>& images, const std::string& path) {
    const auto normal = [](const std::string& one) {
        return std::filesystem::path(one).lexically_normal();
    };
    const auto image = std::find_if(images.begin(), images.end(), [&](const MadeImage& one) {
        return normal(one.path) == normal(path);
    });
    return image == images.end() ? std::string() : image->format;
}

void read_format(const LegacyParts& parts, Properties& properties, ForeignDisk& disk) {
    std::string format = properties.take("format").value_or("");
    if (const auto driver = properties.take("driver"); format.empty() && driver)
        format = *driver;
    if (format.starts_with("host_"))
        format = "raw";  // the driver's name for a device instead of a file
    disk.format = format;
    if (!format.empty() || disk.is_url)
        return;
    if (disk.path.starts_with("/dev/") || disk.kind != ForeignDisk::Kind::disk) {
        disk.format = "raw";
        return;
    }
    if (disk.format = format_when_made(parts.images, disk.path); !disk.format.empty()) {
        add_reason(disk.why, "the script creates it in this format");
        return;
    }
    auto [by_name, known] = format_by_name(disk.path);
    // QEMU finds this format out, but it is none of tapgate's, so that the disk is kept.
    if (disk.path.ends_with(".qed")) {
        by_name = "qed";
        known = true;
    }
    add_reason(disk.why,
               known ? "the format is taken from the file's name, never from the image itself"
                     : "no format is given, and the name does not show one: if the image is not "
                       "raw, add its format, such as format=qcow2");
    disk.format = by_name;
}

// Keeps iothreads, throttle groups and secrets.
void keep_device_references(LegacyParts& parts, ForeignDisk& disk) {
    for (auto* const list : {&disk.drive, &disk.device}) {
        Properties properties;
        for (const auto& [key, value] : *list)
            properties.set(key, value);
        const std::string why = keep_references(parts, properties);
        if (!why.empty())
            add_reason(list == &disk.drive ? disk.gone : disk.why, why);
        *list = properties.all();
    }
}

}  // namespace

void read_disk_properties(LegacyParts& parts, Properties properties, LegacyDevice* device,
                          bool throw_away, ForeignDisk& disk) {
    if (is_true(properties.take("snapshot").value_or("")))
        disk.throw_away = !throw_away;
    if (throw_away && disk.kind == ForeignDisk::Kind::disk)
        add_reason(disk.why, "snapshot = on applies to all disks");
    for (const char* const structural : {"file", "id", "media", "node-name"})
        properties.take(structural);
    disk.boots = is_true(properties.take("boot").value_or(""));
    read_format(parts, properties, disk);
    const std::string read_only = properties.take("readonly").value_or("");
    disk.read_only = is_true(read_only) || is_true(properties.take("read-only").value_or(""));
    const bool never_written = disk.read_only || disk.kind == ForeignDisk::Kind::cdrom;
    const std::string writing = never_written && !disk.is_url ? about_writing(properties) : "";
    if (!writing.empty()) {
        properties.take("detect-zeroes");
        add_reason(disk.why, writing + " would only matter where something is written");
    }
    if (!disk.is_url)
        take_ours(properties);
    const std::string write_cache =
        device == nullptr ? "" : device->properties.take("write-cache").value_or("");
    disk.cache = cache_of(properties, write_cache);
    constexpr std::array<std::string_view, 5> modes = {"", "writeback", "writethrough", "none",
                                                       "directsync"};
    if (!is_one_of(disk.cache, modes) && disk.cache != "unsafe") {
        add_reason(disk.why, "left out: cache=" + disk.cache);
        disk.cache.clear();
    }
    if (const auto discard = properties.take("discard");
        discard && *discard != "unmap" && *discard != "on")
        disk.discard = false;
    disk.serial = properties.take("serial").value_or(disk.serial);
    if (device != nullptr)
        disk.serial = device->properties.take("serial").value_or(disk.serial);
    if (disk.kind != ForeignDisk::Kind::disk) {
        if (!disk.serial.empty())
            add_reason(disk.why, "left out: serial=" + disk.serial);
        disk.serial.clear();
        disk.discard = true;
        disk.cache.clear();
    }
    add_left_over(parts, std::move(properties), device, disk);
}

void keep_scsi_id(const Properties& drive, Properties& device, const std::string& name,
                  ForeignDisk& disk) {
    constexpr size_t most = 20;
    const std::string said = device.get("device_id");
    const std::string serial = device.has("serial") ? device.get("serial") : drive.get("serial");
    if (!serial.empty() && said == serial.substr(0, most)) {
        device.take("device_id");
    } else if (const std::string id = said.empty() ? name : said;
               serial.empty() && DiskSerial::parse(id)) {
        device.take("device_id");
        device.set("serial", id);
        add_reason(disk.why, "serial= keeps the ID by which the guest finds it");
    }
}

void add_left_over(LegacyParts& parts, Properties properties, LegacyDevice* device,
                   ForeignDisk& disk) {
    std::vector<Properties::Property> left;
    for (const auto& [key, value] : properties.all()) {
        constexpr std::array<std::string_view, 6> gone = {"addr", "cyls",  "heads",
                                                          "secs", "trans", "extended_l2"};
        if (key == "index" || key == "bus" || key == "unit") {
            parts.places += key == "index" ? 0U : 1U;
            continue;
        }
        // If it is no file, all of it is needed to open it.
        if ((disk.is_url || is_for_opening(key)) && !is_one_of(key, gone))
            disk.drive.emplace_back(key, value);
        else
            left.emplace_back(key, value);
    }
    if (device != nullptr && disk.kind == ForeignDisk::Kind::floppy) {
        for (const auto& [key, value] : device->properties.all()) {
            if (!is_place(key) && key != "bootindex")
                left.emplace_back(key, value);
        }
    } else if (device != nullptr) {
        if (const std::string index = device->properties.take("bootindex").value_or("");
            !index.empty())
            parts.boot.add_source("bootindex=" + index);
        Properties seen = device->properties;
        // A model that tapgate does not have, or a device on nodes that are kept, takes all of its
        // properties along.
        const bool whole = !disk.model.empty() || !disk.nodes.empty();
        const bool is_namespace = seen.get("driver") == "nvme-ns";
        for (const auto& [key, value] : device->properties.all()) {
            if (is_place(key) || (is_namespace && key == "nsid"))
                parts.places += key == "driver" || key == "drive" || key == "id" ? 0U : 1U;
            else if (whole || (is_seen(key, value) && disk.kind == ForeignDisk::Kind::disk))
                disk.device.emplace_back(key, value);
            else
                left.emplace_back(key, value);
        }
    }
    keep_device_references(parts, disk);
    if (!left.empty())
        add_reason(disk.why, "left out: " + listed(left));
}

}  // namespace tapgate
