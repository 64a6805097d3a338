// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <charconv>

#include "launcher/base/text.h"
#include "launcher/foreign/legacy_parts.h"
#include "launcher/foreign/words.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

bool is_true(std::string_view value) {
    return value == "on" || value == "yes" || value == "true";
}

LegacyDevice* device_of(LegacyParts& parts, const std::string& id) {
    const auto found =
        std::find_if(parts.devices.begin(), parts.devices.end(), [&](const LegacyDevice& device) {
            return !id.empty() && device.properties.get("drive") == id;
        });
    return found == parts.devices.end() ? nullptr : &*found;
}

// The model of the device of this id, which a bus "ID.0" is on.
std::string model_of_bus(const LegacyParts& parts, const std::string& bus) {
    const std::string id = bus.substr(0, bus.find('.'));
    for (const LegacyDevice& device : parts.devices) {
        if (!id.empty() && device.properties.get("id") == id)
            return device.properties.get("driver");
    }
    return {};
}

// What a guest sees of its disk, and would miss.
bool is_seen(const std::string& key, const std::string& value) {
    constexpr std::array<std::string_view, 17> seen = {"logical_block_size",
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
                                                       "ver"};
    constexpr std::array<std::string_view, 3> flags = {"share-rw", "removable", "rotation_rate"};
    const bool block = key == "logical_block_size" || key == "physical_block_size";
    return (is_one_of(key, seen) && !(block && value == "512")) ||
           (is_one_of(key, flags) && value != "off" && value != "0" && value != "false");
}

// Places of devices, which tapgate gives itself.
bool is_place(const std::string& key) {
    constexpr std::array<std::string_view, 11> places = {
        "driver",  "drive", "id",      "bus",           "addr", "unit",
        "scsi-id", "lun",   "channel", "multifunction", "port"};
    return is_one_of(key, places);
}

std::string cache_of(Properties& properties, const std::string& write_cache) {
    const auto mode = properties.take("cache");
    const bool direct = is_true(properties.take("cache.direct").value_or(""));
    const bool unsafe = is_true(properties.take("cache.no-flush").value_or(""));
    properties.take("cache.writeback");
    const bool through = write_cache == "off" || write_cache == "false";
    if (mode && *mode == "off")
        return "none";
    if (mode && *mode != "default")
        return *mode;
    if (unsafe)
        return "unsafe";
    return direct ? (through ? "directsync" : "none") : through ? "writethrough" : "";
}

class DriveTranslator {
  public:
    explicit DriveTranslator(LegacyParts& parts) : parts_(parts), result_(parts.result) {}

    void translate() {
        translate_flash();
        collect_nodes();
        collect_floppies();
        std::vector<LegacyDrive>& drives = parts_.drives.drives;
        // QEMU numbers IDE drives by `index', whatever their order.
        std::stable_sort(drives.begin(), drives.end(),
                         [](const LegacyDrive& a, const LegacyDrive& b) {
                             return ide_index(a.properties) < ide_index(b.properties);
                         });
        const auto is_thrown = [](const LegacyDrive& drive) {
            return is_true(drive.properties.get("snapshot"));
        };
        throw_away_ = std::any_of(drives.begin(), drives.end(), is_thrown) &&
                      std::all_of(drives.begin(), drives.end(), [&](const LegacyDrive& drive) {
                          return is_thrown(drive) || drive.properties.get("media") == "cdrom" ||
                                 drive.properties.get("file").empty();
                      });
        for (LegacyDrive& drive : drives)
            translate(drive);
        if (throw_away_)
            result_.set("snapshot", "on");
        for (const LegacyDrive& node : parts_.drives.nodes) {
            if (!node.used)
                result_.dropped(node.was, "no device of the guest's has it");
        }
    }

  private:
    static int ide_index(const Properties& properties) {
        const std::string& interface = properties.get("if");
        if (!interface.empty() && interface != "ide")
            return 0;
        return static_cast<int>(parse_whole<std::uint64_t>(properties.get("index")).value_or(0));
    }

