// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's network adapters, of which model= supports a few.
#pragma once

#include <string>
#include <string_view>

namespace tapgate {

/// The model for model= that replaces QEMU's adapter `name`, and what to tell the user if it is a
/// different one.
struct NetModelChoice {
    std::string model;
    std::string why;
};
NetModelChoice net_model(std::string_view name);

}  // namespace tapgate
