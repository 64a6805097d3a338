// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's argument vector while it is being written, and what its parts have in common.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/vm/spec.h"

namespace tapgate {

/// Ordered: the same VM gives the same text, with what matters first.
using ArgvJson = nlohmann::ordered_json;

/// How many devices can be plugged into a q35 while it runs.
inline constexpr unsigned spare_ports = 4;

class ArgvWriter {
  public:
    /// `spec` has to live as long as this.
    ArgvWriter(const std::string& qemu, const VmSpec& spec) : spec_(spec), argv_{qemu} {}

    void add(std::string_view option);
    void add(std::string_view option, std::string value);
    void add_json(std::string_view option, const ArgvJson& value);

    /// A PCI device: on q35 below a root port of its own (so that it can be unplugged), eight of
    /// which share a slot, from slot 2 on: what a guest calls its adapters depends on the place.
    void add_device(ArgvJson device);

    /// On q35 the root ports that nothing is plugged into yet, spare0 to spareN: there is no
    /// plugging in without one. Behind the devices, whose places they leave alone.
    void add_spare_ports();

    /// The device's place in the boot order, as `boot` says. What qemu-arg gives a bootindex= keeps
    /// it, and ours go on with the next one: QEMU refuses two that are the same.
    void set_boot_index(ArgvJson& device, BootDevice kind, size_t index) const;

    /// The vector; nothing is left here.
    std::vector<std::string> take() { return std::move(argv_); }

  private:
    void add_port(const std::string& id);
    [[nodiscard]] bool is_boot_index_taken(unsigned place) const;

    const VmSpec& spec_;
    std::vector<std::string> argv_;
    unsigned ports_ = 0;  // PCI Express root ports so far
};

}  // namespace tapgate
