// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace tapgate {

/// What kind of foreign file a VM is made from.
enum class ForeignFile {
    image,
    archive,     ///< a tar archive, compressed or not: an OVA, or what `tapgate export` has made
    descriptor,  ///< an OVF
    domain,      ///< libvirt's XML
};

/// By the ending of the file's name, in small or capital letters, or if that does not show it, by
/// how the file begins. This never decides about an image's format, since its guest has written
/// that.
ForeignFile foreign_file(const std::string& path);

/// Whether an XML document with this element around it is an answer of VMware vCloud.
bool is_of_vcloud(std::string_view element);

/// What to import instead of another program's description of a VM, which is recognized by how it
/// begins; empty when it is not a known one.
std::string_view instead_of_contents(const std::string& path);

}  // namespace tapgate
