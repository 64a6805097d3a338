// SPDX-License-Identifier: GPL-2.0-or-later
//
// What was said of a foreign VM beside what is said now, for a terminal.
#ifndef TAPGATE_LAUNCHER_FOREIGN_SIDE_BY_SIDE_H
#define TAPGATE_LAUNCHER_FOREIGN_SIDE_BY_SIDE_H

#include <cstddef>
#include <string>

#include "launcher/foreign/translation.h"

namespace tapgate {

/// Each note of the translation in two columns, `width` wide together: what stood there; what it
/// has become, with the reason below it. Between them is a sign, as diff(1) has it with -y: `|' for
/// what changed, `>' for what was added, `<' for what was dropped, and none for what stays as it
/// is. A word that is longer than a column is broken.
std::string side_by_side(const Translation& translation, size_t width = 80);

}  // namespace tapgate

#endif
