// SPDX-License-Identifier: GPL-2.0-or-later
//
// The result of translating a foreign description of a VM (an old command line, an exported
// appliance): settings, and a note for everything that it said. Nothing is lost silently.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/vm/setting.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// Adds another reason to a note: "the first; the second".
inline void add_reason(std::string& why, std::string_view reason) {
    why.append(why.empty() ? "" : "; ").append(reason);
}

/// Why a VM of another name is called as it is.
inline constexpr const char* why_name = "the VM's name is that of its file";

struct TranslationNote {
    enum class Kind {
        changed,  ///< it has become `became`
        added,    ///< it was not given: a default then, which tapgate does not have
        kept,     ///< it goes to QEMU unchanged, as qemu-arg
        dropped,  ///< it has no place in the description
    };
    Kind kind = Kind::changed;
    std::string was;        ///< as written; empty if it was added
    std::string became;     ///< "net = bridge:br0"; empty if it was dropped
    std::string why;        ///< may be empty if it is plain
    bool is_guess = false;  ///< nothing says which bridge the one in `became` should be
};

struct Translation {
    std::string name;  ///< the VM's old name; empty if none fits
    std::vector<std::pair<std::string, std::string>> settings;  ///< keys and values of a VM file
    std::vector<TranslationNote> notes;
    /// The path of its UEFI variables, which nobody has looked at; empty: not given.
    std::string variables;
    ImageFormat variables_format = ImageFormat::raw;
    std::uint64_t variables_size = 0;  ///< only so many bytes of it, if it is raw; 0: all

    /// Adds a setting. For disks, CD-ROMs, adapters and raw arguments it is one more; for anything
    /// else it replaces an earlier one, as with QEMU.
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
    /// Lets its notes say that the VM is called `given`, by the command.
    void rename(const std::string& given);
    /// Turns `arguments` into qemu-arg settings, after all others.
    void keep(const std::string& was, const std::vector<std::string>& arguments,
              const std::string& why = {});
};

/// Corrects the notes on pointers that are left out, if the VM has no screen.
void fit_pointers(Translation& translation);

/// The kind of a note as JSON shows it: "changed", "added", "kept" or "dropped".
std::string_view name_of(TranslationNote::Kind kind);

/// A note as one line, without control characters.
std::string note_text(const TranslationNote& note);

/// The format that an image's name implies, as disk= calls it, and whether it implies one;
/// otherwise "raw".
std::pair<std::string, bool> format_by_name(std::string_view path);

/// What to import instead of another program's description of a VM, which is recognized by its
/// file's name; empty when it is not a known one.
std::string_view instead_of_description(std::string_view path);

/// The settings for describe_vm() and vm_file_text(). `overriding` replaces all settings with the
/// same key. Relative paths start in `directory`.
std::vector<Setting> settings_of(const Translation& translation, const std::string& directory,
                                 const std::vector<Setting>& overriding);

/// What the user should know when a VM with these settings has nothing that it could boot from but
/// the network, for which nobody has asked; otherwise empty. `file` is the VM's; empty when there
/// is none yet.
std::string nothing_to_boot(const VmName& name, const std::vector<Setting>& settings,
                            const std::string& file);

/// A VM file, with the notes as comments at its end. The longest notes are cut as far as the size
/// that a VM file may have needs it.
std::string annotated_vm_file(const VmName& name, const std::vector<Setting>& settings,
                              const Translation& translation);

}  // namespace tapgate
