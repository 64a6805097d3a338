// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translation/disks.h"

#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

// How many a machine has room for: on pc's IDE, on SATA of q35 or of a controller, and as many
// virtio disks as leave room for adapters on pc's one PCI bus.
constexpr unsigned most_ide = 4;
constexpr unsigned most_sata = 6;
constexpr unsigned most_virtio_on_pc = 14;

// Firmware looks for disks bus by bus, in this order (SeaBIOS' src/block.c), and on each by their
// places.
unsigned rank_of(const ForeignDisk& disk) {
    constexpr unsigned most_disks = 4096;
    constexpr std::array<std::string_view, 4> order = {"ide", "sata", "virtio", "scsi"};
    if (disk.boots)
        return 0;
    if (disk.rank)
        return *disk.rank;
    const bool last = disk.model.starts_with("nvme");
    const auto bus =
        (last ? order.end() : std::find(order.begin(), order.end(), disk.bus)) - order.begin() + 1;
    return static_cast<unsigned>(bus) * most_disks + std::min(disk.number, most_disks - 1);
}

// Does it say no more than that nothing rotates in it, as ssd= does?
bool is_only_ssd(const ForeignDisk& disk) {
    return disk.kind == ForeignDisk::Kind::disk && disk.device.size() == 1 &&
           disk.device[0] == ForeignDisk::Property("rotation_rate", "1");
}

// Guests read serial numbers from a field that has no room for more, except on SCSI; QEMU cuts off
// the rest. Clouds name volumes by 36 characters.
void shorten_serial(ForeignDisk& disk) {
    constexpr size_t most = 20;
    if (disk.bus == "scsi" || disk.serial.size() <= most)
        return;
    add_reason(disk.why, "a guest reads only 20 characters of serial=" + disk.serial);
    disk.serial.resize(most);
}

// Would cdrom = read it the same way?
bool is_read_raw(const ForeignDisk& disk) {
    return disk.format.empty() || disk.format == "raw" || disk.format.starts_with("host_");
}

}  // namespace

bool is_disk_format(std::string_view format) {
    return image_format(format).has_value();
}

// Firmware and guests find disks place by place, in whatever order they were written.
void ForeignDisks::order_by_places() {
    std::map<std::string, std::vector<size_t>> seats;  // by controller
    for (size_t i = 0; i < disks_.size(); i++) {
        if (!disks_[i].controller.empty())
            seats[disks_[i].controller].push_back(i);
    }
    for (const auto& [controller, places] : seats) {
        std::vector<ForeignDisk> disks;
        for (const size_t at : places)
            disks.push_back(std::move(disks_[at]));
        std::stable_sort(
            disks.begin(), disks.end(),
            [](const ForeignDisk& a, const ForeignDisk& b) { return a.place < b.place; });
        for (size_t i = 0; i < places.size(); i++)
            disks_[places[i]] = std::move(disks[i]);
    }
}

void ForeignDisks::finish() {
    order_by_places();
    std::vector<ForeignDisk> kept;
    for (unsigned number = 0; number < disks_.size(); number++) {
        disks_[number].number = number;
        shorten_serial(disks_[number]);
    }
    for (ForeignDisk& disk : disks_) {
        if (disk.kind == ForeignDisk::Kind::floppy || !is_setting(disk) || !takes_room(disk)) {
            kept.push_back(std::move(disk));
            continue;
        }
        if (const auto number = next_ata_number(disk))
            name_as_before(disk, number);
        add_setting(disk);
        if (disk.kind == ForeignDisk::Kind::disk)
            numbers_[disk.bus].push_back(disk.number);
    }
    // They get the last places, in their order.
    const auto on_board = static_cast<unsigned>(std::count_if(
        kept.begin(), kept.end(), [&](const ForeignDisk& disk) { return is_on_board(disk); }));
    const unsigned taken = machine_.q35 ? sata_ : ide_;
    const unsigned most = machine_.q35 ? most_sata : most_ide;
    kept_ata_ = std::max(taken, most - std::min(on_board, most));
    for (ForeignDisk& disk : kept) {
        say_where_it_is_found(disk);
        if (disk.kind == ForeignDisk::Kind::floppy)
            keep_floppy(disk);
        else
            keep(std::move(disk));
    }
    disks_.clear();
}

