// SPDX-License-Identifier: GPL-2.0-or-later
//
// Any bytes as a script with an old command line. Its description is one that tapgate takes,
// written as a file and read back it is the same, each option is named in a note; or there is an
// error whose text is fit for a terminal.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/foreign/legacy/options.h"
#include "launcher/foreign/legacy/translate.h"
#include "launcher/foreign/shell/qemu_script.h"
#include "launcher/foreign/shell/script.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/name.h"
#include "tests/fuzz/require.h"

namespace {

using tapgate::require;
using tapgate::require_clean_text;

const tapgate::Surroundings no_environment;

void require_all_named(const std::vector<std::string>& words, const tapgate::Translation& result) {
    std::string named;
    for (const tapgate::TranslationNote& note : result.notes)
        named += note.was + "\n";
    for (const tapgate::LegacyOption& option : tapgate::parse_legacy_options(words))
        require(named.find(option.text) != std::string::npos);
}

void translate(const tapgate::ShellCommand& command) {
    const tapgate::VmName name = tapgate::VmName::parse("vm").value();
    try {
        const tapgate::Translation result = tapgate::translate_qemu_command(command, "/vm");
        if (command.words[0].starts_with('-'))
            require_all_named(command.words, result);
        for (const tapgate::TranslationNote& note : result.notes)
            require(tapgate::note_text(note).find('\n') == std::string::npos);
        const auto settings = tapgate::settings_of(result, "/vm", {});
        const auto first = tapgate::describe_vm(name, settings);
        const std::string text = tapgate::annotated_vm_file(name, settings, result);
        const auto again = tapgate::describe_vm(name, tapgate::parse_vm_file("/vm/vm.conf", text));
        require(again.settings.size() == first.settings.size());
        for (size_t i = 0; i < first.settings.size(); i++)
            require(again.settings[i].key == first.settings[i].key);
    } catch (const tapgate::LauncherError& error) {
        require_clean_text(error.what());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
    const std::string text(data, data + std::min(size, size_t{65536}));
    try {
        translate(tapgate::find_qemu_start(text, no_environment, "FILE"));
    } catch (const tapgate::LauncherError& error) {
        require_clean_text(error.what());
    }
    // As words, too: a shell would not give all of them.
    tapgate::ShellCommand words;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        words.words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    if (!words.words.empty())
        translate(words);
    return 0;
}
