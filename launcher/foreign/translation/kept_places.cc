// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translation/kept_places.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/properties.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

bool is_pci_device(std::string_view driver) {
    if (driver.starts_with("virtio-"))  // virtio-net is virtio-net-pci
        return !driver.ends_with("-device") && driver != "virtio-mem" && driver != "virtio-pmem";
    // PCI devices whose names do not show it.
    constexpr std::array<std::string_view, 55> others = {"acpi-erst",
                                                         "AC97",
                                                         "ac97",
                                                         "ES1370",
                                                         "es1370",
                                                         "ahci",
                                                         "am53c974",
                                                         "ati-vga",
                                                         "bochs-display",
                                                         "cirrus-vga",
                                                         "dc390",
                                                         "e1000",
                                                         "e1000-82540em",
                                                         "e1000-82544gc",
                                                         "e1000-82545em",
                                                         "e1000e",
                                                         "edu",
                                                         "i6300esb",
                                                         "ich9-ahci",
                                                         "ich9-intel-hda",
                                                         "igb",
                                                         "intel-hda",
                                                         "ivshmem-plain",
                                                         "ivshmem-doorbell",
                                                         "lsi",
                                                         "lsi53c810",
                                                         "lsi53c895a",
                                                         "megasas",
                                                         "megasas-gen2",
                                                         "mptsas1068",
                                                         "nec-usb-xhci",
                                                         "nvme",
                                                         "pcnet",
                                                         "pvrdma",
                                                         "pvscsi",
                                                         "qemu-xhci",
                                                         "qxl",
                                                         "rocker",
                                                         "rtl8139",
                                                         "secondary-vga",
                                                         "tpci200",
                                                         "tulip",
                                                         "usb-ehci",
                                                         "vhost-user-vga",
                                                         "vmware-svga",
                                                         "vmxnet3",
                                                         "VGA",
                                                         "i82801b11-bridge",
                                                         "ioh3420",
                                                         "pcie-pci-bridge",
                                                         "piix3-usb-uhci",
                                                         "piix4-usb-uhci",
                                                         "pxb",
                                                         "pxb-pcie",
                                                         "qxl-vga"};
    return driver.ends_with("-pci") || driver.ends_with("_pci") || driver.starts_with("pci-") ||
           driver.starts_with("vfio-pci") || driver.starts_with("ich9-usb-") ||
           driver == "pcie-root-port" || driver.ends_with("-pci-transitional") ||
           driver.ends_with("-pci-non-transitional") || driver.starts_with("i825") ||
           driver == "i82801" || is_one_of(driver, others);
}

namespace {

// Slots above tapgate's own on q35: the screen is in 1, and root ports are in 2 and a few after it.
constexpr unsigned first_slot = 0x8;
constexpr unsigned last_slot = 0x1e;
// On pc, tapgate's devices take the lowest free slots.
constexpr unsigned last_on_pc = 0x1f;

// For -device with properties; JSON waits until all others have their places.
bool needs_place(const std::string& argument) {
    const Properties device = Properties::parse(argument, "driver");
    return !argument.starts_with('{') && is_pci_device(device.get("driver")) &&
           !device.has("bus") && !device.has("addr");
}

// Where `words` are in `text`, with nothing behind them: an equal device that has its place already
// is another one.
size_t find_words(const std::string& text, const std::string& words) {
    size_t at = text.find(words);
    while (at != std::string::npos && at + words.size() < text.size() &&
           text[at + words.size()] != ' ')
        at = text.find(words, at + 1);
    return at;
}

// The slots on pc in which adapters stay.
std::set<unsigned> slots_of_adapters(const Translation& result) {
    std::set<unsigned> slots;
    for (size_t i = 0; i < result.settings.size(); i++) {
        const auto& [key, value] = result.settings[i];
        if (key == "net") {
            const Properties net = Properties::parse(value, "kind");
            if (const auto slot = parse_whole<unsigned>(net.get("slot")))
                slots.insert(*slot);
        } else if (key == "qemu-arg" && i > 0 && result.settings[i - 1].second == "-device") {
            const Properties device = Properties::parse(value, "driver");
            if (device.has("addr") && !device.has("bus"))
                slots.insert(
                    static_cast<unsigned>(std::strtoul(device.get("addr").c_str(), nullptr, 16)));
        }
    }
    return slots;
}

class Places {
  public:
    Places(Translation& result, bool q35) : result_(result) {
        if (!q35) {
            choose_on_pc();
            return;
        }
        for (unsigned slot = first_slot; slot <= last_slot; slot++)
            slots_.push_back(slot);
    }