    // The first unit is the code, the second the variables, whatever they are called.
    void translate_flash() {
        std::vector<LegacyDrive> flash;
        auto& drives = parts_.drives.drives;
        for (const LegacyDrive& drive : drives) {
            if (drive.properties.get("if") == "pflash")
                flash.push_back(drive);
        }
        std::erase_if(drives, [](const LegacyDrive& drive) {
            return drive.properties.get("if") == "pflash";
        });
        std::stable_sort(flash.begin(), flash.end(),
                         [](const LegacyDrive& a, const LegacyDrive& b) {
                             return a.properties.get("unit") < b.properties.get("unit");
                         });
        for (const auto& [unit, name] : parts_.drives.flash_nodes) {
            const NodeImage image = image_of_node(parts_.drives.nodes, name);
            LegacyDrive drive{image.was, image.properties};
            drive.properties.set("file", image.path);
            drive.properties.set("format", image.format);
            flash.push_back(std::move(drive));
        }
        if (flash.empty())
            return;
        const FirmwareKind by_name = firmware_kind(flash[0].properties.get("file"));
        if (by_name == FirmwareKind::other && flash.size() == 1) {
            keep_flash(flash[0]);
            return;
        }
        std::string was;
        for (const LegacyDrive& one : flash)
            was.append(was.empty() ? "" : " ").append(one.was);
        const bool secure = by_name == FirmwareKind::uefi_secure || parts_.smm;
        std::string why =
            "that of this host, with variables of its own: what the guest has in its "
            "boot menu it enters anew, or boots by \\EFI\\BOOT";
        if (secure && !parts_.machine.q35)
            add_reason(why, "without Secure Boot, which machine pc does not have");
        parts_.set(was, "firmware", secure && parts_.machine.q35 ? "uefi-secure" : "uefi", why);
    }

    void keep_flash(const LegacyDrive& drive) {
        Properties properties = drive.properties;
        properties.set("if", "pflash");
        properties.set("file", parts_.machine.absolute(properties.get("file")));
        if (properties.get("format").empty())
            properties.set("format", format_by_name(properties.get("file")).first);
        result_.keep(drive.was, {"-drive", properties.str()}, "the guest's firmware");
    }

    // Each node that a device has becomes a drive, through the nodes below it.
    void collect_nodes() {
        auto& nodes = parts_.drives.nodes;
        for (size_t top = 0; top < nodes.size(); top++) {
            const std::string name = nodes[top].properties.get("node-name");
            LegacyDevice* const device = device_of(parts_, name);
            if (device == nullptr || nodes[top].used)
                continue;
            const NodeImage image = image_of_node(nodes, name);
            if (!image.not_file.empty() || !is_disk_format(image.format)) {
                keep_nodes(image, *device);
                continue;
            }
            LegacyDrive drive{image.was, image.properties};
            Properties& properties = drive.properties;
            properties.set("if", "none");
            properties.set("id", name);
            properties.set("file", image.path);
            properties.set("format", image.format);
            for (const char* const ours : {"auto-read-only", "detect-zeroes", "aio", "locking"})
                properties.take(ours);
            if (is_true(properties.take("read-only").value_or("")))
                properties.set("readonly", "on");
            backing_[name] = image.backing;
            why_[name] = image.why;
            parts_.drives.drives.push_back(std::move(drive));
        }
    }

    // What is on the network, or of another format: QEMU gets the nodes as they were.
    void keep_nodes(const NodeImage& image, LegacyDevice& device) {
        device.taken = true;
        const std::string was = image.was + " " + device.was;
        std::vector<std::string> arguments;
        for (const std::string& node : image.nodes) {
            Properties properties = Properties::parse(node, "driver");
            if (const std::string why = keep_references(parts_, properties); !why.empty()) {
                result_.dropped(was, why);
                return;
            }
            make_paths_absolute(parts_.machine, properties);
            arguments.insert(arguments.end(), {"-blockdev", properties.str()});
        }
        ForeignDisk disk = disk_of(device);
        disk.was = was;
        disk.nodes = arguments;
        disk.node = device.properties.get("drive");
        disk.why = image.not_file.empty() ? "format " + image.format + " is none of disk='s"
                                          : image.not_file;
        add_left_over(Properties(), &device, disk);
        parts_.disks.add(std::move(disk));
    }

