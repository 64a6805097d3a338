// SPDX-License-Identifier: GPL-2.0-or-later
//
// Builds QEMU's argument vector, with what its parts have in common.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/vm/spec.h"

namespace tapgate {

/// Ordered, so that the same VM always gives the same text, and what matters comes first.
using ArgvJson = nlohmann::ordered_json;

/// How many devices can be plugged into a running q35.
inline constexpr unsigned spare_ports = 4;

/// A place on a PCI bus as QEMU writes it: "0x12.0".
std::string pci_address(unsigned slot, unsigned function);

class ArgvWriter {
  public:
    /// `spec` must outlive this object.
    ArgvWriter(const std::string& qemu, const VmSpec& spec) : spec_(spec), argv_{qemu} {}

    void add(std::string_view option);
    void add(std::string_view option, std::string value);
    void add_json(std::string_view option, const ArgvJson& value);

    /// Adds a PCI device. On q35 it gets a root port of its own, so that it can be unplugged. Eight
    /// root ports share a slot, from slot 2 on: guests name their adapters after these places.
    void add_device(ArgvJson device);

    /// Adds empty root ports on q35, spare0 to spareN, without which nothing can be plugged in. To
    /// be called after all devices have been added, so that it does not change their places.
    void add_spare_ports();

    /// Sets the device's place in the boot order, as `boot` says. A bootindex= in a qemu-arg keeps
    /// its place, and ours skip it: QEMU refuses two that are the same.
    void set_boot_index(ArgvJson& device, BootDevice kind, size_t index) const;

    /// Returns the vector, and leaves none here.
    std::vector<std::string> take() { return std::move(argv_); }

  private:
    void add_port(const std::string& id);
    [[nodiscard]] bool is_boot_index_taken(unsigned place) const;

    const VmSpec& spec_;
    std::vector<std::string> argv_;
    unsigned ports_ = 0;  // PCI Express root ports so far
};

}  // namespace tapgate
