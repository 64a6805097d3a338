// SPDX-License-Identifier: GPL-2.0-or-later
//
// How an overlay comes into being: an empty qcow2 image that stands on others, which lose their
// write permission, with a record of what they were (base_image.h).
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

/// The disk's image and what that stands on. check_disk() has seen that each is a file that the
/// disk names. Throws a LauncherError for what no overlay can stand on.
std::vector<ChainLink> chain_of(const Disk& disk);

/// Write permissions that were taken away: given back unless the clone comes into being.
class TakenPermissions {
  public:
    TakenPermissions() = default;
    ~TakenPermissions();
    TakenPermissions(const TakenPermissions&) = delete;
    TakenPermissions& operator=(const TakenPermissions&) = delete;

    /// Of a file of this user's; others' stay as they are. Throws a LauncherError.
    void take(const std::string& path, const struct stat& status);

    /// For good; returns the paths.
    std::vector<std::string> keep();

  private:
    std::vector<std::pair<std::string, mode_t>> taken_;
};

/// What the base `path` is now, its write permission taken. It is read whole where no other record
/// knows it. Throws a LauncherError.
BaseFile base_file(const std::string& path, TakenPermissions& permissions,
                   const HeldSignals& signals, const Progress& progress);

std::vector<std::string> paths_of(const BaseRecord& record);

/// Makes `overlay`. `chain`: the base's image, of `format`, and what that stands on. Throws a
/// LauncherError.
void make_overlay(const std::string& overlay, const std::vector<std::string>& chain,
                  ImageFormat format);

/// The value of the key "disk" that had `value` for the base, for its overlay.
std::string overlay_value(const std::string& value, const std::string& overlay,
                          const std::vector<ChainLink>& chain);

/// What becomes the new VM's data directory, by one rename. Its name is no VM's.
class NewDirectory {
  public:
    explicit NewDirectory(const VmName& name);
    ~NewDirectory();
    NewDirectory(const NewDirectory&) = delete;
    NewDirectory& operator=(const NewDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::string& target() const { return target_; }

    /// From then on this is the VM's directory, and still goes unless kept. Throws a LauncherError.
    void move();
    void keep() { path_.clear(); }

  private:
    VmName name_;
    std::string target_;
    std::string path_;
};

}  // namespace tapgate
