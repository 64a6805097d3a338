// SPDX-License-Identifier: GPL-2.0-or-later
//
// Scripts that let shells complete tapgate's command lines. They are made from the grammar that the
// parser uses, so the two cannot disagree.
#pragma once

#include <string>

#include "launcher/cli/grammar.h"

namespace tapgate {

/// A script for bash 4.4 or later, to be sourced. Needs no bash-completion.
std::string bash_completion(const Grammar& grammar);

/// A function for zsh, to be put into a directory of $fpath as `_tapgate`.
std::string zsh_completion(const Grammar& grammar);

}  // namespace tapgate
