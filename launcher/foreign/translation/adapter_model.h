// SPDX-License-Identifier: GPL-2.0-or-later
//
// QEMU's network adapters, of which model= has a few.
#pragma once

#include <string>
#include <string_view>

namespace tapgate {

/// The model that model= has for an adapter that QEMU calls `name`, and what is to be said of it
/// when it is another one.
struct NetModelChoice {
    std::string model;
    std::string why;
};
NetModelChoice net_model(std::string_view name);

}  // namespace tapgate
