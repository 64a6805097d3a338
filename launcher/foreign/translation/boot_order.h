// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a foreign VM boots from, device by device, as `boot` says it; and as bootindex= of what is
// kept as it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/foreign/translation/translation.h"

namespace tapgate {

enum class BootKind { disk, floppy, cdrom, net };

/// The order in which a firmware looks at devices that nobody has put into an order.
inline constexpr BootKind default_boot_order[] = {BootKind::disk, BootKind::floppy, BootKind::cdrom,
                                                  BootKind::net};

/// Of a device that is no disk for sure, as one of the host's: behind all disks.
inline constexpr unsigned last_rank = ~0U;

class BootOrder {
  public:
    /// A device that has become a setting: the next of its kind (disk=, cdrom=, net=). `order` is
    /// its bootindex= or <boot order=>; `rank` tells which of a kind the firmware takes first when
    /// nobody said an order.
    void add(BootKind kind, std::optional<std::uint64_t> order, unsigned rank = 0);

    /// A device that is kept for QEMU as it was: the text that its -device has for its place.
    [[nodiscard]] std::string add_kept(BootKind kind, std::optional<std::uint64_t> order,
                                       unsigned rank = 0);

    /// The floppy drive A: or B: of -drive if=floppy, which has no -device.
    void add_floppy(char letter, std::optional<std::uint64_t> order);

    /// The order of kinds was said, as -boot does: for devices without an order of their own.
    void set_kinds(std::vector<BootKind> kinds, const std::string& was);

    /// Only what is said is booted from: -boot strict=on, libvirt's <boot dev=>.
    void set_strict() { strict_ = true; }

    /// Of each kind that was said only the first device, as libvirt has it.
    void set_first_of_kind() { first_of_kind_ = true; }

    /// Has the description said anything of an order?
    [[nodiscard]] bool is_said() const { return !was_.empty(); }

    /// A note's words for what put devices into an order.
    void add_source(const std::string& was);

    /// Writes `boot`, and the places of what was kept, into `result`, with a note when an order was
    /// said, or when it is not that of tapgate.
    void finish(Translation& result, const std::string& why = {});

  private:
    struct Entry {
        BootKind kind = BootKind::disk;
        unsigned index = 0;  // of its kind among settings, or the number of a kept device
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
    unsigned kept_ = 0;
};

}  // namespace tapgate
