// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/argv_writer.h"

#include <utility>

namespace tapgate {

namespace {

std::string pci_address(unsigned slot, unsigned function) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "0x";
    if (slot > 15)
        text += digits[slot / 16];
    text += digits[slot % 16];
    return text + "." + std::to_string(function);
}

size_t count(const VmSpec& spec, BootDevice kind) {
    switch (kind) {
        case BootDevice::disk:
            return spec.disks.size();
        case BootDevice::cdrom:
            return spec.cdroms.size();
        case BootDevice::net:
            return spec.nets.size();
    }
    return 0;
}

}  // namespace

void ArgvWriter::add(std::string_view option) {
    argv_.emplace_back(option);
}

void ArgvWriter::add(std::string_view option, std::string value) {
    argv_.emplace_back(option);
    argv_.push_back(std::move(value));
}

void ArgvWriter::add_json(std::string_view option, const ArgvJson& value) {
    add(option, value.dump());
}

void ArgvWriter::add_device(ArgvJson device) {
    if (spec_.machine.is_q35()) {
        const unsigned function = ports_ % 8;
        const std::string id = "port" + std::to_string(ports_);
        ArgvJson port = {{"driver", "pcie-root-port"},
                         {"id", id},
                         {"bus", "pcie.0"},
                         {"chassis", ports_ + 1},
                         {"addr", pci_address(2 + ports_ / 8, function)}};
        if (function == 0)
            port["multifunction"] = true;
        add_json("-device", port);
        device["bus"] = id;
        ports_++;
    }
    add_json("-device", device);
}

void ArgvWriter::set_boot_index(ArgvJson& device, BootDevice kind, size_t index) const {
    size_t before = index + 1;
    for (const BootDevice other : spec_.boot) {
        if (other == kind) {
            device["bootindex"] = before;
            return;
        }
        before += count(spec_, other);
    }
}

}  // namespace tapgate
