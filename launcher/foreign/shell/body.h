// SPDX-License-Identifier: GPL-2.0-or-later
//
// Finds the end of a shell function's body.
#pragma once

#include <cstddef>
#include <string_view>

namespace tapgate {

/// The length in bytes of the `{ ... }' or `( ... )' at the beginning of the text; 0 if it has no
/// end.
size_t length_of_body(std::string_view text);

}  // namespace tapgate
