// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/legacy/disk_properties.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

LegacyDevice* device_of(LegacyParts& parts, const std::string& id) {
    const auto found =
        std::find_if(parts.devices.begin(), parts.devices.end(), [&](const LegacyDevice& device) {
            return !id.empty() && device.properties.get("drive") == id;
        });
    return found == parts.devices.end() ? nullptr : &*found;
}

// The model of the device with this id, which has the bus "ID.0".
std::string model_of_bus(const LegacyParts& parts, const std::string& bus) {
    const std::string id = bus.substr(0, bus.find('.'));
    for (const LegacyDevice& device : parts.devices) {
        if (!id.empty() && device.properties.get("id") == id)
            return device.properties.get("driver");
    }
    return {};
}

constexpr unsigned most_places = 1U << 16U;

unsigned number_of(const std::string& text) {
    return static_cast<unsigned>(parse_whole<std::uint64_t>(text, 0, most_places).value_or(0));
}

// The place that the device gives: on an IDE or SATA bus, on SCSI, or on PCI.
void take_place(const Properties& said, ForeignDisk& disk) {
    const std::string bus = said.get("bus");
    const size_t dot = bus.rfind('.');
    const auto on_pci = pci_place(said);
    const bool on_root = bus.empty() || bus == "pci.0" || bus == "pcie.0";
    if (said.get("driver").starts_with("virtio-blk") && on_pci) {
        disk.place = on_pci->second;
        disk.controller = "pci " + on_pci->first;
    } else if (said.get("driver").starts_with("virtio-blk") && on_root) {
        // Without addr= it gets the first free slot, after the board's own devices.
        constexpr unsigned first_free = 8 * 3;
        disk.place = first_free;
        disk.controller = "pci ";
    } else if (disk.bus == "scsi" && said.has("scsi-id")) {
        disk.place = most_places * number_of(said.get("scsi-id")) + number_of(said.get("lun"));
        disk.controller = "scsi " + bus;
    } else if ((disk.bus == "ide" || disk.bus == "sata") && dot != std::string::npos) {
        disk.place = 2 * number_of(bus.substr(dot + 1)) + number_of(said.get("unit"));
        disk.controller = "ata " + bus.substr(0, dot);
    }
}

// Does the guest see a CD-ROM drive? For a device that is a disk, media=cdrom only means that
// nobody writes to it.
bool is_cdrom(const LegacyDevice* device, const std::string& interface) {
    if (device == nullptr)
        return interface != "virtio";
    const std::string model = device->properties.get("driver");
    return !model.starts_with("virtio-blk") && model != "scsi-hd" && model != "nvme";
}

class DriveTranslator {
  public:
    explicit DriveTranslator(LegacyParts& parts) : parts_(parts), result_(parts.result) {}

