// SPDX-License-Identifier: GPL-2.0-or-later
//
// {"driver":"qcow2",...} without quotes, as ps(1) prints what libvirt gave to QEMU: a shell would
// not leave it as one word.
#pragma once

#include <cstddef>
#include <string_view>

namespace tapgate {

/// The length of the JSON at the beginning of the text; 0 if it does not begin with any.
size_t length_of_json(std::string_view text);

}  // namespace tapgate
