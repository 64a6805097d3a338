// SPDX-License-Identifier: GPL-2.0-or-later
//
// A command as a list of quoted words, as Dockerfiles, JSON and many languages have it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

struct QuotedList {
    std::vector<std::string> words;  ///< empty if something in it is no quoted word
    unsigned line = 0;               ///< where it begins; 0 if there is no such list
    bool more = false;               ///< another such list follows
};

/// The first list in the text that begins with QEMU's name: ["qemu-system-x86_64", "-m", "512"].
/// Packer's log has QEMU's name before the list. For a Dockerfile, the words of CMD follow those of
/// ENTRYPOINT.
QuotedList find_quoted_list(std::string_view text);

}  // namespace tapgate
