// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/base_image.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "common/unique_fd.h"
#include "launcher/base/block_device.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/sha256.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/image/disk_image.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/file.h"

namespace tapgate {

namespace {

using Json = nlohmann::ordered_json;

std::optional<struct stat> status_of(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0)
        return std::nullopt;
    return status;
}

// Identifies a file, whatever it is called.
using FileId = std::pair<dev_t, ino_t>;

std::optional<FileId> id_of(const std::string& path) {
    const auto status = status_of(path);
    if (!status)
        return std::nullopt;
    return FileId{status->st_dev, status->st_ino};
}

bool is_any(const std::vector<std::string>& paths, const std::string& path) {
    const auto id = id_of(path);
    return id && std::any_of(paths.begin(), paths.end(),
                             [&](const std::string& one) { return id_of(one) == id; });
}

// The backing file of a qcow2 image; empty when it has none, or is not a qcow2.
std::string backing_of(const std::string& image) {
    try {
        const std::string backing = read_qcow2_names(image).backing;
        return backing.empty() || backing.starts_with('/')
                   ? backing
                   : image.substr(0, image.rfind('/') + 1) + backing;
    } catch (const LauncherError&) {
        return {};
    }
}

// The qcow2 images in a VM's directory below data_directory(), whether or not its file names them:
// deleting a VM can leave them there.
std::vector<std::string> images_in(const std::filesystem::path& directory) {
    std::vector<std::string> images;
    for (const std::filesystem::path& entry : entries_of(directory)) {
        if (entry.extension() == ".qcow2")
            images.push_back(entry.string());
    }
    return images;
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names)
        text.append(text.empty() ? "" : ", ").append(shown(name));
    return text;
}

}  // namespace

std::int64_t modification_time(const struct stat& status) {
    return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

std::uint64_t size_of(const std::string& path, const struct stat& status) {
    if (S_ISBLK(status.st_mode))
        return block_device_size(path).value_or(0);
    return static_cast<std::uint64_t>(status.st_size);
}

std::string base_record_path(const std::string& overlay) {
    return overlay + ".base";
}

std::optional<BaseRecord> read_base_record(const std::string& overlay) {
    const std::string path = base_record_path(overlay);
    const auto text = read_file(path);
    if (!text)
        return std::nullopt;
    try {
        const Json json = Json::parse(*text);
        BaseRecord record;
        json.at("vm").get_to(record.vm);
        record.format = image_format(json.at("format").get<std::string>()).value();
        for (const Json& one : json.at("files")) {
            BaseFile& file = record.files.emplace_back();
            one.at("path").get_to(file.path);
            one.at("size").get_to(file.size);
            one.at("mtime").get_to(file.mtime);
            one.at("inode").get_to(file.inode);
            one.at("sha256").get_to(file.sha256);
            one.at("mode").get_to(file.mode);
        }
        if (record.files.empty())
            throw std::runtime_error("a record without a file");
        return record;
    } catch (const std::exception&) {
        throw LauncherError(shown(path) +
                            " is damaged, so nobody can tell whether the overlay's base has "
                            "changed; remove this file if you are sure that it has not");
    }
}

std::optional<BaseRecord> readable_base_record(const std::string& overlay) {
    try {
        return read_base_record(overlay);
    } catch (const LauncherError&) {
        return std::nullopt;
    }
}

void write_base_record(const std::string& overlay, const BaseRecord& record) {
    Json files = Json::array();
    for (const BaseFile& file : record.files)
        files.push_back({{"path", file.path},
                         {"size", file.size},
                         {"mtime", file.mtime},
                         {"inode", file.inode},
                         {"sha256", file.sha256},
                         {"mode", file.mode}});
    replace_file(
        base_record_path(overlay),
        Json{{"vm", record.vm}, {"format", name_of(record.format)}, {"files", files}}.dump(2) +
            "\n");
}

std::vector<BaseRecord> all_base_records() {
    std::vector<BaseRecord> records;
    for (const std::filesystem::path& directory : entries_of(data_directory())) {
        for (const std::string& image : images_in(directory)) {
            if (auto record = readable_base_record(image))
                records.push_back(std::move(*record));
        }
    }
    return records;
}

std::string difference_to(const BaseFile& file) {
    const auto status = status_of(file.path);
    if (!status)
        return errno_text(errno);
    const std::uint64_t size = size_of(file.path, *status);
    if (size != file.size)
        return "its size is " + std::to_string(size) + ", not " + std::to_string(file.size);
    // The node of a device says nothing about what is on the device.
    if (S_ISBLK(status->st_mode))
        return {};
    if (status->st_ino != file.inode)
        return "another file has come in its place";
    if (modification_time(*status) != file.mtime)
        return "it was written to";
    return {};
}

std::string content_hash(const std::string& path, const HeldSignals& signals,
                         const Progress& progress) {
    using Clock = std::chrono::steady_clock;
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0)
        fail_with_errno(shown(path));
    const std::uint64_t size = size_of(path, status);
    posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    const auto begin = Clock::now();
    Sha256 hash;
    std::uint64_t done = 0;
    read_pieces(fd.get(), path, [&](std::string_view piece) {
        signals.throw_if_any();
        hash.add(piece);
        done += piece.size();
        if (progress && size > 0 && Clock::now() - begin > std::chrono::seconds(1))
            progress(100.0 * static_cast<double>(done) / static_cast<double>(size));
    });
    return hex_text(hash.digest());
}