    void write() {
        const std::vector<std::pair<std::string, std::string>> before = std::move(result_.settings);
        result_.settings.clear();
        for (size_t i = 0; i < before.size(); i++) {
            const auto& [key, value] = before[i];
            const bool has_next = i + 1 < before.size() && before[i + 1].first == "qemu-arg";
            if (key != "qemu-arg" || !has_next || (value != "-device" && value != "-virtfs")) {
                result_.settings.push_back(before[i]);
                continue;
            }
            const std::string& argument = before[++i].second;
            add({value, argument}, value == "-device" ? placed(argument) : file_system(argument));
        }
    }

  private:
    // The highest that are free, as many as there are devices.
    void choose_on_pc() {
        size_t count = 0;
        for (size_t i = 0; i + 1 < result_.settings.size(); i++) {
            const bool here = result_.settings[i].first == "qemu-arg" &&
                              result_.settings[i + 1].first == "qemu-arg";
            const std::string& option = result_.settings[i].second;
            if (here && (option == "-virtfs" ||
                         (option == "-device" && needs_place(result_.settings[i + 1].second))))
                count++;
        }
        const std::set<unsigned> taken = slots_of_adapters(result_);
        for (unsigned slot = last_on_pc; slot >= first_slot && slots_.size() < count; slot--) {
            if (!taken.contains(slot))
                slots_.insert(slots_.begin(), slot);
        }
    }

    void add(const std::vector<std::string>& was, const std::vector<std::string>& arguments) {
        for (const std::string& argument : arguments)
            result_.settings.emplace_back("qemu-arg", argument);
        if (arguments == was)
            return;
        const std::string old_text = shell_text(was);
        for (TranslationNote& note : result_.notes) {
            const size_t at = find_words(note.became, old_text);
            if (note.kind != TranslationNote::Kind::kept || at == std::string::npos)
                continue;
            note.became.replace(at, old_text.size(), shell_text(arguments));
            return;
        }
    }

    std::vector<std::string> placed(const std::string& argument) {
        if (!needs_place(argument) || next_ == slots_.size())
            return {"-device", argument};
        std::array<char, 16> text{};
        std::snprintf(text.data(), text.size(), ",addr=0x%x", slots_[next_++]);
        return {"-device", argument + text.data()};
    }

    std::vector<std::string> file_system(const std::string& argument) {
        Properties directory = Properties::parse(argument, "fsdriver");
        Properties device;
        device.set("driver", "virtio-9p-pci");
        device.set("mount_tag", directory.take("mount_tag").value_or(""));
        const std::string id =
            directory.take("id").value_or("keptfs" + std::to_string(file_systems_++));
        device.set("fsdev", id);
        directory.set("id", id);
        std::vector<std::string> arguments = {"-fsdev", directory.str("fsdriver")};
        for (std::string& one : placed(device.str("driver")))
            arguments.push_back(std::move(one));
        return arguments;
    }

    Translation& result_;
    std::vector<unsigned> slots_;
    size_t next_ = 0;  // of these
    unsigned file_systems_ = 0;
};

}  // namespace

void place_kept_devices(const LegacyMachine& machine, Translation& result) {
    Places(result, machine.q35).write();
}

}  // namespace tapgate
