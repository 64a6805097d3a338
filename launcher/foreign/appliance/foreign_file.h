// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace tapgate {

/// What a file of others is that a VM is made of.
enum class ForeignFile {
    image,
    archive,     ///< a tar archive, compressed or not: an OVA, or what `tapgate export` has made
    descriptor,  ///< an OVF
    domain,      ///< libvirt's XML
};

/// By the file's name, in whatever letters; where that does not tell, by how the file begins. Of an
/// image the format is never found there: its guest has written that.
ForeignFile foreign_file(const std::string& path);

}  // namespace tapgate