    void translate() {
        translate_flash(parts_);
        collect_nodes();
        collect_floppies();
        give_places();
        std::vector<LegacyDrive>& drives = parts_.drives.drives;
        std::stable_sort(drives.begin(), drives.end(),
                         [&](const LegacyDrive& a, const LegacyDrive& b) {
                             return turn_of(a.properties) < turn_of(b.properties);
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
                result_.dropped(node.was, "no device of the guest uses it");
        }
    }

  private:
    // When QEMU makes a drive's disk: first the board takes its IDE drives, by `index'; then come
    // the devices in their own order, whatever that of their drives, and then those that QEMU adds
    // for if=virtio and if=scsi.
    std::pair<size_t, unsigned> turn_of(const Properties& properties) {
        const std::string& interface = properties.get("if");
        if (const LegacyDevice* device = device_of(parts_, properties.get("id")))
            return {1 + (device - parts_.devices.data()), 0};
        if (interface.empty() || interface == "ide")
            return {0, index_of(properties, 2)};
        return {1 + parts_.devices.size(), interface == "scsi" ? index_of(properties, 7) : 0};
    }

    // The index is given by `index', or by a bus and a unit on it; `units' is how many a bus has.
    static unsigned index_of(const Properties& properties, unsigned units) {
        return properties.has("index")
                   ? number_of(properties.get("index"))
                   : number_of(properties.get("bus")) * units + number_of(properties.get("unit"));
    }

    // QEMU gives an IDE drive that does not say its place the first one that is free, first those
    // of the board and then those that are devices.
    void give_places() {
        const unsigned units = parts_.machine.q35 ? 1 : 2;
        std::vector<Properties*> without;
        std::set<unsigned> taken;
        for (LegacyDrive& drive : parts_.drives.drives) {
            Properties& said = drive.properties;
            const std::string& interface = said.get("if");
            if (!(interface.empty() || interface == "ide") || device_of(parts_, said.get("id")))
                continue;
            if (!said.has("index") && !said.has("bus") && !said.has("unit")) {
                without.push_back(&said);
                continue;
            }
            const unsigned index = index_of(said, units);
            taken.insert(index);
            said.set("index", std::to_string(index));
        }
        const auto next_free = [&] {
            unsigned place = 0;
            while (!taken.insert(place).second)
                place++;
            return place;
        };
        for (Properties* said : without)
            said->set("index", std::to_string(next_free()));
        for (const LegacyDevice& device : parts_.devices) {
            if (device.properties.get("driver").starts_with("ide-") &&
                !device.properties.has("bus"))
                free_places_[device.properties.get("drive")] = next_free() * (3 - units);
        }
    }

    // The number of the disk's place among those of all ATA controllers, as QEMU counts them.
    std::optional<unsigned> ata_number(const ForeignDisk& disk) const {
        constexpr std::string_view ata = "ata ";
        if (!disk.controller.starts_with(ata))
            return std::nullopt;
        constexpr unsigned of_ide = 4;
        constexpr unsigned of_sata = 12;
        const std::string controller = disk.controller.substr(ata.size());
        if (controller == "ide")
            return disk.place + 1;
        unsigned before = parts_.machine.q35 ? of_sata : of_ide;
        for (const LegacyDevice& device : parts_.devices) {
            const std::string driver = device.properties.get("driver");
            if (device.properties.get("id") == controller)
                return before + disk.place + 1;
            before += driver.ends_with("ahci") ? of_sata : driver.ends_with("-ide") ? of_ide : 0;
        }
        return std::nullopt;
    }

    // Each node that a device uses becomes a drive, with the nodes below it.
    void collect_nodes() {
        auto& nodes = parts_.drives.nodes;
        const bool thrown =
            std::any_of(result_.settings.begin(), result_.settings.end(),
                        [](const auto& setting) { return setting.first == "snapshot"; });
        for (size_t top = 0; top < nodes.size(); top++) {
            const std::string name = nodes[top].properties.get("node-name");
            LegacyDevice* const device = device_of(parts_, name);
            if (device == nullptr || nodes[top].used)
                continue;
            const NodeImage image = image_of_node(
                nodes, name, [&](const std::string& group) { return has_limits(parts_, group); });
            if (const std::string why = why_gone(image); !why.empty()) {
                device->taken = true;
                result_.dropped(image.was + " " + device->was, why);
                continue;
            }
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
            if (is_true(properties.take("read-only").value_or("")))
                properties.set("readonly", "on");
            backing_[name] = image.backing;
            why_[name] = image.why;
            if (thrown && !properties.has("readonly"))
                add_reason(
                    why_[name],
                    "QEMU's -snapshot does not cover -blockdev, so QEMU wrote to this image");
            parts_.drives.drives.push_back(std::move(drive));
        }
    }

    // Why an image existed for one run only; empty if it did not.
    static std::string why_gone(const NodeImage& image) {
        for (const std::string& node : image.nodes) {
            const Properties properties = Properties::parse(node, "driver");
            for (const auto& [key, value] : properties.all()) {
                if (value.starts_with("/dev/fdset/"))
                    return "its file descriptor belonged to the program that started QEMU: name "
                           "its file with disk=";
                if (key.ends_with("path") && value.find("/libvirt/qemu/") != std::string::npos)
                    return "it needs a server (nbdkit) beside QEMU, which whoever started QEMU "
                           "ran: start one yourself and add the disk with --qemu-arg";
            }
        }
        return {};
    }

    // For an image on the network, or of another format: QEMU gets the nodes as they were.
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
        disk.why = image.not_file.empty()
                       ? "format " + image.format + " is not one that disk = knows"
                       : image.not_file;
        add_left_over(parts_, Properties(), &device, disk);
        // It takes the place that a drive would have here.
        LegacyDrive drive{was, {}};
        drive.properties.set("if", "none");
        drive.properties.set("id", disk.node);
        parts_.drives.drives.push_back(std::move(drive));
        kept_nodes_[disk.node] = std::move(disk);
    }

