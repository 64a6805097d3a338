// SPDX-License-Identifier: GPL-2.0-or-later
//
// In which slots of the PCI bus QEMU puts adapters that say none, on the machine pc.
#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/shell/variables.h"
#include "launcher/foreign/translation/kept_places.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/vm/spec.h"

namespace tapgate {

namespace {

bool is_option(const LegacyOption& option, std::string_view name) {
    return option.kind != nullptr && option.kind->name == name;
}

class PcSlots {
  public:
    explicit PcSlots(std::vector<LegacyOption>& options) : options_(options) {}

    // In the order in which QEMU makes devices.
    std::optional<unsigned> place() {
        add_screen();
        add_adapters("nic");
        add_adapters("net");
        std::optional<unsigned> first;
        if (!has("nic") && !has("net") && !has("netdev") && !has("nodefaults"))
            first = next();
        add_sound();
        // They have a controller, which QEMU made before other devices in some years only.
        known_ = known_ && !has_scsi_drive();
        for (LegacyOption& option : options_)
            add_device(option);
        return first;
    }

  private:
    [[nodiscard]] bool has(std::string_view name) const {
        return std::any_of(options_.begin(), options_.end(),
                           [&](const auto& option) { return is_option(option, name); });
    }

    [[nodiscard]] bool has_scsi_drive() const {
        return std::any_of(options_.begin(), options_.end(), [](const LegacyOption& option) {
            return is_option(option, "drive") &&
                   Properties::parse(option.value, "file").get("if") == "scsi";
        });
    }

    // The lowest that is free. In slots 0 and 1 there are parts of the board.
    std::optional<unsigned> next() {
        for (unsigned slot = first_free_slot; known_ && slot <= last_slot; slot++) {
            if (taken_.insert(slot).second)
                return slot;
        }
        return std::nullopt;
    }

    // QEMU has a screen of its own unless a -device is one.
    void add_screen() {
        bool screen = !has("nodefaults");
        for (const LegacyOption& option : options_) {
            if (is_option(option, "vga"))
                screen = option.value != "none";
            else if (is_option(option, "device"))
                screen = screen && !is_default_screen(driver_of(option));
        }
        if (screen)
            next();
    }

    static bool is_default_screen(std::string_view driver) {
        return driver != "secondary-vga" &&
               (driver == "VGA" || driver.ends_with("-vga") || driver.ends_with("-svga"));
    }

    static std::string driver_of(const LegacyOption& option) {
        return Properties::parse(option.value, "driver").get("driver");
    }

    void add_adapters(std::string_view name) {
        for (LegacyOption& option : options_) {
            if (!is_option(option, name))
                continue;
            const Properties properties = Properties::parse(option.value, "type");
            const std::string type = properties.get("type");
            if ((name == "net" && type != "nic") || type == "none" ||
                properties.get("model") == "ne2k_isa")
                continue;
            if (properties.has("addr"))
                reserve(properties);
            else
                option.slot = next();
        }
    }

    void add_sound() {
        for (const LegacyOption& option : options_) {
            if (!is_option(option, "soundhw"))
                continue;
            for (const std::string& card : split_at_commas(option.value)) {
                known_ = known_ && card != "all";
                if (is_one_of(card, {"ac97", "es1370", "hda"}))
                    next();
            }
        }
    }

    void add_device(LegacyOption& option) {
        const std::string_view name =
            option.kind == nullptr ? std::string_view() : option.kind->name;
        if (name == "virtfs" || (name == "balloon" && option.value.starts_with("virtio")) ||
            (name == "watchdog" && option.value == "i6300esb"))
            next();
        known_ = known_ && name != "readconfig";  // which could not be read
        if (name != "device")
            return;
        const Properties device = Properties::parse(option.value, "driver");
        const std::string bus = device.get("bus");
        known_ = known_ && device.get("driver").find(unknown_text) == std::string::npos;
        if (!is_pci_device(device.get("driver")) || (!bus.empty() && bus != "pci.0"))
            return;
        if (device.has("addr"))
            reserve(device);
        else
            option.slot = next();
    }

    void reserve(const Properties& device) {
        if (const auto place = pci_place(device); place && place->first.empty())
            taken_.insert(place->second / 8);
    }

    std::vector<LegacyOption>& options_;
    std::set<unsigned> taken_;
    bool known_ = true;
};

}  // namespace

std::optional<unsigned> place_on_pc(std::vector<LegacyOption>& options) {
    return PcSlots(options).place();
}

}  // namespace tapgate
