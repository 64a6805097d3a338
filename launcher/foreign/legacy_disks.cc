// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/legacy_disks.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "launcher/base/text.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

template <size_t n>
bool is_one_of(std::string_view word, const std::array<std::string_view, n>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 6> known_formats = {"raw", "qcow2", "vmdk",
                                                           "vdi", "vhdx",  "vpc"};

bool is_true(std::string_view value) {
    return value == "on" || value == "yes" || value == "true";
}

// QEMU's rule for what is no file: a colon before any slash.
bool has_protocol(std::string_view file) {
    const size_t stop = file.find_first_of(":/");
    return stop != std::string_view::npos && file[stop] == ':';
}

class DiskTranslator {
  public:
    DiskTranslator(const LegacyDisks& disks, std::vector<LegacyDevice>& devices,
                   LegacyMachine& machine, Translation& result)
        : devices_(devices), machine_(machine), result_(result), drives_(disks.drives) {
        collect_nodes(disks.nodes);
    }

    void translate() {
        // QEMU numbers IDE drives by `index', whatever their order.
        std::stable_sort(drives_.begin(), drives_.end(),
                         [](const LegacyDrive& a, const LegacyDrive& b) {
                             return ide_index(a.properties) < ide_index(b.properties);
                         });
        throw_away_ = !drives_.empty() &&
                      std::all_of(drives_.begin(), drives_.end(),
                                  [](const LegacyDrive& drive) {
                                      return is_true(drive.properties.get("snapshot")) ||
                                             drive.properties.get("media") == "cdrom" ||
                                             drive.properties.get("file").empty();
                                  }) &&
                      std::any_of(drives_.begin(), drives_.end(), [](const LegacyDrive& drive) {
                          return is_true(drive.properties.get("snapshot"));
                      });
        for (const LegacyDrive& drive : drives_)
            translate(drive);
        if (throw_away_)
            result_.set("snapshot", "on");
    }

  private:
    static int ide_index(const Properties& properties) {
        const std::string& interface = properties.get("if");
        if (!interface.empty() && interface != "ide")
            return 0;
        const std::string text = properties.get("index");
        int index = 0;
        std::from_chars(text.data(), text.data() + text.size(), index);
        return index;
    }

    // Each node that a device has is made a drive, through the nodes below it.
    void collect_nodes(const std::vector<LegacyDrive>& nodes) {
        std::vector<bool> used(nodes.size());
        for (size_t top = 0; top < nodes.size(); top++) {
            const std::string name = nodes[top].properties.get("node-name");
            if (name.empty() || device_of(name) == nullptr)
                continue;
            LegacyDrive drive{nodes[top].was, nodes[top].properties};
            used[top] = true;
            drive.properties.set("if", "none");
            drive.properties.set("id", name);
            const std::string format = drive.properties.get("driver");
            std::string below = drive.properties.get("file");
            if (is_one_of(format, known_formats)) {
                drive.properties.take("driver");
                drive.properties.set("format", format);
            }
            if (const auto inner = drive.properties.take("file.filename")) {
                drive.properties.take("file.driver");
                below = *inner;
            } else if (const auto plain = drive.properties.take("filename")) {
                // A protocol node alone: what is in the file goes to the guest as it is.
                drive.properties.take("driver");
                drive.properties.set("format", "raw");
                below = *plain;
            } else {
                for (size_t i = 0; i < nodes.size(); i++) {
                    if (nodes[i].properties.get("node-name") != below || used[i])
                        continue;
                    used[i] = true;
                    drive.was = nodes[i].was + " " + drive.was;
                    below = nodes[i].properties.get("filename");
                    break;
                }
            }
            drive.properties.take("node-name");
            if (is_true(drive.properties.get("read-only")))
                drive.properties.set("readonly", "on");
            drive.properties.take("read-only");
            drive.properties.set("file", below);
            drives_.push_back(std::move(drive));
        }
        for (size_t i = 0; i < nodes.size(); i++) {
            if (!used[i])
                result_.dropped(nodes[i].was, "no device of the guest's has it");
        }
    }

    LegacyDevice* device_of(const std::string& id) {
        const auto found =
            std::find_if(devices_.begin(), devices_.end(), [&](const LegacyDevice& device) {
                return !id.empty() && device.properties.get("drive") == id;
            });
        return found == devices_.end() ? nullptr : &*found;
    }

    void translate(const LegacyDrive& drive) {
        Properties properties = drive.properties;
        LegacyDevice* const device = device_of(properties.get("id"));
        std::string was = drive.was;
        std::string interface = properties.take("if").value_or(device == nullptr ? "ide" : "none");
        if (device != nullptr) {
            device->taken = true;
            was += " " + device->was;
        }
        std::string file = properties.get("file");
        if (file.starts_with("file:"))
            file.erase(0, 5);
        if (interface == "none" && device == nullptr) {
            result_.dropped(was, "no -device had this drive, so the guest did not see it");
            return;
        }
        if (file.empty() && !properties.has("file.driver") && !properties.has("driver")) {
            result_.dropped(was, "an empty drive");
            return;
        }
        if (interface == "pflash") {
            translate_pflash(was, properties, file);
            return;
        }
        const std::string model = device == nullptr ? "" : device->properties.get("driver");
        const bool is_cdrom =
            properties.get("media") == "cdrom" || model == "ide-cd" || model == "scsi-cd";
        std::string why;
        const std::string bus = device == nullptr ? bus_of(interface, why) : bus_of_device(model);
        const std::string format = properties.get("format");
        const bool plain_file = !file.empty() && !has_protocol(file) &&
                                !file.starts_with("/dev/") &&
                                HostPath::parse(file, machine_.directory).has_value();
        const bool known = format.empty() || is_one_of(format, known_formats);
        if (plain_file && known && is_cdrom) {
            translate_cdrom(was, file, format, why);
        } else if (plain_file && known && !bus.empty() &&
                   (throw_away_ || !is_true(properties.get("snapshot")))) {
            translate_disk(was, file, bus, std::move(properties), device, why);
        } else {
            properties.set("if", interface);
            keep_drive(was, properties, file, device, plain_file);
        }
    }

    [[nodiscard]] std::string bus_of(const std::string& interface, std::string& why) const {
        if (interface == "virtio")
            return "virtio";
        if (interface == "scsi") {
            add_reason(why,
                       "the SCSI adapter was an LSI 53C895A and is virtio-scsi now; a guest "
                       "without its driver needs bus=" +
                           ata_bus());
            return "scsi";
        }
        return interface == "ide" || interface == "sata" ? ata_bus() : "";
    }

    [[nodiscard]] std::string bus_of_device(const std::string& model) const {
        if (model.starts_with("virtio-blk"))
            return "virtio";
        if (model == "scsi-hd" || model == "scsi-disk")
            return "scsi";
        if (model == "ide-hd" || model == "ide-drive")
            return ata_bus();
        return {};
    }

    [[nodiscard]] std::string ata_bus() const { return machine_.q35 ? "sata" : "ide"; }

    void translate_cdrom(const std::string& was, const std::string& file, const std::string& format,
                         std::string why) {
        if (!format.empty() && format != "raw")
            add_reason(why, "a CD-ROM is read as raw, not as " + format);
        result_.set("cdrom", file);
        result_.changed(was, "cdrom = " + file, why);
    }

    void translate_disk(const std::string& was, const std::string& file, std::string bus,
                        Properties properties, LegacyDevice* device, std::string why) {
        for (const char* const structural : {"file", "id", "media", "snapshot"})
            properties.take(structural);
        if (throw_away_)
            add_reason(why, "snapshot = on is for all disks");
        const std::string format = take_format(properties, file, why);
        const bool read_only = is_true(properties.take("readonly").value_or("off")) ||
                               is_true(properties.take("read-only").value_or("off"));
        if (read_only && (bus == "ide" || bus == "sata")) {
            bus = "virtio";
            add_reason(why, "no IDE or SATA disk can be read-only, so it is on virtio");
        }
        std::string value = commas_doubled(file) + ",format=" + format + ",bus=" + bus;
        if (read_only)
            value += ",readonly=on";
        value += cache_of(properties);
        if (const auto discard = properties.take("discard");
            discard && *discard != "unmap" && *discard != "on")
            value += ",discard=off";
        std::string serial = properties.take("serial").value_or("");
        if (device != nullptr)
            serial = device->properties.take("serial").value_or(serial);
        if (DiskSerial::parse(serial))
            value += ",serial=" + serial;
        else if (!serial.empty())
            add_reason(why, "the serial number " + serial + " does not fit");
        add_left_over(properties, device, why);
        result_.set("disk", value);
        result_.changed(was, "disk = " + value, why);
    }

    static std::string take_format(Properties& properties, const std::string& file,
                                   std::string& why) {
        if (const auto given = properties.take("format"); given && !given->empty())
            return *given;
        const auto [format, known] = format_by_name(file);
        add_reason(why, known ? "the format is by the name, never by what is in the image"
                              : "no format was said and the name tells none: if the image is not "
                                "raw, say so, as format=qcow2");
        return format;
    }

    static std::string cache_of(Properties& properties) {
        constexpr std::array<std::string_view, 5> modes = {"writeback", "writethrough", "none",
                                                           "directsync", "unsafe"};
        const auto mode = properties.take("cache");
        if (!mode || *mode == "writeback")
            return {};
        if (*mode == "off")
            return ",cache=none";
        if (is_one_of(*mode, modes))
            return ",cache=" + *mode;
        if (*mode != "default")
            properties.set("cache", *mode);
        return {};
    }

    static void add_left_over(Properties& properties, LegacyDevice* device, std::string& why) {
        for (const char* const place : {"index", "bus", "unit"})
            properties.take(place);
        std::vector<Properties::Property> left = properties.all();
        if (device != nullptr) {
            // Places are tapgate's to give; bootindex is read elsewhere.
            for (const char* const place :
                 {"driver", "drive", "id", "bus", "addr", "unit", "bootindex", "scsi-id", "lun",
                  "channel", "multifunction"})
                device->properties.take(place);
            left.insert(left.end(), device->properties.all().begin(),
                        device->properties.all().end());
        }
        if (!left.empty())
            add_reason(why, "left out: " + listed(left));
    }

    // UEFI is a setting, and its variables are made for each VM; any other firmware is kept.
    void translate_pflash(const std::string& was, Properties properties, const std::string& file) {
        if (is_uefi_firmware(file)) {
            result_.set("firmware", "uefi");
            result_.changed(was, "firmware = uefi", "that of this host, with variables of its own");
            return;
        }
        properties.set("if", "pflash");
        properties.set("file", absolute(file));
        if (properties.get("format").empty())
            properties.set("format", format_by_name(file).first);
        result_.keep(was, {"-drive", properties.str()}, "the guest's firmware");
    }

    [[nodiscard]] std::string absolute(const std::string& file) const {
        return file.starts_with('/') || has_protocol(file) || file.empty()
                   ? file
                   : machine_.directory + "/" + file;
    }

    // What disk= cannot say: QEMU gets it as it was, less what it no longer takes.
    void keep_drive(const std::string& was, Properties properties, const std::string& file,
                    LegacyDevice* device, bool plain_file) {
        for (const char* const removed :
             {"boot", "addr", "cyls", "heads", "secs", "trans", "serial"})
            properties.take(removed);
        if (properties.get("cache") == "off" || properties.get("cache") == "default")
            properties.set("cache", "none");
        if (!file.empty())
            properties.set("file", absolute(file));
        if (properties.get("format") == "host_device")
            properties.set("format", "raw");
        if (!has_protocol(file) && properties.get("format").empty() && !file.empty())
            properties.set("format", format_by_name(file).first);
        const std::string why = plain_file ? "no setting can say this" : "not a plain file";
        if (device == nullptr) {
            std::string interface = properties.get("if");
            if (interface == "scsi")
                interface = "virtio";  // QEMU has dropped if=scsi
            for (const char* const place : {"if", "index", "bus", "unit"})
                properties.take(place);
            properties.set("if", interface);
            // Our own disks begin at the other end.
            if (interface == "ide")
                properties.set("index", std::to_string((machine_.q35 ? 5U : 3U) - kept_ide_++ % 4));
            result_.keep(was, {"-drive", properties.str()}, why);
            return;
        }
        const std::string id = "kept" + std::to_string(kept_++);
        properties.set("id", id);
        Properties kept_device = device->properties;
        kept_device.set("drive", id);
        for (const char* const place : {"id", "bus", "addr", "unit", "channel", "bootindex"})
            kept_device.take(place);
        const std::string model = kept_device.get("driver");
        const std::vector<std::string> drive = {"-drive", properties.str()};
        if (model.starts_with("usb-")) {
            keep_usb_device(was, drive, kept_device, machine_, result_);
            return;
        }
        std::vector<std::string> arguments = drive;
        if (model.starts_with("scsi-")) {
            arguments.insert(arguments.end(), {"-device", "virtio-scsi-pci,id=" + id + "-bus"});
            kept_device.set("bus", id + "-bus.0");
        }
        arguments.insert(arguments.end(), {"-device", kept_device.str("driver")});
        result_.keep(was, arguments, why);
    }

    std::vector<LegacyDevice>& devices_;
    LegacyMachine& machine_;
    Translation& result_;
    std::vector<LegacyDrive> drives_;
    bool throw_away_ = false;
    unsigned kept_ = 0;
    unsigned kept_ide_ = 0;
};

}  // namespace

