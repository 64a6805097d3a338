// SPDX-License-Identifier: GPL-2.0-or-later
//
// The texts of completion.bash and completion.zsh, which CMake puts into the program.
#pragma once

#include <string_view>

namespace tapgate {

extern const std::string_view bash_completion_functions;
extern const std::string_view zsh_completion_functions;

}  // namespace tapgate