    // Drives that a floppy controller has.
    void collect_floppies() {
        auto& floppies = parts_.drives.floppies;
        for (LegacyDevice& device : parts_.devices) {
            const std::string driver = device.properties.get("driver");
            for (const char letter : {'A', 'B'}) {
                const std::string id =
                    device.properties.get(std::string("drive") + std::string(1, letter));
                if (driver == "isa-fdc" && !id.empty())
                    floppies.emplace_back(letter, id);
                const std::string order =
                    device.properties.get("bootindex" + std::string(1, letter));
                if (driver == "isa-fdc" && !order.empty())
                    parts_.drives.floppy_orders.emplace_back(letter, order);
            }
            if (driver != "floppy" || !device.properties.has("drive"))
                continue;
            const char letter = device.properties.get("unit") == "1" ? 'B' : 'A';
            floppies.emplace_back(letter, device.properties.get("drive"));
            if (device.properties.has("bootindex"))
                parts_.drives.floppy_orders.emplace_back(letter,
                                                         device.properties.get("bootindex"));
            device.taken = true;
            result_.changed(device.was, "the floppy drive " + std::string(1, letter) + ":");
        }
    }

    // How the guest sees what is behind the device.
    ForeignDisk disk_of(const LegacyDevice& device) const {
        ForeignDisk disk;
        const std::string model = device.properties.get("driver");
        const std::string bus = device.properties.get("bus");
        const std::string controller = model_of_bus(parts_, bus);
        disk.order = parse_whole<std::uint64_t>(device.properties.get("bootindex"));
        if (model == "ide-cd" || model == "scsi-cd")
            disk.kind = ForeignDisk::Kind::cdrom;
        if (model.starts_with("virtio-blk")) {
            disk.bus = "virtio";
        } else if (model == "scsi-hd" || model == "scsi-disk" || model == "scsi-cd") {
            disk.bus = "scsi";
            if (!controller.empty() && !controller.starts_with("virtio-scsi"))
                add_reason(disk.why, "the SCSI adapter was an " + controller +
                                         " and is virtio-scsi now; a guest without its driver "
                                         "needs bus=" +
                                         (parts_.machine.q35 ? "sata" : "ide"));
        } else if (model == "ide-hd" || model == "ide-drive" || model == "ide-cd") {
            disk.bus =
                parts_.machine.q35 || controller.find("ahci") != std::string::npos ? "sata" : "ide";
        } else if (model == "usb-storage") {
            disk.bus = "usb";
        } else {
            disk.model = model;
        }
        return disk;
    }

    ForeignDisk disk_of_interface(const std::string& interface) const {
        ForeignDisk disk;
        const char* const ata = parts_.machine.q35 ? "sata" : "ide";
        disk.bus = interface == "scsi" || interface == "virtio" ? interface : ata;
        if (interface == "scsi")
            add_reason(disk.why,
                       "the SCSI adapter was an LSI 53C895A and is virtio-scsi now; a guest "
                       "without its driver needs bus=" +
                           std::string(ata));
        return disk;
    }

