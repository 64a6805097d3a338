// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/domain/network_disk.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// Why a drive is left out that nothing is lost with.
constexpr const char* empty_drive = "the drive is empty";

using Property = ForeignDisk::Property;

// The bus that libvirt assumes if only the target's name is given.
std::string bus_by_name(const std::string& target) {
    return target.starts_with("hd")    ? "ide"
           : target.starts_with("sd")  ? "scsi"
           : target.starts_with("vd")  ? "virtio"
           : target.starts_with("fd")  ? "fdc"
           : target.starts_with("xvd") ? "xen"
                                       : "ide";
}

// "sdb" is 1, "vdaa" 26.
unsigned number_in_name(std::string_view target) {
    constexpr unsigned most = 4095;
    unsigned number = 0;
    for (const char letter : target.substr(std::min(target.size(), target.find('d') + 1))) {
        if (letter < 'a' || letter > 'z' || number > most)
            break;
        number = number * 26 + static_cast<unsigned>(letter - 'a') + 1;
    }
    return std::min(number == 0 ? 0 : number - 1, most);
}

// The disk's place in libvirt's list, of which <boot dev='hd'> means the first: the buses in the
// order in which disks used them, and the disks of each by the targets' names.
unsigned place_in_list(std::vector<std::string>& buses, const std::string& bus,
                       std::string_view target) {
    constexpr unsigned most_on_bus = 4096;
    auto known = std::find(buses.begin(), buses.end(), bus);
    if (known == buses.end())
        known = buses.insert(buses.end(), bus);
    return static_cast<unsigned>(known - buses.begin()) * most_on_bus + number_in_name(target);
}

// The chain of images below. Only files and devices of this host become part of backing=.
void read_backing(DomainParts& domain, const pugi::xml_node& disk, ForeignDisk& result) {
    pugi::xml_node store = disk.child("backingStore");
    while (store) {
        domain.xml.attribute(store, "type");
        domain.xml.attribute(store.child("format"), "type");
        const pugi::xml_node source = store.child("source");
        domain.xml.attribute(store, "index");
        std::string path = domain.xml.attribute(source, "file");
        if (path.empty())
            path = domain.xml.attribute(source, "dev");
        if (path.starts_with('/'))
            result.backing.push_back(path);
        else if (source)
            add_reason(result.why,
                       "its image is based on something that is not a file: " + tag_of(source));
        store = store.child("backingStore");
    }
}

// <dataStore>: the file or device that a qcow2 image has its data in, which disk= does not take.
void read_data_store(DomainParts& domain, const pugi::xml_node& disk, ForeignDisk& result) {
    const pugi::xml_node store = disk.child("source").child("dataStore");
    const pugi::xml_node source = store.child("source");
    const bool is_block = source.attribute("dev");
    const std::string path = source.attribute(is_block ? "dev" : "file").value();
    if (!path.starts_with('/') || result.format != "qcow2" ||
        store.child("format").attribute("type").as_string("raw") != std::string_view("raw"))
        return;
    domain.xml.take(store);
    result.drive.emplace_back("data-file.driver", "raw");
    result.drive.emplace_back("data-file.file.driver", is_block ? "host_device" : "file");
    result.drive.emplace_back("data-file.file.filename", path);
    add_reason(result.why, "its data is in " + path);
}

