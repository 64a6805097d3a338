// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a description of a VM that is foreign (an old command line, an exported appliance) becomes:
// settings, and a note for each thing that was said there. Nothing is lost silently.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// One more reason in a note: "the first; the second".
inline void add_reason(std::string& why, std::string_view reason) {
    why.append(why.empty() ? "" : "; ").append(reason);
}

struct TranslationNote {
    enum class Kind {
        changed,  ///< has become `became`
        added,    ///< was not said: a default of that time which tapgate does not have
        kept,     ///< goes to QEMU as it is, as qemu-arg
        dropped,  ///< has no place in the description
    };
    Kind kind = Kind::changed;
    std::string was;     ///< as it was written; empty when it was added
    std::string became;  ///< "net = bridge:br0"; empty when it was dropped
    std::string why;     ///< may be empty where that is plain
};

struct Translation {
    std::string name;  ///< what the VM was called; empty when it had no name that fits
    std::vector<std::pair<std::string, std::string>> settings;  ///< keys and values of a VM file
    std::vector<TranslationNote> notes;
    /// Where the UEFI variables are that it had, which nobody has looked for; empty: not said.
    std::string variables;
    ImageFormat variables_format = ImageFormat::raw;

    /// Of disks, CD-ROMs, adapters and raw arguments one more; of anything else the last counts, as
    /// with QEMU.
    void set(const std::string& key, const std::string& value);
    void changed(const std::string& was, const std::string& became, const std::string& why = {}) {
        notes.push_back({TranslationNote::Kind::changed, was, became, why});
    }
    void added(const std::string& became, const std::string& why) {
        notes.push_back({TranslationNote::Kind::added, {}, became, why});
    }
    void dropped(const std::string& was, const std::string& why) {
        notes.push_back({TranslationNote::Kind::dropped, was, {}, why});
    }
    /// `arguments` become settings qemu-arg, behind all others.
    void keep(const std::string& was, const std::vector<std::string>& arguments,
              const std::string& why = {});
};

/// The kind of a note as JSON has it: "changed", "added", "kept" or "dropped".
std::string_view name_of(TranslationNote::Kind kind);

/// A note as one line, without control characters.
std::string note_text(const TranslationNote& note);

/// The format that an image's name tells, as disk= has it, and whether it does; "raw" otherwise.
std::pair<std::string, bool> format_by_name(std::string_view path);

/// What to give in the place of another program's description of a VM, by its file's name; empty:
/// it is none that is known.
std::string_view instead_of_description(std::string_view path);

/// The settings for describe_vm() and vm_file_text(); those of `overriding` take the place of all
/// that have the same key. Relative paths start in `directory`.
std::vector<Setting> settings_of(const Translation& translation, const std::string& directory,
                                 const std::vector<Setting>& overriding);

/// A VM file, the notes as comments at its end.
std::string annotated_vm_file(const VmName& name, const std::vector<Setting>& settings,
                              const Translation& translation);

}  // namespace tapgate