    void translate(LegacyDrive& drive) {
        Properties& properties = drive.properties;
        const std::string id = properties.get("id");
        LegacyDevice* const device = device_of(parts_, id);
        std::string was = drive.was;
        std::string interface = properties.take("if").value_or(device == nullptr ? "ide" : "none");
        const auto floppy =
            std::find_if(parts_.drives.floppies.begin(), parts_.drives.floppies.end(),
                         [&](const auto& one) { return !id.empty() && one.second == id; });
        const bool is_floppy = floppy != parts_.drives.floppies.end() || interface == "floppy";
        if (device != nullptr && !is_floppy) {
            device->taken = true;
            was += " " + device->was;
        }
        std::string file = properties.get("file");
        if (file.empty() && properties.has("file.filename")) {
            const std::string below = properties.get("file.driver");
            if (below.empty() || below == "file" || below.starts_with("host_")) {
                file = *properties.take("file.filename");
                properties.take("file.driver");
                properties.set("file", file);
            }
        }
        if (file.starts_with("file:"))
            file.erase(0, 5);
        if (interface == "none" && device == nullptr && !is_floppy) {
            result_.dropped(was, "no -device had this drive, so the guest did not see it");
            return;
        }
        const bool inner =
            std::any_of(properties.all().begin(), properties.all().end(),
                        [](const auto& one) { return one.first.starts_with("file."); });
        if (file.empty() && !inner) {
            result_.dropped(was, "an empty drive");
            return;
        }
        ForeignDisk disk =
            device != nullptr && !is_floppy ? disk_of(*device) : disk_of_interface(interface);
        disk.was = was;
        disk.path = file;
        disk.is_url = has_protocol(file) || file.empty();
        if (const auto known = backing_.find(id); known != backing_.end())
            disk.backing = known->second;
        if (const auto known = why_.find(id); known != why_.end() && !known->second.empty())
            add_reason(disk.why, known->second);
        if (properties.get("media") == "cdrom")
            disk.kind = ForeignDisk::Kind::cdrom;
        if (is_floppy)
            make_floppy(disk, floppy != parts_.drives.floppies.end() ? floppy->first
                              : properties.get("index") == "1"       ? 'B'
                                                                     : 'A');
        const bool known_interface = interface == "ide" || interface == "scsi" ||
                                     interface == "virtio" || interface == "none" ||
                                     interface == "sata" || is_floppy;
        if (!known_interface) {
            result_.dropped(was, "no PC has the interface " + quoted_word(interface));
            return;
        }
        read_properties(properties, device, disk);
        parts_.disks.add(std::move(disk));
    }

    void make_floppy(ForeignDisk& disk, char letter) const {
        disk.kind = ForeignDisk::Kind::floppy;
        disk.letter = letter;
        disk.model.clear();
        for (const auto& [drive, order] : parts_.drives.floppy_orders) {
            if (drive == letter)
                disk.order = parse_whole<std::uint64_t>(order);
        }
    }

    void read_properties(Properties& properties, LegacyDevice* device, ForeignDisk& disk) {
        if (is_true(properties.take("snapshot").value_or("")))
            disk.throw_away = !throw_away_;
        if (throw_away_ && disk.kind == ForeignDisk::Kind::disk)
            add_reason(disk.why, "snapshot = on is for all disks");
        for (const char* const structural : {"file", "id", "media", "boot", "node-name"})
            properties.take(structural);
        read_format(properties, disk);
        const std::string read_only = properties.take("readonly").value_or("");
        disk.read_only = is_true(read_only) || is_true(properties.take("read-only").value_or(""));
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
        disk.serial = properties.take("serial").value_or("");
        if (device != nullptr)
            disk.serial = device->properties.take("serial").value_or(disk.serial);
        if (disk.kind != ForeignDisk::Kind::disk) {
            disk.serial.clear();
            disk.discard = true;
            disk.cache.clear();
        }
        add_left_over(std::move(properties), device, disk);
    }

    void read_format(Properties& properties, ForeignDisk& disk) const {
        std::string format = properties.take("format").value_or("");
        if (const auto driver = properties.take("driver"); format.empty() && driver)
            format = *driver;
        if (format.starts_with("host_"))
            format = "raw";  // the driver's name for what is no file
        disk.format = format;
        if (!format.empty() || disk.is_url)
            return;
        if (disk.path.starts_with("/dev/") || disk.kind != ForeignDisk::Kind::disk) {
            disk.format = "raw";
            return;
        }
        const auto [by_name, known] = format_by_name(disk.path);
        add_reason(disk.why, known ? "the format is by the name, never by what is in the image"
                                   : "no format was said and the name tells none: if the image is "
                                     "not raw, say so, as format=qcow2");
        disk.format = by_name;
    }

