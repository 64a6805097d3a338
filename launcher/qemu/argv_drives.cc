// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/argv_drives.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

using Json = ArgvJson;

std::string on_off(bool value) {
    return value ? "on" : "off";
}

struct CacheMode {
    bool write_cache;
    bool direct;
    bool no_flush;
};

CacheMode mode_of(DiskCache cache) {
    switch (cache) {
        case DiskCache::writeback:
            return {true, false, false};
        case DiskCache::writethrough:
            return {false, false, false};
        case DiskCache::none:
            return {true, true, false};
        case DiskCache::directsync:
            return {false, true, false};
        case DiskCache::unsafe:
            return {true, false, true};
    }
    throw std::logic_error("a cache mode without a meaning");
}

// The driver for the bytes of a disk or CD-ROM.
std::string_view protocol_of(const std::string& path, const HostDevices& devices) {
    return devices.cd_drives.contains(path)       ? "host_cdrom"
           : devices.block_devices.contains(path) ? "host_device"
                                                  : "file";
}

std::string discard_of(const Disk& disk) {
    return disk.discard ? "unmap" : "ignore";
}

class DriveWriter {
  public:
    DriveWriter(ArgvWriter& argv, const VmSpec& spec, const HostDevices& devices)
        : argv_(argv), spec_(spec), devices_(devices) {}

    void add_disks() {
        const auto has_bus = [&](DiskBus bus) {
            return std::any_of(spec_.disks.begin(), spec_.disks.end(),
                               [&](const Disk& disk) { return disk.bus == bus; });
        };
        if (has_bus(DiskBus::scsi))
            argv_.add_device({{"driver", "virtio-scsi-pci"}, {"id", "scsi0"}});
        if (has_bus(DiskBus::sata) && !spec_.machine.is_q35())
            argv_.add_device({{"driver", "ich9-ahci"}, {"id", "sata0"}});
        for (size_t i = 0; i < spec_.disks.size(); i++)
            add_disk(i);
    }

    void add_cdroms() {
        for (size_t i = 0; i < spec_.cdroms.size(); i++) {
            const std::string id = "cdrom" + std::to_string(i);
            argv_.add_json("-blockdev",
                           Json{{"driver", protocol_of(spec_.cdroms[i].str(), devices_)},
                                {"node-name", id + "-image-file"},
                                {"filename", spec_.cdroms[i].str()},
                                {"aio", "threads"},
                                {"read-only", true}});
            argv_.add_json("-blockdev", Json{{"driver", "raw"},
                                             {"node-name", id + "-image"},
                                             {"file", id + "-image-file"},
                                             {"read-only", true}});
            Json device =
                next_ata_place("ide-cd", spec_.machine.is_q35() ? DiskBus::sata : DiskBus::ide);
            device["id"] = id;
            device["drive"] = id + "-image";
            argv_.set_boot_index(device, BootDevice::cdrom, i);
            argv_.add_json("-device", device);
        }
    }

  private:
    // The image below `node`. When what the guest writes is to be discarded, by -drive instead of
    // -blockdev, since only -drive can do that.
    void add_image(const std::string& node, const Disk& disk) {
        if (spec_.snapshot && !disk.read_only) {
            argv_.add("-drive",
                      "if=none,id=" + node +
                          ",snapshot=on,driver=" + std::string(name_of(disk.format)) +
                          ",file.driver=" + std::string(protocol_of(disk.path.str(), devices_)) +
                          ",file.aio=threads,file.filename=" + commas_doubled(disk.path.str()) +
                          ",discard=" + discard_of(disk));
            return;
        }
        const DiskNodes nodes = disk_nodes(disk, node, devices_);
        argv_.add_json("-blockdev", nodes.file);
        argv_.add_json("-blockdev", nodes.image);
    }

    void add_disk(size_t i) {
        const Disk& disk = spec_.disks[i];
        const std::string id = "disk" + std::to_string(i);
        add_image(id + "-image", disk);
        Json device;
        switch (disk.bus) {
            case DiskBus::virtio:
                // Without an iothread. Since QEMU 9.0, which retries failed requests there
                // (virtio_blk_dma_restart_cb() in hw/block/virtio-blk.c), a guest whose disk was
                // full often never learns that its requests are done.
                device = {{"driver", "virtio-blk-pci"}};
                break;
            case DiskBus::scsi:
                device = {{"driver", "scsi-hd"}, {"bus", "scsi0.0"}, {"scsi-id", i}};
                break;
            case DiskBus::sata:
            case DiskBus::ide:
                device = next_ata_place("ide-hd", disk.bus);
                break;
        }
        complete_disk_device(device, disk, id);
        argv_.set_boot_index(device, BootDevice::disk, i);
        if (disk.bus == DiskBus::virtio)
            argv_.add_device(device);
        else
            argv_.add_json("-device", device);
    }

    // q35 has six SATA buses, ide.0 to ide.5. pc has two IDE buses with two devices each, and SATA
    // only by ich9-ahci.
    Json next_ata_place(std::string_view driver, DiskBus bus) {
        if (bus == DiskBus::sata) {
            const std::string controller = spec_.machine.is_q35() ? "ide." : "sata0.";
            return {{"driver", driver}, {"bus", controller + std::to_string(sata_++)}};
        }
        const unsigned place = ide_++;
        return {
            {"driver", driver}, {"bus", "ide." + std::to_string(place / 2)}, {"unit", place % 2}};
    }

    ArgvWriter& argv_;
    const VmSpec& spec_;
    const HostDevices& devices_;
    unsigned sata_ = 0;  // places taken
    unsigned ide_ = 0;
};

}  // namespace

DiskNodes disk_nodes(const Disk& disk, const std::string& node, const HostDevices& devices) {
    const CacheMode mode = mode_of(disk.cache);
    const std::string discard = discard_of(disk);
    const Json cache = {{"direct", mode.direct}, {"no-flush", mode.no_flush}};
    DiskNodes nodes;
    nodes.file = {{"driver", protocol_of(disk.path.str(), devices)},
                  {"node-name", node + "-file"},
                  {"filename", disk.path.str()},
                  {"aio", "threads"},
                  {"discard", discard},
                  {"cache", cache},
                  {"auto-read-only", true}};
    nodes.image = {{"driver", name_of(disk.format)},
                   {"node-name", node},
                   {"file", node + "-file"},
                   {"discard", discard},
                   {"cache", cache},
                   {"read-only", disk.read_only}};
    if (disk.discard && !disk.read_only)
        nodes.image["detect-zeroes"] = "unmap";
    return nodes;
}

void complete_disk_device(ArgvJson& device, const Disk& disk, const std::string& id) {
    device["id"] = id;
    device["drive"] = id + "-image";
    device["write-cache"] = on_off(mode_of(disk.cache).write_cache);
    if (disk.serial)
        device["serial"] = disk.serial->str();
    if (disk.ssd)
        device["rotation_rate"] = 1;
}

void add_drives(ArgvWriter& argv, const VmSpec& spec, const HostDevices& devices) {
    DriveWriter writer(argv, spec, devices);
    writer.add_disks();
    writer.add_cdroms();
}

}  // namespace tapgate
