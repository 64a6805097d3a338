// SPDX-License-Identifier: GPL-2.0-or-later
//
// For the static helper only. Some functions of libcap-ng and libnl, which the helper never calls,
// refer to libc's name service, which in a static program would load NSS modules of whatever libc
// the host has. CMakeLists.txt lists those of libc's functions and links this one in their place,
// so that the privileged program contains no such code.

#include <cstdlib>

extern "C" [[noreturn]] void no_name_service() {
    abort();
}
