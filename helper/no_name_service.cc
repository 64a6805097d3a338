// SPDX-License-Identifier: GPL-2.0-or-later
//
// Static helper only. Functions of libcap-ng and libnl that the helper never calls refer to libc's
// name service, which in a static program would load NSS modules of whatever libc the host has.
// These take its place, so that no such code is in a program with a privilege.

#include <grp.h>
#include <netdb.h>
#include <pwd.h>

#include <cerrno>

extern "C" {

passwd* getpwuid(uid_t /*uid*/) {
    errno = ENOSYS;
    return nullptr;
}

int initgroups(const char* /*user*/, gid_t /*group*/) {
    errno = ENOSYS;
    return -1;
}

int getaddrinfo(const char* /*node*/, const char* /*service*/, const addrinfo* /*hints*/,
                addrinfo** /*result*/) {
    return EAI_FAIL;
}

protoent* getprotobyname(const char* /*name*/) {
    return nullptr;
}

protoent* getprotobynumber(int /*number*/) {
    return nullptr;
}

}  // extern "C"
