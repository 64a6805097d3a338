// SPDX-License-Identifier: GPL-2.0-or-later
//
// What makes shells complete tapgate's command lines, made from the tables of verbs and options
// that the parser reads: the two cannot disagree.
#ifndef TAPGATE_LAUNCHER_COMPLETION_H
#define TAPGATE_LAUNCHER_COMPLETION_H

#include <string>

namespace tapgate {

/// A script for bash 4.4 or later, to be sourced. Needs no bash-completion.
std::string bash_completion();

/// A function for zsh, to be put into a directory of $fpath as `_tapgate`.
std::string zsh_completion();

}  // namespace tapgate

#endif
