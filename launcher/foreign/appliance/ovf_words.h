// SPDX-License-Identifier: GPL-2.0-or-later
//
// Words for people in an OVF descriptor: which of them say something.
#pragma once

#include <string_view>

namespace tapgate {

/// Does `text` say more than `known`, beside the words that every program writes ("Number of
/// virtual CPUs", "A virtual machine")? A word that is a part of `known` says nothing new.
bool says_more(std::string_view text, std::string_view known);

}  // namespace tapgate
