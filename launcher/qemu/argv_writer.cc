// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/argv_writer.h"

#include <algorithm>

#include <utility>

namespace tapgate {

std::string pci_address(unsigned slot, unsigned function) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "0x";
    if (slot > 15)
        text += digits[slot / 16];
    text += digits[slot % 16];
    return text + "." + std::to_string(function);
}

namespace {

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

void ArgvWriter::add_port(const std::string& id) {
    const unsigned function = ports_ % 8;
    ArgvJson port = {{"driver", "pcie-root-port"},
                     {"id", id},
                     {"bus", "pcie.0"},
                     {"chassis", ports_ + 1},
                     {"addr", pci_address(2 + ports_ / 8, function)}};
    if (function == 0)
        port["multifunction"] = true;
    add_json("-device", port);
    ports_++;
}

void ArgvWriter::add_device(ArgvJson device) {
    if (spec_.machine.is_q35()) {
        const std::string id = "port" + std::to_string(ports_);
        add_port(id);
        device["bus"] = id;
    }
    add_json("-device", device);
}

void ArgvWriter::add_spare_ports() {
    for (unsigned i = 0; i < spare_ports && spec_.machine.is_q35(); i++)
        add_port("spare" + std::to_string(i));
}

bool ArgvWriter::is_boot_index_taken(unsigned place) const {
    constexpr std::string_view key = "bootindex";
    const std::string number = std::to_string(place);
    return std::any_of(
        spec_.extra_arguments.begin(), spec_.extra_arguments.end(),
        [&](const std::string& argument) {
            for (size_t at = argument.find(key); at != std::string::npos;
                 at = argument.find(key, at + 1)) {
                // `bootindex=1`, and `bootindexA=1` of a floppy's controller.
                const size_t equals = argument.find('=', at);
                const std::string_view value = std::string_view(argument).substr(
                    std::min(argument.size(), equals == std::string::npos ? equals : equals + 1));
                if (value.substr(0, value.find_first_not_of("0123456789")) == number)
                    return true;
            }
            return false;
        });
}

void ArgvWriter::set_boot_index(ArgvJson& device, BootDevice kind, size_t index) const {
    unsigned place = 0;
    for (const BootEntry& entry : spec_.boot) {
        const size_t all = count(spec_, entry.device);
        const size_t first = entry.index.value_or(0);
        const size_t end = entry.index ? first + 1 : all;
        for (size_t i = first; i < end && i < all; i++) {
            do {
                place++;
            } while (is_boot_index_taken(place));
            if (entry.device == kind && i == index) {
                device["bootindex"] = place;
                return;
            }
        }
    }
}

}  // namespace tapgate
