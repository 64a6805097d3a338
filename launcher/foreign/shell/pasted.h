// SPDX-License-Identifier: GPL-2.0-or-later
//
// Command lines as people paste them.
#pragma once

#include <string>
#include <string_view>

namespace tapgate {

struct PastedText {
    std::string text;
    bool is_joined = false;  ///< its lines were one command line, but a `\' was missing
};

/// The text as it was before somebody quoted it in a mail (`>' before each line), or copied it
/// from a terminal (`$' before each command), or before it was Proxmox' error about a VM that
/// did not start, or a command line, which is all of the text, was wrapped between its words;
/// any other text as it is.
PastedText before_pasting(std::string_view text);

}  // namespace tapgate
