// SPDX-License-Identifier: GPL-2.0-or-later
//
// Images on their way from one format to another, and the files that they become: whole or not at
// all.
#ifndef TAPGATE_LAUNCHER_FOREIGN_IMAGE_CONVERSION_H
#define TAPGATE_LAUNCHER_FOREIGN_IMAGE_CONVERSION_H

#include <cstdint>
#include <string>
#include <vector>

#include "launcher/base/confinement.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/stop_signals.h"

namespace tapgate {

/// A file that is being made beside `target`, under another name: removed unless it becomes that.
class UnfinishedFile {
  public:
    /// Removes what a killed process has left of the same target.
    explicit UnfinishedFile(const std::string& target);
    ~UnfinishedFile();
    UnfinishedFile(const UnfinishedFile&) = delete;
    UnfinishedFile& operator=(const UnfinishedFile&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    /// From then on it is the target, mode 0600. Throws a LauncherError, also when there is one.
    void finish() const;

  private:
    void remove_left_over() const;

    std::string target_;
    std::string path_;
};

/// Throws a LauncherError unless `directory` has room for `needed` bytes, for `what`.
void require_room(std::uint64_t needed, const std::string& directory, const std::string& what);

/// Runs qemu-img convert with `words` (of formats, and of the source, which `files` lets it read)
/// and the new file `target`, in the place of what is there. `what`: the source, for errors. Throws
/// a LauncherError, also when one of `signals` came.
void convert_image(const std::vector<std::string>& words, FileAccess files,
                   const std::string& target, const HeldSignals& signals, const Progress& progress,
                   const std::string& what);

}  // namespace tapgate

#endif