// A guest counts disks as it finds them: on pc, those that are kept come after tapgate's; on q35
// they come before them, since tapgate's are behind ports.
void ForeignDisks::say_where_it_is_found(ForeignDisk& disk) const {
    const std::string bus =
        disk.model.empty() || disk.model == "virtio-blk" || disk.model.starts_with("virtio-blk-pci")
            ? disk.bus
            : "";
    const auto others = numbers_.find(bus);
    if (disk.kind != ForeignDisk::Kind::disk || bus.empty() || bus == "usb" ||
        others == numbers_.end())
        return;
    // The last places on the board's controller, or a controller after it.
    const bool ata = bus == "ide" || bus == "sata";
    const bool before = machine_.q35 && !ata;
    const bool moves = std::any_of(
        others->second.begin(), others->second.end(),
        [&](unsigned other) { return before ? other < disk.number : other > disk.number; });
    if (moves)
        add_reason(disk.why, "the guest finds it " + std::string(before ? "before" : "behind") +
                                 " its other disks on " + bus + ": /dev/" +
                                 (bus == "virtio" ? "vda" : "sda") +
                                 " may be another disk now, but names in by-uuid still hold");
}

bool ForeignDisks::is_setting(const ForeignDisk& disk) const {
    if (disk.is_url || disk.throw_away || !disk.drive.empty() ||
        !(disk.device.empty() || is_only_ssd(disk)) || !disk.model.empty() || !disk.nodes.empty() ||
        disk.bus == "usb" || !(disk.serial.empty() || DiskSerial::parse(disk.serial)))
        return false;
    if (!HostPath::parse(disk.path, machine_.directory))
        return false;
    if (disk.kind == ForeignDisk::Kind::cdrom)
        return is_read_raw(disk);
    return is_disk_format(disk.format);
}

// Counts the disk in if there is room; adds a reason if it needs another bus.
bool ForeignDisks::takes_room(ForeignDisk& disk) {
    const bool ata = disk.kind == ForeignDisk::Kind::cdrom || disk.bus == "ide";
    const bool ide = !machine_.q35 && ata;
    const bool sata = (machine_.q35 && ata) || disk.bus == "sata";
    if (disk.read_only && disk.kind == ForeignDisk::Kind::disk && (ide || sata)) {
        add_reason(disk.why, "an IDE or SATA disk cannot be read-only, so it is on virtio");
        disk.bus = "virtio";
    } else if (ide) {
        return ide_ < most_ide && ++ide_ > 0;
    } else if (sata) {
        if (sata_ >= most_sata)
            return false;
        sata_++;
        if (disk.kind == ForeignDisk::Kind::disk && disk.bus == "ide") {
            add_reason(disk.why, "q35 has SATA instead of IDE");
            disk.bus = "sata";
        }
        return true;
    }
    if (disk.bus == "virtio" && !machine_.q35 && ++virtio_ > most_virtio_on_pc) {
        add_reason(
            disk.why,
            "there is no room for more virtio disks on one PCI bus, so it is on virtio-scsi");
        disk.bus = "scsi";
    }
    return true;
}

// The number of the place that a disk gets here. Disks come before CD-ROMs; on SATA, QEMU counts
// two places for each port.
std::optional<unsigned> ForeignDisks::next_ata_number(const ForeignDisk& disk) {
    if (disk.kind != ForeignDisk::Kind::disk)
        return std::nullopt;
    if (disk.bus == "ide")
        return ++ide_disks_;
    if (disk.bus == "sata")
        return (machine_.q35 ? 0 : most_ide) + 2 * sata_disks_++ + 1;
    return std::nullopt;
}

