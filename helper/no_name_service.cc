// SPDX-License-Identifier: GPL-2.0-or-later
//
// Static helper only. Functions of libcap-ng and libnl that the helper never calls refer to libc's
// name service, which in a static program would load NSS modules of whatever libc the host has.
// CMakeLists.txt lists its functions, and links this one in the place of each, so that no such code
// is in a program with a privilege.

#include <cstdlib>

extern "C" [[noreturn]] void no_name_service() {
    abort();
}
