// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a foreign VM boots from, device by device: in the form of `boot', and as bootindex= for
// devices that are kept as they were.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

enum class BootKind { disk, floppy, cdrom, net };

/// The order in which firmware tries devices for which no order is given.
inline constexpr BootKind default_boot_order[] = {BootKind::disk, BootKind::floppy, BootKind::cdrom,
                                                  BootKind::net};

/// For a device that may not be a disk, such as one of the host's: after all disks.
inline constexpr unsigned last_rank = ~0U;

class BootOrder {
  public:
    /// Adds a device that has become a setting: the next of its kind (disk=, cdrom=, net=). `order`
    /// is its bootindex= or <boot order=>; `rank` says which of a kind the firmware tries first if
    /// there is no order.
    void add(BootKind kind, std::optional<std::uint64_t> order, unsigned rank = 0);

    /// Adds a device that is kept for QEMU as it was. Returns what its -device has for its place.
    [[nodiscard]] std::string add_kept(BootKind kind, std::optional<std::uint64_t> order,
                                       unsigned rank = 0);

    /// Adds the floppy drive A: or B: of -drive if=floppy, which has no -device.
    void add_floppy(char letter, std::optional<std::uint64_t> order);

    /// Sets the order of kinds, as from -boot, for devices without an order of their own.
    void set_kinds(std::vector<BootKind> kinds, const std::string& was);

    /// Boots only from what the description names: -boot strict=on, libvirt's <boot dev=>.
    void set_strict() { strict_ = true; }

    /// Boots only from the first device of each kind that was named, as libvirt does.
    void set_first_of_kind() { first_of_kind_ = true; }

    /// A disk or a CD-ROM is left out: whoever adds it has to name it in `boot`, too.
    void set_incomplete() { incomplete_ = true; }

    /// Whether the description says anything about the order.
    [[nodiscard]] bool is_said() const { return !was_.empty(); }

    /// Whether there is a disk or a CD-ROM drive to boot from.
    [[nodiscard]] bool has_drive() const;

    /// Adds words for the note: what gave devices an order.
    void add_source(const std::string& was);

    /// Writes `boot`, and the places of what was kept, into `result`. Adds a note if the
    /// description gives an order, or if the order is not tapgate's own.
    void finish(Translation& result, std::string why = {});

  private:
    struct Entry {
        BootKind kind = BootKind::disk;
        unsigned index = 0;  // among settings of its kind, or the number of a kept device
        bool kept = false;
        char floppy = 0;
        std::optional<std::uint64_t> order = std::nullopt;
        unsigned rank = 0;
    };

    [[nodiscard]] std::vector<Entry> sequence() const;
    [[nodiscard]] unsigned count(BootKind kind) const;
    [[nodiscard]] std::string words(const std::vector<Entry>& sequence) const;
    void write_places(const std::vector<Entry>& sequence, Translation& result) const;

    std::vector<Entry> entries_;
    std::vector<BootKind> kinds_;
    std::string was_;
    bool strict_ = false;
    bool first_of_kind_ = false;
    bool incomplete_ = false;
    unsigned kept_ = 0;
};

}  // namespace tapgate
