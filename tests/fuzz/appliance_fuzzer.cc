// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes as what importers read: an OVF descriptor, a libvirt domain, a vmdk's descriptor. They
// become settings and notes, and no name of a file leads elsewhere; or there is an error whose text
// is fit for a terminal.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "launcher/base/error.h"
#include "launcher/foreign/appliance/ovf.h"
#include "launcher/foreign/domain/domain_xml.h"
#include "launcher/image/vmdk_descriptor.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/name.h"
#include "tests/fuzz/require.h"

namespace {

using tapgate::require;
using tapgate::require_clean_text;

void require_plain_name(std::string_view name) {
    require(!name.empty() && name != "." && name != ".." &&
            name.find_first_of("/:\\") == std::string_view::npos);
}

// A file of an appliance may lie in a folder below the descriptor, and nowhere else.
void require_below(std::string_view name) {
    const std::string around = "/" + std::string(name) + "/";
    require(!name.starts_with('/') && around.find("/../") == std::string::npos &&
            name.find_first_of(":\\") == std::string_view::npos);
}

template <typename Read>
void attempt(const Read& read) {
    try {
        read();
    } catch (const tapgate::LauncherError& error) {
        require_clean_text(error.what());
    }
}

void describe(const tapgate::Translation& translation) {
    for (const tapgate::TranslationNote& note : translation.notes)
        require_clean_text(tapgate::note_text(note));
    const tapgate::VmName name = tapgate::VmName::parse("vm").value();
    const auto settings = tapgate::settings_of(translation, "/vm", {});
    const auto vm = tapgate::describe_vm(name, settings);
    const std::string text = tapgate::annotated_vm_file(name, settings, translation);
    const auto again = tapgate::describe_vm(name, tapgate::parse_vm_file("/vm/vm.conf", text));
    require(again.settings.size() == vm.settings.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
    const std::string text(data, data + std::min(size, size_t{65536}));
    attempt([&] {
        const tapgate::Appliance appliance = tapgate::read_ovf(text, "FILE", {});
        for (const tapgate::ApplianceDisk& disk : appliance.disks)
            require_below(disk.file);
        describe(appliance.translation);
    });
    attempt([&] { describe(tapgate::translate_domain(text, "FILE")); });
    attempt([&] {
        for (const std::string& name : tapgate::parse_vmdk_descriptor(text, "FILE"))
            require_plain_name(name);
    });
    attempt([&] { tapgate::embedded_vmdk_descriptor(text, "FILE"); });
    return 0;
}
