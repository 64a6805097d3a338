// SPDX-License-Identifier: GPL-2.0-or-later
//
// Makes overlays: empty qcow2 images that depend on others. Those lose their write permission, and
// a record says what they were (base_image.h).
#pragma once

#include <sys/stat.h>

#include <string>
#include <utility>
#include <vector>

#include "launcher/base/progress_bar.h"
#include "launcher/base/stop_signals.h"
#include "launcher/image/base_image.h"
#include "launcher/vm/spec.h"

namespace tapgate {

/// An image of a chain.
struct ChainLink {
    std::string path;
    ImageFormat format;
};

/// The disk's image and those it depends on. check_disk() has made sure that each is a file that
/// the disk names. Throws a LauncherError for an image that cannot have an overlay.
std::vector<ChainLink> chain_of(const Disk& disk);

/// Write permissions that were taken away. The destructor gives them back, unless they are kept.
class TakenPermissions {
  public:
    TakenPermissions() = default;
    ~TakenPermissions();
    TakenPermissions(const TakenPermissions&) = delete;
    TakenPermissions& operator=(const TakenPermissions&) = delete;

    /// Takes them from a file of this user's; others' files stay as they are. Throws a
    /// LauncherError.
    void take(const std::string& path, const struct stat& status);

    /// Leaves them taken away; returns the paths.
    std::vector<std::string> keep();

  private:
    std::vector<std::pair<std::string, mode_t>> taken_;
};

/// What the base `path` is now, after its write permission was taken away. Reads all of it, unless
/// another record knows it. Throws a LauncherError.
BaseFile base_file(const std::string& path, TakenPermissions& permissions,
                   const HeldSignals& signals, const Progress& progress);

std::vector<std::string> paths_of(const BaseRecord& record);

/// Makes `overlay`. `chain` is the base's image, of the format `format`, and those it depends on.
/// Throws a LauncherError.
void make_overlay(const std::string& overlay, const std::vector<std::string>& chain,
                  ImageFormat format);

/// The value of the key "disk" for the overlay, if it was `value` for the base.
std::string overlay_value(const std::string& value, const std::string& overlay,
                          const std::vector<ChainLink>& chain);

/// A directory that becomes a new VM's data directory by a single rename. Until then its name is
/// not a VM's.
class NewDirectory {
  public:
    explicit NewDirectory(const VmName& name);
    ~NewDirectory();
    NewDirectory(const NewDirectory&) = delete;
    NewDirectory& operator=(const NewDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::string& target() const { return target_; }

    /// Makes it the VM's directory; it is still removed unless it is kept. Throws a LauncherError.
    void move();
    void keep() { path_.clear(); }

  private:
    VmName name_;
    std::string target_;
    std::string path_;
};

}  // namespace tapgate