// QEMU derives the serial number of an ATA disk without one from its place, and a guest may know
// the disk by it (/dev/disk/by-id).
void ForeignDisks::name_as_before(ForeignDisk& disk, std::optional<unsigned> number) {
    if (!disk.ata_number || disk.ata_number == number || !disk.serial.empty() ||
        disk.kind != ForeignDisk::Kind::disk)
        return;
    constexpr size_t digits = 5;
    const std::string text = std::to_string(*disk.ata_number);
    disk.serial = "QM" + std::string(digits - std::min(text.size(), digits), '0') + text;
    add_reason(disk.why, "the serial number is the one that it had in its old place");
}

void ForeignDisks::add_setting(const ForeignDisk& disk) {
    std::string why = disk.why;
    if (disk.kind == ForeignDisk::Kind::cdrom) {
        if (disk.bus == "scsi" || disk.bus == "virtio")
            add_reason(why, std::string("the drive was on ") +
                                (disk.bus == "scsi" ? "SCSI" : "virtio") + " and is now on " +
                                (machine_.q35 ? "SATA" : "IDE"));
        if (!disk.cache.empty() && disk.cache != "writeback")
            add_reason(why, "left out: cache=" + disk.cache);
        result_.set("cdrom", disk.path);
        result_.changed(disk.was, "cdrom = " + disk.path, why);
        boot_.add(BootKind::cdrom, disk.order);
        return;
    }
    std::string value = commas_doubled(disk.path) + ",format=" + disk.format + ",bus=" + disk.bus;
    if (disk.read_only)
        value += ",readonly=on";
    if (!disk.cache.empty() && disk.cache != "writeback")
        value += ",cache=" + disk.cache;
    if (!disk.discard)
        value += ",discard=off";
    if (is_only_ssd(disk) && disk.bus != "virtio")
        value += ",ssd=on";
    else if (is_only_ssd(disk))
        add_reason(why, "no virtio disk says that it is an SSD");
    if (!disk.serial.empty())
        value += ",serial=" + disk.serial;
    for (const std::string& one : disk.backing)
        value += ",backing=" + commas_doubled(one);
    result_.set("disk", value);
    result_.changed(disk.was, "disk = " + value, why);
    boot_.add(BootKind::disk, disk.order, rank_of(disk));
}

std::vector<std::string> ForeignDisks::kept_drive(const ForeignDisk& disk,
                                                  const std::string& id) const {
    Properties drive;
    drive.set("if", "none");
    drive.set("id", id);
    if (!disk.format.empty())
        drive.set("format", disk.format);
    if (!disk.path.empty())
        drive.set("file", machine_.absolute(disk.path));
    if (disk.kind == ForeignDisk::Kind::cdrom)
        drive.set("media", "cdrom");
    if (disk.read_only)
        drive.set("readonly", "on");
    if (disk.throw_away)
        drive.set("snapshot", "on");
    if (!disk.cache.empty())
        drive.set("cache", disk.cache);
    // As with disk=.
    if (disk.discard && !disk.read_only && disk.kind == ForeignDisk::Kind::disk)
        drive.set("discard", "unmap");
    for (const auto& [key, value] : disk.drive)
        drive.set(key, value);
    return {"-drive", drive.str()};
}

// Is a kept disk on the board's own IDE or SATA controller?
bool ForeignDisks::is_on_board(const ForeignDisk& disk) const {
    const bool ata = disk.model.empty() || disk.model.starts_with("ide-");
    return ata && disk.kind != ForeignDisk::Kind::floppy && disk.bus != "usb" &&
           disk.bus != "scsi" && disk.bus != "virtio" && (machine_.q35 || disk.bus == "ide");
}