// Properties of the disk, seen by the guest or handled by the host, that disk= cannot express.
void read_extras(DomainParts& domain, const pugi::xml_node& disk, ForeignDisk& result) {
    XmlLeft& xml = domain.xml;
    const auto device = [&](const char* key, const std::string& value) {
        if (!value.empty())
            result.device.emplace_back(key, value);
    };
    const pugi::xml_node blockio = disk.child("blockio");
    const std::string logical = xml.attribute(blockio, "logical_block_size");
    const std::string physical = xml.attribute(blockio, "physical_block_size");
    if (logical != "512" || physical != "512") {
        device("logical_block_size", logical);
        device("physical_block_size", physical);
    }
    if (result.kind == ForeignDisk::Kind::disk) {
        const pugi::xml_node geometry = disk.child("geometry");
        device("cyls", xml.attribute(geometry, "cyls"));
        device("heads", xml.attribute(geometry, "heads"));
        device("secs", xml.attribute(geometry, "secs"));
        const std::string wwn = xml.text(disk.child("wwn"));
        if (result.bus != "virtio" && result.bus != "usb" && !wwn.empty())
            device("wwn", wwn.starts_with("0x") ? wwn : "0x" + wwn);
        else if (!wwn.empty())
            add_reason(result.why, "no " + result.bus + " disk has a wwn");
        if (result.bus == "scsi") {
            device("vendor", xml.text(disk.child("vendor")));
            device("product", xml.text(disk.child("product")));
        }
        if (result.bus != "virtio" && result.bus != "usb")
            device("rotation_rate", xml.attribute(disk.child("target"), "rotation_rate"));
        if ((result.bus == "usb" || result.bus == "scsi") &&
            xml.attribute(disk.child("target"), "removable") == "on")
            device("removable", "on");
        if (disk.child("shareable")) {
            xml.take(disk.child("shareable"));
            device("share-rw", "on");
            if (result.cache.empty()) {
                result.cache = "none";
                add_reason(result.why,
                           "cache=none, as in libvirt for a disk that several VMs share");
            }
        }
    }
    if (disk.child("transient")) {
        xml.attribute(disk.child("transient"), "");
        result.throw_away = true;
        add_reason(result.why, "what the guest writes to it is thrown away, as before");
    }
}

void read_driver(DomainParts& domain, const pugi::xml_node& disk, ForeignDisk& result) {
    const pugi::xml_node driver = disk.child("driver");
    XmlLeft& xml = domain.xml;
    if (const std::string name = xml.attribute(driver, "name"); !name.empty() && name != "qemu")
        add_reason(result.why, "QEMU opens it, not the host's driver " + name);
    const std::string format = xml.attribute(driver, "type");
    if (result.path.starts_with("fat:")) {
        result.format = "raw";
        if (!format.empty() && format != "fat" && format != "raw")
            add_reason(result.why, "a directory is read as raw, not as " + format);
    } else if (format == "iso") {
        result.format = "raw";
        add_reason(result.why, "an ISO image is raw");
    } else if (!format.empty() && format != "aio") {
        result.format = format;
    } else if (result.path.starts_with("/dev/") || result.is_url ||
               result.kind != ForeignDisk::Kind::disk) {
        result.format = "raw";
    } else if (!domain.hypervisor.empty()) {
        result.format = format_by_name(result.path).first;
        add_reason(result.why, "no format is given; by its name it is " + result.format);
    } else {
        result.format = "raw";
        add_reason(result.why, "no format is given; libvirt takes it for raw then");
    }
    const std::string cache = xml.attribute(driver, "cache");
    if (cache != "default")
        result.cache = cache;
    const std::string discard = xml.attribute(driver, "discard");
    result.discard = discard != "ignore";
    // These only change how the host does the same work.
    for (const char* const same : {"io", "ioeventfd", "event_idx", "iothread", "queues",
                                   "queue_size", "packed", "detect_zeroes"}) {
        if (const std::string value = xml.attribute(driver, same); !value.empty())
            add_reason(result.why,
                       std::string(same) + "=" + value + " is left out: tapgate chooses it");
    }
}

