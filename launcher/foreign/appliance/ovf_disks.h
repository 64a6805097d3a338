// SPDX-License-Identifier: GPL-2.0-or-later
//
// The disks of an OVF descriptor, and the files that they are in.
#pragma once

#include <cstdint>
#include <map>
#include <pugixml.hpp>
#include <set>
#include <string>
#include <vector>

#include "launcher/vm/spec.h"

namespace tapgate {

/// How many disks on SATA a VM has room for.
constexpr size_t most_sata = 6;

/// A disk of an appliance.
struct ApplianceDisk {
    /// A file beside the descriptor or below it, or a member of the same archive: without a leading
    /// "./", and without any "..". Empty for a blank disk.
    std::string file;
    /// Another name that the file may have: "my%20disk.vmdk"; empty if there is none.
    std::string escaped = {};
    ImageFormat format = ImageFormat::vmdk;
    bool compressed = false;  ///< with gzip
    /// In bytes: a blank disk's size, or the least size of one with a file; 0 if none is given.
    std::uint64_t capacity = 0;
    DiskBus bus = DiskBus::sata;  ///< one for which the guest has a driver
    std::string interface = {};   ///< oVirt's word for where it was; empty if not given
    bool is_first = false;        ///< oVirt boots from it
    std::string left = {};        ///< left out of its element and its file's; empty if nothing
    /// The file may be in pieces NAME.000000000, NAME.000000001 and so on of this many bytes, but
    /// for the last; 0 if it is whole.
    std::uint64_t piece_size = 0;
    /// In bytes, of the whole file as it is stored, as the descriptor says; 0 if not given.
    std::uint64_t file_size = 0;
    bool is_by_id = false;  ///< its element has the file's own id, and no reference
};

class OvfDisks {
  public:
    /// Errors call the descriptor `source`, which must live as long as this.
    explicit OvfDisks(const std::string& source) : source_(source) {}

    /// Reads the properties of the VM and of what is around it, to which "${key}" refers, with
    /// their values for `configuration`.
    void read_properties(const pugi::xml_node& system, const std::string& configuration);
    /// The value of "${key}"; any other text stays as it is. Throws a LauncherError for a property
    /// without a value; `way_out` is another way to help besides giving it one.
    [[nodiscard]] std::string resolved(const std::string& text,
                                       const std::string& way_out = "") const;
    /// Reads each <References> and <DiskSection>. Throws a LauncherError for an id that is there
    /// twice.
    void read_files(const pugi::xml_node& envelope);

    /// The disk that an item's HostResource names: "ovf:/disk/ID", or "ovf:/file/ID" for a file
    /// that is no disk of the DiskSection. Errors call the item `was`. Throws a LauncherError if no
    /// file is given for it, or one that cannot be read from here, for a blank disk without a size,
    /// and for a disk with a parent.
    ApplianceDisk disk(const std::string& resource, const std::string& was);
    /// A blank disk of that many units ("20", "byte * 2^30"). Throws a LauncherError, which calls
    /// it `was`, if that is not a size for a disk.
    [[nodiscard]] ApplianceDisk blank_disk(const std::string& size, const std::string& units,
                                           const std::string& was) const;

    /// The name in References of the file that a drive's HostResource names; the HostResource
    /// itself if there is no such file.
    std::string file_in_drive(const std::string& resource);

    /// Each file and disk for which neither disk() nor file_in_drive() was called, as the start tag
    /// of its element.
    [[nodiscard]] std::vector<std::string> unused() const;

  private:
    /// An entry of <References>.
    struct File {
        std::string href;     ///< as written
        std::string name;     ///< relative to the descriptor
        std::string escaped;  ///< the name as in the URI
        bool is_gzip = false;
        std::uint64_t piece_size = 0;  ///< as in ApplianceDisk
        std::uint64_t size = 0;
        std::string left;      ///< as in ApplianceDisk
        std::string unusable;  ///< why it cannot be read; empty if it can
    };

    void read_references(const pugi::xml_node& section);
    void read_disks(const pugi::xml_node& section);
    /// The entry of <References> for a disk's element; the end if the disk is blank.
    [[nodiscard]] std::map<std::string, File>::const_iterator file_for(
        const pugi::xml_node& element) const;
    [[nodiscard]] ApplianceDisk blank_disk_of(const pugi::xml_node& element) const;
    /// For a disk with a file, which has its own size: 0 if nothing is given, or nonsense.
    [[nodiscard]] std::uint64_t capacity_of(const pugi::xml_node& element) const;
    /// The file with an id (for oVirt, also a name); the end if there is none.
    [[nodiscard]] std::map<std::string, File>::const_iterator file_of(const std::string& id) const;
    [[nodiscard]] std::map<std::string, pugi::xml_node>::const_iterator disk_of(
        const std::string& id) const;

    const std::string& source_;
    std::map<std::string, std::string> properties_;  // by key
    std::map<std::string, File> files_;              // by id
    std::map<std::string, pugi::xml_node> disks_;    // by id
    std::string misplaced_;  // what an error says of a section of files in a wrong place
    std::set<std::string> taken_files_;  // their ids
    std::set<std::string> taken_disks_;
};

}  // namespace tapgate
