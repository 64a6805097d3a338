// SPDX-License-Identifier: GPL-2.0-or-later
//
// tapgate set: a VM's file changed without an editor.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The text of a VM file after `words`: "KEY=VALUE" takes the place of all that the key had,
/// "KEY+=VALUE" adds one to a list, "KEY=" takes it away. Comments and all other lines stay. Paths
/// start in `directory`. Throws a UsageError for a word that is none of these.
std::string changed_text(std::string_view text, const std::vector<std::string>& words,
                         const std::string& directory);

/// The text with `value` in the place of the `index`th value that `key` has, or behind the last
/// when it has no more; empty: that one is taken away. Relative paths as above.
std::string with_value(std::string_view text, const std::string& key, size_t index,
                       const std::string& value, const std::string& directory);

/// A change of a VM's file that describes a VM, and is not written yet.
class FileChange {
  public:
    /// `change`: makes the new text of the old one. Throws a LauncherError.
    FileChange(const VmName& name, const std::function<std::string(std::string_view)>& change);

    /// Throws a LauncherError when the file was changed meanwhile; it is then as that left it.
    void write() const;

    /// Whether it could be written, by writing what is there. Throws as write() does.
    void rehearse() const;

    /// The file is as it was before write(), unless somebody has changed it since.
    void take_back() const noexcept;

  private:
    void replace(const std::string& text) const;

    VmName name_;
    std::string path_;
    std::string before_;
    std::string after_;
};

/// Changes the VM's file by `words`, when what comes of it describes a VM. Throws a LauncherError;
/// the file is then as it was.
void change_vm_file(const VmName& name, const std::vector<std::string>& words,
                    const std::string& directory);

}  // namespace tapgate