std::string kind_of_bus(const DomainParts& domain, const pugi::xml_node& disk, std::string bus,
                        ForeignDisk& result) {
    const std::string model =
        scsi_model_of(domain, disk.child("address").attribute("controller").value());
    if (!domain.hypervisor.empty() &&
        (bus == "xen" || (bus == "scsi" && !model.starts_with("virtio")))) {
        add_reason(result.why, "it was on " +
                                   (bus == "xen" ? "Xen's own bus" : "SCSI (" + model + ")") +
                                   " and is now on SATA, for which most guests have a driver");
        return "sata";
    }
    if (bus == "scsi" && !model.starts_with("virtio")) {
        add_reason(result.why,
                   "the SCSI controller was " + model +
                       " and is virtio-scsi now; if the guest has no driver for that, use bus=" +
                       (domain.machine.q35 ? "sata" : "ide"));
    } else if (bus == "xen" || bus == "uml" || bus == "sd") {
        add_reason(result.why, "bus " + bus + " is now virtio, for which the guest needs a driver");
        bus = "virtio";
    }
    return bus;
}

// The serial number that libvirt gives to a SCSI disk without one; guests find the disk by it in
// /dev/disk/by-id.
std::string scsi_serial(const DomainParts& domain, const pugi::xml_node& disk) {
    const pugi::xml_node place = disk.child("address");
    if (const std::string alias = disk.child("alias").attribute("name").value(); !alias.empty())
        return "drive-" + alias;
    if (!place)
        return {};
    const std::string controller = place.attribute("controller").as_string("0");
    std::string serial = "drive-scsi" + controller;
    const bool has_targets = !scsi_model_of(domain, controller).starts_with("lsi");
    for (const char* const part : {"bus", "target", "unit"}) {
        if (has_targets || std::string_view(part) != "target")
            serial += std::string("-") + place.attribute(part).as_string("0");
    }
    return serial;
}

void add_scsi_serial(const DomainParts& domain, const pugi::xml_node& disk, ForeignDisk& result) {
    if (result.kind != ForeignDisk::Kind::disk || result.bus != "scsi" ||
        !domain.hypervisor.empty())
        return;
    const std::string name = scsi_serial(domain, disk);
    if (!DiskSerial::parse(name))
        return;
    result.serial = name;
    add_reason(result.why,
               "libvirt gave it this serial number, by which the guest may look for it");
}

// The number of the disk's place among those of all ATA controllers, as QEMU counts: the board's
// four on IDE or twelve on SATA, two for each port, come first. Nothing if the disk has no place.
std::optional<unsigned> ata_number(const DomainParts& domain, const pugi::xml_node& disk,
                                   const std::string& bus) {
    const bool q35 = domain.machine.q35;
    if (!domain.hypervisor.empty() || !(bus == "sata" || (bus == "ide" && !q35)))
        return std::nullopt;
    constexpr unsigned most_ide = 4;
    constexpr unsigned most_sata = 6;
    unsigned controller = 0;
    unsigned place = 0;
    if (const pugi::xml_node address = disk.child("address")) {
        controller = address.attribute("controller").as_uint();
        place = address.attribute("bus").as_uint() * 2 + address.attribute("unit").as_uint();
    } else {
        const std::string name = disk.child("target").attribute("dev").value();
        if (name.size() != 3 || name[2] < 'a' || name[2] > 'z')
            return std::nullopt;
        place = static_cast<unsigned>(name[2] - 'a');
        controller = bus == "sata" ? place / most_sata : 0;
        place -= controller * most_sata;
    }
    constexpr unsigned most_controllers = 256;
    if (controller >= (bus == "ide" ? 1 : most_controllers) ||
        place >= (bus == "ide" ? most_ide : most_sata))
        return std::nullopt;
    if (bus == "ide")
        return place + 1;
    return (q35 ? 0 : most_ide) + 2 * (controller * most_sata + place) + 1;
}

// The readers of a disk's contents return why it cannot be had; nothing if it can.

// A directory as a disk, for which QEMU makes up a FAT file system.
std::string read_directory(XmlLeft& xml, const pugi::xml_node& disk, ForeignDisk& result) {
    const std::string directory = xml.attribute(disk.child("source"), "dir");
    if (!directory.starts_with('/') || directory.find(':') != std::string::npos)
        return "its directory is not absolute, or has a colon in its name";
    const bool writable = !disk.child("readonly");
    result.path = std::string("fat:") +
                  (result.kind == ForeignDisk::Kind::floppy ? "floppy:" : "") +
                  (writable ? "rw:" : "") + directory;
    result.is_url = true;
    return {};
}