    // The drives of a floppy controller.
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

    // How the guest sees the device's disk.
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
            const bool q35 = parts_.machine.q35;
            const Properties& said = device.properties;
            const bool other =
                q35 ? is_true(said.get("disable-modern")) || said.get("disable-legacy") == "off"
                    : is_true(said.get("disable-legacy"));
            if (other || !is_as_virtio_here(model, q35))
                disk.model = model;
        } else if (model == "scsi-hd" || model == "scsi-disk" || model == "scsi-cd") {
            disk.bus = "scsi";
            if (!controller.empty() && !controller.starts_with("virtio-scsi"))
                add_reason(
                    disk.why,
                    "the SCSI adapter was " + controller +
                        " and is virtio-scsi now; if the guest has no driver for that, use bus=" +
                        (parts_.machine.q35 ? "sata" : "ide"));
        } else if (model == "ide-hd" || model == "ide-drive" || model == "ide-cd") {
            disk.bus =
                parts_.machine.q35 || controller.find("ahci") != std::string::npos ? "sata" : "ide";
        } else if (model == "usb-storage") {
            disk.bus = "usb";
        } else if (model == "nvme-ns") {
            // Each namespace gets its own controller, which is identified by its serial number.
            disk.model = "nvme";
            const auto above = std::find_if(
                parts_.devices.begin(), parts_.devices.end(), [&](const LegacyDevice& one) {
                    return !bus.empty() && one.properties.get("id") == bus;
                });
            disk.serial = above == parts_.devices.end() ? "1" : above->properties.get("serial");
            add_reason(disk.why, "with a controller of its own");
        } else {
            disk.model = model;
        }
        take_place(device.properties, disk);
        const auto free = free_places_.find(device.properties.get("drive"));
        if (free != free_places_.end()) {
            disk.place = free->second;
            disk.controller = "ata ide";
        }
        return disk;
    }

    ForeignDisk disk_of_interface(const std::string& interface) const {
        ForeignDisk disk;
        const char* const ata = parts_.machine.q35 ? "sata" : "ide";
        disk.bus = interface == "scsi" || interface == "virtio" ? interface : ata;
        if (interface == "scsi")
            add_reason(disk.why,
                       "the SCSI adapter was an LSI 53C895A and is virtio-scsi now; if the guest "
                       "has no driver for that, use bus=" +
                           std::string(ata));
        return disk;
    }

    void translate(LegacyDrive& drive) {
        Properties& properties = drive.properties;
        const std::string id = properties.get("id");
        if (const auto kept = kept_nodes_.find(id); kept != kept_nodes_.end()) {
            parts_.disks.add(std::move(kept->second));
            return;
        }
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
        // driver=nbd,host=...: a driver that is no format reads something other than a file.
        const bool inner =
            (!properties.get("driver").empty() && properties.get("driver") != "qcow2" &&
             properties.get("driver") != "raw") ||
            std::any_of(properties.all().begin(), properties.all().end(),
                        [](const auto& one) { return one.first.starts_with("file."); });
        if (file.empty() && !inner) {
            result_.dropped(was, "the drive is empty");
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
        if (properties.get("media") == "cdrom" && is_cdrom(device, interface))
            disk.kind = ForeignDisk::Kind::cdrom;
        else if (properties.get("media") == "cdrom")
            properties.set("readonly", "on");
        if (device == nullptr && interface == "ide" && properties.has("index")) {
            disk.place = (parts_.machine.q35 ? 2 : 1) * index_of(properties, 2);
            disk.controller = "ata ide";
        }
        disk.ata_number = ata_number(disk);
        if (is_floppy)
            make_floppy(disk, floppy != parts_.drives.floppies.end() ? floppy->first
                              : properties.get("index") == "1"       ? 'B'
                                                                     : 'A');
        const bool known_interface = interface == "ide" || interface == "scsi" ||
                                     interface == "virtio" || interface == "none" ||
                                     interface == "sata" || is_floppy;
        if (!known_interface) {
            result_.dropped(was, "a PC has no disk interface " + quoted_word(interface));
            return;
        }
        if (device != nullptr && disk.bus == "scsi" && disk.kind == ForeignDisk::Kind::disk)
            keep_scsi_id(properties, device->properties, backing_.contains(id) ? "" : id, disk);
        read_disk_properties(parts_, std::move(properties), device, throw_away_, disk);
        if (!disk.gone.empty())
            result_.dropped(was, disk.gone);
        else
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

    LegacyParts& parts_;
    Translation& result_;
    std::map<std::string, ForeignDisk> kept_nodes_;            // by the node that the device uses
    std::map<std::string, std::vector<std::string>> backing_;  // by the drive's id
    std::map<std::string, std::string> why_;
    std::map<std::string, unsigned> free_places_;  // of devices that do not say theirs, by drive
    bool throw_away_ = false;
};

}  // namespace

