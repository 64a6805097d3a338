// SPDX-License-Identifier: GPL-2.0-or-later
//
// The options of a VM, for Boost's parser of command lines and for --help.
#pragma once

#include <boost/program_options/options_description.hpp>

namespace tapgate {

/// All of them, with their descriptions for --help.
boost::program_options::options_description vm_options_description();

}  // namespace tapgate