bool is_format_of_qemu(std::string_view format) {
    constexpr std::array<std::string_view, 15> formats = {
        "raw",  "aio",   "bochs", "cloop", "dmg",  "iso",  "luks", "parallels",
        "qcow", "qcow2", "qed",   "vdi",   "vhdx", "vmdk", "vpc"};
    return is_one_of(format, formats);
}

// The card itself, which QEMU drives.
std::string read_nvme_card(XmlLeft& xml, const pugi::xml_node& source, ForeignDisk& result) {
    const pugi::xml_node address = source.child("address");
    result.path =
        "nvme://" + domain_pci_address(xml, address) + "/" + xml.attribute(source, "namespace");
    result.is_url = true;
    result.was += tag_of(address);
    xml.take(address);
    for (const char* const plain : {"type", "managed"})
        xml.attribute(source, plain);
    add_reason(result.why,
               "the card has to be bound to vfio-pci, and you need access to /dev/vfio");
    return {};
}

std::string read_network(XmlLeft& xml, const pugi::xml_node& disk, const std::string& format,
                         ForeignDisk& result) {
    const NetworkDisk network = read_network_disk(xml, disk, format);
    result.path = network.file;
    result.is_url = true;
    return network.why_not;
}

std::string option_of(const ForeignDisk& disk) {
    return disk.kind == ForeignDisk::Kind::cdrom ? "cdrom" : "disk";
}

// A file or a block device, by its path.
std::string read_path(XmlLeft& xml, const pugi::xml_node& source, const std::string& format,
                      ForeignDisk& result) {
    result.path = xml.attribute(source, "file");
    if (result.path.empty())
        result.path = xml.attribute(source, "dev");
    if (result.path.empty())
        return empty_drive;
    if (!result.path.starts_with('/') || !HostPath::parse(result.path, "/"))
        return "its path is not absolute, or not UTF-8: give the file as it is here with --" +
               option_of(result) + "=";
    if (const std::string group = xml.attribute(source, "fdgroup"); !group.empty())
        add_reason(result.why, "whoever started QEMU had it open (fdgroup " + group +
                                   "): here it is opened by its path");
    if (const std::string slice = read_slice(xml, source, result.path, format); !slice.empty()) {
        result.path = slice;
        result.is_url = true;
        add_reason(result.why,
                   "only a part of its file: " + tag_of(source.child("slices").child("slice")));
    }
    return {};
}

// Kinds of disks that nothing here can have.
std::string why_no_source(const pugi::xml_node& disk, const ForeignDisk& result) {
    const pugi::xml_node source = disk.child("source");
    const std::string_view type = disk.attribute("type").value();
    if (!source)
        return result.kind == ForeignDisk::Kind::disk ? "the domain does not say what is in it"
                                                      : empty_drive;
    if (disk.child("encryption") || source.child("encryption"))
        return "it is encrypted, and libvirt keeps the key: get it with virsh secret-get-value, "
               "put it into a file, and add the disk with --qemu-arg=-object --qemu-arg=secret,... "
               "and a -blockdev of luks";
    if (type == "volume")
        return "it is a volume in a pool of libvirt: `" +
               shell_text({"virsh", "vol-path", "--pool", source.attribute("pool").value(),
                           source.attribute("volume").value()}) +
               "' shows its file, which --" + option_of(result) + "= takes";
    return type == "vhostuser" || type == "vhostvdpa" ? "disk= has no source of this kind" : "";
}

std::string read_contents(XmlLeft& xml, const pugi::xml_node& disk, const std::string& type,
                          ForeignDisk& result) {
    if (std::string why_not = why_no_source(disk, result); !why_not.empty())
        return why_not;
    const pugi::xml_node source = disk.child("source");
    if (type == "nvme")
        return read_nvme_card(xml, source, result);
    if (type == "dir")
        return read_directory(xml, disk, result);
    const std::string said = disk.child("driver").attribute("type").value();
    const std::string format = said.empty() ? "raw" : said;
    if (!is_format_of_qemu(format))
        return "QEMU does not know the format " + quoted_word(format);
    return type == "network" ? read_network(xml, disk, format, result)
                             : read_path(xml, source, format, result);
}