void translate_disks(const LegacyDisks& disks, std::vector<LegacyDevice>& devices,
                     LegacyMachine& machine, Translation& result) {
    DiskTranslator(disks, devices, machine, result).translate();
}

void keep_usb_device(const std::string& was, const std::vector<std::string>& before,
                     const Properties& device, LegacyMachine& machine, Translation& result) {
    std::vector<std::string> arguments = before;
    if (!machine.has_usb)
        arguments.insert(arguments.end(), {"-device", "qemu-xhci,id=keptusb"});
    machine.has_usb = true;
    Properties on_bus = device;
    on_bus.take("port");
    on_bus.set("bus", "keptusb.0");
    arguments.insert(arguments.end(), {"-device", on_bus.str("driver")});
    result.keep(was, arguments, "on a USB controller of its own");
}

bool is_uefi_firmware(std::string_view file) {
    constexpr std::array<std::string_view, 6> marks = {"OVMF",  "ovmf",  "edk2",
                                                       "_VARS", "nvram", "uefi"};
    return std::any_of(marks.begin(), marks.end(), [&](std::string_view mark) {
        return file.find(mark) != std::string_view::npos;
    });
}

std::string listed(const std::vector<Properties::Property>& properties) {
    std::string text;
    for (size_t i = 0; i < properties.size(); i++) {
        if (i > 0)
            text += i + 1 == properties.size() ? " and " : ", ";
        text += properties[i].first + "=" + properties[i].second;
    }
    return text;
}

}  // namespace tapgate
