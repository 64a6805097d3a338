// SPDX-License-Identifier: GPL-2.0-or-later
//
// The files of an appliance, wherever they are: beside its descriptor, or members of an archive,
// compressed or not. Checks them against the manifest.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "launcher/foreign/appliance/image_import.h"
#include "launcher/foreign/appliance/ovf.h"
#include "launcher/foreign/appliance/tar_archive.h"

namespace tapgate {

/// Where a file's content is; a size of 0 means the whole file.
struct FileRange {
    std::string path;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

/// Files that have been unpacked. They are in a directory of their own in data_directory(), which
/// only its owner can enter, and which the destructor removes.
class UnpackedFiles {
  public:
    UnpackedFiles();
    ~UnpackedFiles();
    UnpackedFiles(const UnpackedFiles&) = delete;
    UnpackedFiles& operator=(const UnpackedFiles&) = delete;

    /// Unpacks gzip: `size` bytes from `offset` on of the file `path` (0: all of it). Returns the
    /// path of the new file. Throws a LauncherError for malformed gzip, and when it would fill the
    /// file system.
    std::string unpack(const std::string& path, std::uint64_t offset, std::uint64_t size);

    /// Copies the parts, one after the other, into a new file, and returns its path. Throws a
    /// LauncherError when one cannot be read, and when it would fill the file system.
    std::string join(const std::vector<FileRange>& parts);

  private:
    /// A new, empty file; `path` becomes its path.
    UniqueFd new_file(std::string& path);

    std::string directory_;
    unsigned number_ = 0;
};

/// An appliance to be imported.
class ApplianceFiles {
  public:
    /// `path` is that of a .ova, a .ova.gz, a .tar or a .ovf. Throws a LauncherError when it cannot
    /// be read, and when it has neither a descriptor nor a VM file.
    explicit ApplianceFiles(const std::string& path);

    /// Reads every file that a manifest names, which may take minutes. Throws a LauncherError when
    /// one does not match it.
    void check_manifests();

    /// The descriptor's text; empty when there is only a VM file.
    [[nodiscard]] const std::string& descriptor() const { return descriptor_; }

    /// The VM file that `tapgate export` has put into the archive (archived_vm.h), and the VM's
    /// name; empty if there is none, but a descriptor.
    [[nodiscard]] const std::string& vm_file() const { return vm_file_; }
    [[nodiscard]] const std::string& vm_name() const { return vm_name_; }

    /// Where the disk's content is: a file, a part of one, or one that was unpacked for it.
    [[nodiscard]] SourceImage image_of(const ApplianceDisk& disk);

    /// After check_manifests(): what is odd about the size of the disk's file, as a note; empty if
    /// it is the descriptor's, or cannot be compared. Throws a LauncherError when the file is too
    /// short and nothing else would tell that it is damaged.
    [[nodiscard]] std::string odd_size(const ApplianceDisk& disk) const;

    /// The UEFI variables that `tapgate export` has put beside it; nothing when there are none.
    [[nodiscard]] std::optional<SourceImage> variables();

    /// The result of check_manifests(), as a note: "3 checksums are right"; empty without any.
    [[nodiscard]] std::string manifest_note() const;

  private:
    [[nodiscard]] bool has(const std::string& name) const;
    [[nodiscard]] FileRange place_of(const std::string& name) const;
    /// The disk's file as it is called here, or in pieces would be.
    [[nodiscard]] std::string name_here(const ApplianceDisk& disk) const;
    /// How large its file is, in bytes; nothing if that is not to be compared with the descriptor.
    [[nodiscard]] std::optional<std::uint64_t> size_here(const ApplianceDisk& disk) const;
    /// The pieces of the disk's file, which is `name` without their numbers; throws a LauncherError
    /// if they do not have the sizes that the descriptor gives.
    [[nodiscard]] std::vector<FileRange> pieces_of(const std::string& name,
                                                   const ApplianceDisk& disk) const;
    UnpackedFiles& unpacked();
    [[nodiscard]] std::string in_its_place(const std::string& name) const;
    void read_archive();
    void refuse_second_descriptor(const TarMember& first) const;
    /// `folder`: the manifest's folder in the archive, which also contains the files that it names.
    void check_manifest(const std::string& text, const std::string& folder);
    void read_vm_file();

    std::string path_;
    bool archive_ = false;
    std::vector<TarMember> members_;
    std::string descriptor_;
    std::string folder_;  // the descriptor's folder in the archive: "" or "lab/"
    std::string vm_file_;
    std::string vm_name_;
    std::set<std::string> with_right_checksum_;  // names of files
    bool is_signed_ = false;                     // with a .cert
    std::unique_ptr<UnpackedFiles> unpacked_;
};

/// The lines of a manifest: "SHA256(disk.vmdk)= 0a1b...", or as sha256sum and its like write them:
/// "0a1b...  disk.vmdk".
struct ManifestEntry {
    std::string algorithm;  ///< "SHA1", "SHA256", "SHA384", "SHA512"
    std::string file;
    std::string digest;  ///< in hex digits, in small letters
};

/// Throws a LauncherError for any other line, and for other algorithms.
std::vector<ManifestEntry> parse_manifest(std::string_view text, const std::string& source);

}  // namespace tapgate