// <source>: what is in the disk. If it cannot be had, drops the disk and returns false.
bool read_source(DomainParts& domain, const pugi::xml_node& disk, ForeignDisk& result) {
    const std::string type = domain.xml.attribute(disk, "type");
    domain.xml.attribute(disk.child("source"), "index");
    const std::string why_not = read_contents(domain.xml, disk, type, result);
    if (!why_not.empty()) {
        domain.drop(disk, why_not);
        if (why_not != empty_drive)
            domain.boot.set_incomplete();
    }
    return why_not.empty();
}

}  // namespace

void read_domain_disk(DomainParts& domain, const pugi::xml_node& disk) {
    XmlLeft& xml = domain.xml;
    const pugi::xml_node target = disk.child("target");
    const std::string name = xml.attribute(target, "dev");
    std::string bus = xml.attribute(target, "bus");
    const std::string device = xml.attribute(disk, "device");
    const bool has_bus = !bus.empty();
    if (!has_bus)
        bus = device == "floppy" ? "fdc" : bus_by_name(name);
    const unsigned rank = place_in_list(domain.disk_buses, bus, name);
    if (keep_domain_vhost_disk(domain, disk, rank))
        return;
    ForeignDisk result;
    result.rank = rank;
    result.was = tag_of(disk) + (disk.child("source") ? tag_of(disk.child("source")) : "") +
                 (target ? tag_of(target) : "");
    if (!has_bus && !name.starts_with("hd"))
        add_reason(result.why, "no bus is given; by its name it was on " + bus);
    result.kind = device == "cdrom"    ? ForeignDisk::Kind::cdrom
                  : device == "floppy" ? ForeignDisk::Kind::floppy
                                       : ForeignDisk::Kind::disk;
    if (const std::string model = xml.attribute(disk, "model"); !model.empty())
        add_reason(result.why, "model=" + model + " is left out: tapgate chooses it");
    if (!read_source(domain, disk, result))
        return;
    if (device == "lun")
        add_reason(
            result.why,
            "it is now an ordinary disk: the guest's own SCSI commands do not reach the device");
    result.read_only = static_cast<bool>(disk.child("readonly"));
    xml.take(disk.child("readonly"));
    result.order = boot_order_of(domain, disk);
    result.letter = name.ends_with('b') ? 'B' : 'A';
    result.bus = kind_of_bus(domain, disk, bus == "fdc" ? "ide" : bus, result);
    read_backing(domain, disk, result);
    read_driver(domain, disk, result);
    read_data_store(domain, disk, result);
    result.serial = xml.text(disk.child("serial"));
    if (result.serial.empty())
        add_scsi_serial(domain, disk, result);
    result.ata_number = ata_number(domain, disk, bus);
    // A guest finds disks on virtio in the order of their places, whatever libvirt calls them.
    if (const auto place = domain_pci_place(disk); place && bus == "virtio") {
        result.controller = "pci";
        result.place = *place;
    }
    if (result.kind != ForeignDisk::Kind::disk) {
        if (!result.serial.empty())
            add_reason(result.why, "the serial number " + result.serial + " is left out");
        result.serial.clear();
        result.discard = true;
    }
    read_extras(domain, disk, result);
    if (bus == "nvme") {
        result.model = "nvme";
        if (result.serial.empty())
            result.serial = domain.nvme_serial.empty() ? "1" : domain.nvme_serial;
    }
    if (result.bus == "usb" && !domain.usb_controller.empty())
        add_reason(result.why, "the USB controller was " + domain.usb_controller);
    result.why = domain.with_left(disk, result.why);
    domain.disks.add(std::move(result));
}

}  // namespace tapgate
