// SPDX-License-Identifier: GPL-2.0-or-later
//
// `tapgate set`: changes a VM's file without an editor.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The text of a VM file after the changes in `words`: "KEY=VALUE" replaces all values of the key,
/// "KEY+=VALUE" adds one to a list, and "KEY=" removes the key. Comments and other lines stay.
/// Relative paths start in `directory`. Throws a UsageError for any other word.
std::string changed_text(std::string_view text, const std::vector<std::string>& words,
                         const std::string& directory);

/// The text with `value` in place of the `index`th value of `key`, or after the last when there are
/// no more. An empty `value` removes that one. Relative paths as above.
std::string with_value(std::string_view text, const std::string& key, size_t index,
                       const std::string& value, const std::string& directory);

/// A change to a VM's file that gives a valid VM, and has not been written yet.
class FileChange {
  public:
    /// `change` makes the new text from the old one. Throws a LauncherError.
    FileChange(const VmName& name, const std::function<std::string(std::string_view)>& change);

    /// Writes the new text. Throws a LauncherError when somebody has changed the file meanwhile,
    /// and leaves their text.
    void write() const;

    /// Tests that the file can be written, by writing its old text. Throws as write() does.
    void rehearse() const;

    /// Restores the text from before write(), unless somebody has changed the file since.
    void take_back() const noexcept;

  private:
    void replace(const std::string& text) const;

    VmName name_;
    std::string path_;
    std::string before_;
    std::string after_;
};

/// Changes the VM's file by `words`, if the result is a valid VM. Throws a LauncherError, and
/// leaves the file as it was.
void change_vm_file(const VmName& name, const std::vector<std::string>& words,
                    const std::string& directory);

}  // namespace tapgate
