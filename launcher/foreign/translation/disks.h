// SPDX-License-Identifier: GPL-2.0-or-later
//
// The disks and CD-ROMs of a foreign VM. Each becomes a setting if disk= or cdrom= can express all
// that the guest sees; otherwise it is kept as a -drive and a -device of QEMU's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/foreign/translation/boot_order.h"
#include "launcher/foreign/translation/machine.h"
#include "launcher/foreign/translation/translation.h"

namespace tapgate {

struct ForeignDisk {
    enum class Kind { disk, cdrom, floppy };
    using Property = std::pair<std::string, std::string>;

    Kind kind = Kind::disk;
    std::string was;
    std::string path;            ///< as written, or a URL if `is_url`
    bool is_url = false;         ///< file= names something other than a file of this host
    std::string format = "raw";  ///< QEMU's word
    std::string bus = "virtio";  ///< virtio, scsi, sata, ide or usb, as seen by the guest
    bool read_only = false;
    bool throw_away = false;  ///< what the guest writes to this disk is discarded
    unsigned number = 0;      ///< its place among the disks of the description
    std::string controller;   ///< the controller that has `place`; empty if no place is given
    unsigned place = 0;       ///< guests count the disks of a controller by it
    std::string cache;        ///< empty for writeback
    bool discard = true;
    std::string serial;
    std::optional<unsigned> ata_number;  ///< QEMU numbers all places of ATA controllers, from 1
    std::vector<std::string> backing;    ///< what its image may depend on
    std::vector<Property> drive;         ///< what only -drive can express
    std::vector<Property> device;        ///< what the guest sees, and only -device can express
    std::string model;               ///< of a -device that tapgate does not make; empty: by the bus
    char letter = 'A';               ///< for a floppy
    std::vector<std::string> nodes;  ///< arguments for -blockdev instead of a -drive
    std::string node;                ///< the node that the device uses
    std::optional<std::uint64_t> order;  ///< bootindex=
    std::string gone;                    ///< why it cannot be opened; empty if it can
    bool boots = false;                  ///< boot=on of qemu-kvm: the first disk
    std::optional<unsigned> rank;        ///< in the boot order; empty: by its bus
    std::string why;
};

class ForeignDisks {
  public:
    ForeignDisks(LegacyMachine& machine, BootOrder& boot, Translation& result)
        : machine_(machine), boot_(boot), result_(result) {}

    void add(ForeignDisk disk) { disks_.push_back(std::move(disk)); }

    /// Writes them all into the result in their order. (How many there are decides which of them
    /// has room.)
    void finish();

  private:
    void order_by_places();
    [[nodiscard]] bool is_setting(const ForeignDisk& disk) const;
    [[nodiscard]] bool takes_room(ForeignDisk& disk);
    static void name_as_before(ForeignDisk& disk, std::optional<unsigned> number);
    [[nodiscard]] std::optional<unsigned> next_ata_number(const ForeignDisk& disk);
    void add_setting(const ForeignDisk& disk);
    void say_where_it_is_found(ForeignDisk& disk) const;
    void keep(ForeignDisk disk);
    void keep_floppy(const ForeignDisk& disk);
    [[nodiscard]] std::vector<std::string> kept_drive(const ForeignDisk& disk,
                                                      const std::string& id) const;
    [[nodiscard]] bool is_on_board(const ForeignDisk& disk) const;
    Properties kept_place(const ForeignDisk& disk, const std::string& id,
                          std::vector<std::string>& arguments);

    LegacyMachine& machine_;
    BootOrder& boot_;
    Translation& result_;
    std::vector<ForeignDisk> disks_;
    std::map<std::string, std::vector<unsigned>> numbers_;  // of disks that became settings, by bus
    unsigned ide_ = 0;                                      // places taken by settings
    unsigned sata_ = 0;
    unsigned ide_disks_ = 0;  // of those, without CD-ROMs
    unsigned sata_disks_ = 0;
    unsigned virtio_ = 0;
    unsigned kept_ = 0;
    unsigned kept_ata_ = 0;     // the next place for a kept disk on that controller
    unsigned ahci_places_ = 6;  // taken on the kept controller
    unsigned ahci_ = 0;
};

/// The formats that disk= supports.
bool is_disk_format(std::string_view format);

}  // namespace tapgate