std::vector<std::string> dependents_of(const std::string& path,
                                       const std::vector<std::string>& except) {
    std::set<std::string> dependents;
    const auto look_at = [&](const std::string& image, const std::string& owner) {
        const std::string backing = backing_of(image);
        if (!backing.empty() && is_any({path}, backing) && !is_any(except, image))
            dependents.insert(owner);
    };
    for (const VmName& name : vm_names()) {
        for (const std::string& image : images_in(vm_data_directory(name)))
            look_at(image, name.str());
        try {
            for (const Disk& disk : load_vm_file(name).spec.disks)
                look_at(disk.path.str(), name.str());
        } catch (const LauncherError&) {
            // Whatever it names, nobody can start it.
        }
    }
    for (const std::filesystem::path& directory : entries_of(data_directory())) {
        const auto name = VmName::parse(directory.filename().string());
        if (name && has_vm_file(*name))
            continue;
        for (const std::string& image : images_in(directory))
            look_at(image, image);
    }
    return {dependents.begin(), dependents.end()};
}

void refuse_written_base(const VmSpec& spec) {
    if (spec.snapshot)
        return;
    for (const Disk& disk : spec.disks) {
        if (disk.read_only)
            continue;
        refuse_base(disk.path.str(), "run " + spec.name.str() +
                                         " with --snapshot=on, which writes nothing, or delete "
                                         "them first");
    }
}

void refuse_base(const std::string& path, const std::string& way_out,
                 const std::vector<std::string>& except) {
    const auto dependents = dependents_of(path, except);
    if (!dependents.empty())
        throw LauncherError(shown(path) + " is the base of " + joined(dependents) +
                            "; a change would destroy them: " + way_out);
}

void refuse_cloned(const VmName& vm, const std::string& way_out) {
    std::set<std::string> clones;
    for (const std::filesystem::path& directory : entries_of(data_directory())) {
        const auto name = VmName::parse(directory.filename().string());
        for (const std::string& image : images_in(directory)) {
            const auto record = readable_base_record(image);
            if (record && record->vm == vm.str())
                clones.insert(name && has_vm_file(*name) ? name->str() : image);
        }
    }
    if (!clones.empty())
        throw LauncherError(vm.str() + " has clones, which are reset to what it is: " +
                            joined({clones.begin(), clones.end()}) + "; " + way_out);
}

void check_bases(const VmSpec& spec) {
    for (const Disk& disk : spec.disks) {
        const auto record = read_base_record(disk.path.str());
        if (!record)
            continue;
        for (const BaseFile& file : record->files) {
            if (const std::string difference = difference_to(file); !difference.empty())
                throw LauncherError(
                    shown(file.path) + ", which " + spec.name.str() +
                    " is a clone of, has changed: " + difference +
                    "; see whether its content is the same with: tapgate status " + "--verify " +
                    spec.name.str() + "; or put it back; or give up what " + spec.name.str() +
                    " has written, with: tapgate reset --to-base " + spec.name.str());
        }
        if (access(disk.path.str().c_str(), F_OK) == 0 &&
            !is_any({record->files.front().path}, backing_of(disk.path.str())))
            throw LauncherError(shown(disk.path.str()) + " has another base than " +
                                shown(record->files.front().path) +
                                ", which it was made for; somebody has changed the overlay");
    }
}

std::vector<std::string> release_bases(const std::vector<BaseRecord>& records) {
    std::vector<std::string> notes;
    for (const BaseRecord& record : records) {
        for (const BaseFile& file : record.files) {
            const auto status = status_of(file.path);
            if (!status || status->st_ino != file.inode || status->st_uid != geteuid() ||
                (status->st_mode & write_permissions) != 0 ||
                (file.mode & write_permissions) == 0 || !dependents_of(file.path).empty())
                continue;
            if (chmod(file.path.c_str(), file.mode) == 0)
                notes.push_back(shown(file.path) +
                                " has no clones any more, and can be written to");
        }
    }
    return notes;
}

}  // namespace tapgate