void translate_disks(LegacyParts& parts) {
    DriveTranslator(parts).translate();
    parts.disks.finish();
}

// Refuses dashes as web pages have them, and words that belong to -drive.
void require_name_of_disk(const std::string& word) {
    constexpr std::array<std::string_view, 7> dashes = {
        "\xe2\x80\x90", "\xe2\x80\x91", "\xe2\x80\x92", "\xe2\x80\x93",
        "\xe2\x80\x94", "\xe2\x80\x95", "\xe2\x88\x92"};
    for (const std::string_view dash : dashes) {
        if (word.starts_with(dash))
            throw LauncherError(quoted_word(word) +
                                " begins with a typographic dash, as copied from a web page, so "
                                "QEMU would take it for a disk: write " +
                                quoted_word("-" + word.substr(dash.size())));
    }
    if (is_one_of(word, {"...", "[...]", "\xe2\x80\xa6", "[\xe2\x80\xa6]"}))
        throw LauncherError(quoted_word(word) +
                            " stands for options that were left out: write them in its place");
    constexpr std::array<std::string_view, 8> keys = {
        "file=", "if=", "index=", "media=", "format=", "cache=", "boot=", "id="};
    if (std::any_of(keys.begin(), keys.end(),
                    [&](std::string_view key) { return word.starts_with(key); }))
        throw LauncherError(quoted_word(word) +
                            " belongs to -drive, but stands alone, so QEMU would take it for a "
                            "disk: is -drive missing before it, or is there a blank too many?");
    // console=ttyS0 and Foundation,product=OpenStack are no names of disks.
    const size_t equals = word.find('=');
    if (equals != std::string::npos && equals < word.find('/'))
        throw LauncherError(quoted_word(word) +
                            " is not an option, so QEMU would take it for a disk (write ./NAME if "
                            "it is one): have quotes been lost, as in the output of `ps'?");
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

}  // namespace tapgate
