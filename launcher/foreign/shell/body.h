// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where the body of a shell's function ends.
#pragma once

#include <cstddef>
#include <string_view>

namespace tapgate {

/// How many bytes `{ ... }' or `( ... )' at the beginning of the text has; 0: it has no end.
size_t length_of_body(std::string_view text);

}  // namespace tapgate