// The device on its bus; `arguments` gets a controller if the device needs its own.
Properties ForeignDisks::kept_place(const ForeignDisk& disk, const std::string& id,
                                    std::vector<std::string>& arguments) {
    const bool cd = disk.kind == ForeignDisk::Kind::cdrom;
    const std::string ata = cd ? "ide-cd" : "ide-hd";
    Properties device;
    if (disk.model.starts_with("scsi-") || (disk.model.empty() && disk.bus == "scsi")) {
        arguments.insert(arguments.end(), {"-device", "virtio-scsi-pci,id=" + id + "-bus"});
        device.set("driver", !disk.model.empty() ? disk.model : cd ? "scsi-cd" : "scsi-hd");
        device.set("bus", id + "-bus.0");
    } else if (!disk.model.empty() && !disk.model.starts_with("ide-")) {
        if (disk.model == "sd-card" || disk.model == "emmc")
            arguments.insert(arguments.end(), {"-device", "sdhci-pci"});
        device.set("driver", disk.model);
    } else if (disk.bus == "virtio") {
        device.set("driver", "virtio-blk-pci");
    } else {
        device.set("driver", ata);
        if (is_on_board(disk) && kept_ata_ < (machine_.q35 ? most_sata : most_ide)) {
            const unsigned place = kept_ata_++;
            device.set("bus", "ide." + std::to_string(machine_.q35 ? place : place / 2));
            if (!machine_.q35)
                device.set("unit", std::to_string(place % 2));
        } else {
            if (ahci_places_ == most_sata) {
                ahci_places_ = 0;
                arguments.insert(arguments.end(),
                                 {"-device", "ich9-ahci,id=keptsata" + std::to_string(ahci_++)});
            }
            device.set("bus", "keptsata" + std::to_string(ahci_ - 1) + "." +
                                  std::to_string(ahci_places_++));
        }
    }
    return device;
}

void ForeignDisks::keep(ForeignDisk disk) {
    name_as_before(disk, std::nullopt);
    if (disk.kind == ForeignDisk::Kind::cdrom && !is_read_raw(disk))
        add_reason(disk.why, "cdrom = is read as raw, and this one is " + disk.format);
    const std::string id = "kept" + std::to_string(kept_++);
    std::vector<std::string> arguments = disk.nodes.empty() ? kept_drive(disk, id) : disk.nodes;
    const bool usb = disk.bus == "usb" || disk.model.starts_with("usb-");
    Properties device;
    if (usb)
        device.set("driver", disk.model.empty() ? "usb-storage" : disk.model);
    else
        device = kept_place(disk, id, arguments);
    device.set("drive", disk.nodes.empty() ? id : disk.node);
    const bool has_drive = disk.model != "usb-uas";
    if (!disk.serial.empty() && has_drive)
        device.set("serial", disk.serial);
    // Older QEMUs shortened it for device_id= themselves, which newer ones refuse to do.
    constexpr size_t most_id = 20;
    if (disk.serial.size() > most_id && device.get("driver").starts_with("scsi-"))
        device.set("device_id", disk.serial.substr(0, most_id));
    for (const auto& [key, value] : disk.device)
        device.set(key, value);
    if (disk.kind == ForeignDisk::Kind::disk && disk.bus != "usb" && !disk.backing.empty())
        add_reason(disk.why, "including the images below its own");
    const BootKind kind = disk.kind == ForeignDisk::Kind::cdrom ? BootKind::cdrom : BootKind::disk;
    // QEMU has no bootindex= for a card in a reader, and no BIOS boots from one.
    const bool card = disk.model == "sd-card" || disk.model == "emmc";
    const std::string place = card ? "" : boot_.add_kept(kind, disk.order, rank_of(disk));
    if (usb) {
        keep_usb_device(disk.was, arguments, device, machine_, result_, place, disk.why);
        return;
    }
    arguments.insert(arguments.end(), {"-device", device.str("driver") + place});
    result_.keep(disk.was, arguments, disk.why);
}

// A floppy has no device of its own, since the machine's controller has the drive.
void ForeignDisks::keep_floppy(const ForeignDisk& disk) {
    Properties drive;
    drive.set("if", "floppy");
    drive.set("index", disk.letter == 'A' ? "0" : "1");
    if (!disk.format.empty())
        drive.set("format", disk.format);
    drive.set("file", machine_.absolute(disk.path));
    if (disk.read_only)
        drive.set("readonly", "on");
    if (!disk.cache.empty())
        drive.set("cache", disk.cache);
    for (const auto& [key, value] : disk.drive)
        drive.set(key, value);
    result_.keep(disk.was, {"-drive", drive.str()}, disk.why);
    boot_.add_floppy(disk.letter, disk.order);
}

}  // namespace tapgate
