// SPDX-License-Identifier: GPL-2.0-or-later
//
// {"driver":"qcow2",...} without quotes, as ps(1) prints what libvirt gave to QEMU: no shell would
// leave that to it.
#pragma once

#include <cstddef>
#include <string_view>

namespace tapgate {

/// Of the word of JSON that the text begins with; 0: it begins with none.
size_t length_of_json(std::string_view text);

}  // namespace tapgate