    void add_left_over(Properties properties, LegacyDevice* device, ForeignDisk& disk) {
        std::vector<Properties::Property> left;
        for (const auto& [key, value] : properties.all()) {
            constexpr std::array<std::string_view, 6> gone = {"addr", "cyls",  "heads",
                                                              "secs", "trans", "extended_l2"};
            if (key == "index" || key == "bus" || key == "unit")
                continue;
            // Of what is no file, all of it is needed to open it.
            if ((disk.is_url || key.starts_with("file.")) && !is_one_of(key, gone))
                disk.drive.emplace_back(key, value);
            else
                left.emplace_back(key, value);
        }
        if (device != nullptr && disk.kind != ForeignDisk::Kind::floppy) {
            if (const std::string index = device->properties.take("bootindex").value_or("");
                !index.empty())
                parts_.boot.add_source("bootindex=" + index);
            Properties seen = device->properties;
            // A model that none of ours is takes all of its properties along.
            const bool whole = !disk.model.empty();
            for (const auto& [key, value] : device->properties.all()) {
                if (is_place(key))
                    parts_.places += key == "bus" || key == "addr" ? 1U : 0U;
                else if (whole || (is_seen(key, value) && disk.kind == ForeignDisk::Kind::disk))
                    disk.device.emplace_back(key, value);
                else
                    left.emplace_back(key, value);
            }
        }
        keep_device_references(disk);
        if (!left.empty())
            add_reason(disk.why, "left out: " + listed(left));
    }

    // An iothread, a throttle group, a secret.
    void keep_device_references(ForeignDisk& disk) {
        for (auto* const list : {&disk.drive, &disk.device}) {
            Properties properties;
            for (const auto& [key, value] : *list)
                properties.set(key, value);
            const std::string why = keep_references(parts_, properties);
            if (!why.empty())
                add_reason(disk.why, why);
            *list = properties.all();
        }
    }

    LegacyParts& parts_;
    Translation& result_;
    std::map<std::string, std::vector<std::string>> backing_;  // by the drive's id
    std::map<std::string, std::string> why_;
    bool throw_away_ = false;
};

}  // namespace

void translate_disks(LegacyParts& parts) {
    DriveTranslator(parts).translate();
    parts.disks.finish();
}

void take_disk(LegacyParts& parts, const LegacyOption& option) {
    const std::string name(option.kind == nullptr ? "" : option.kind->name);
    const std::string file = "file=" + commas_doubled(option.value);
    std::string value = option.value;
    if (name.empty())
        value = file + ",index=0";
    else if (name.starts_with("hd"))
        value = "index=" + std::to_string(name.back() - 'a') + "," + file;
    else if (name.starts_with("fd"))
        value = "if=floppy,index=" + std::to_string(name.back() - 'a') + ",format=raw," + file;
    else if (name == "pflash")
        value = "if=pflash," + file;
    else if (name == "cdrom")
        value = "media=cdrom,index=2," + file;
    parts.drives.drives.push_back({option.text, Properties::parse(value, "file")});
}

void take_blockdev(LegacyParts& parts, const LegacyOption& option) {
    parts.drives.nodes.push_back({option.text, Properties::parse(option.value, "driver")});
}

void take_bios(LegacyParts& parts, const LegacyOption& option) {
    const FirmwareKind kind = firmware_kind(option.value);
    if (kind == FirmwareKind::other) {
        // QEMU has its own by their names alone.
        const bool own = option.value.find('/') == std::string::npos;
        parts.result.keep(option.text,
                          {"-bios", own ? option.value : parts.machine.absolute(option.value)},
                          "the guest's firmware");
        return;
    }
    const bool secure =
        kind == FirmwareKind::uefi_secure && parts.machine_type.find("q35") != std::string::npos;
    parts.set(option.text, "firmware", secure ? "uefi-secure" : "uefi",
              "that of this host, with variables of its own");
}

}  // namespace tapgate
