// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/files.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <nettle/nettle-meta.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "common/unique_fd.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/foreign/appliance/foreign_file.h"
#include "launcher/foreign/appliance/vm_archive.h"

namespace tapgate {

namespace {

// The largest OVF descriptor or manifest, in bytes.
constexpr size_t most_description = 1024UL * 1024;
// How much an import leaves free on a file system that it unpacks into.
constexpr std::uint64_t reserve = 64ULL * 1024 * 1024;

UniqueFd open_file(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd)
        fail_with_errno(shown(path));
    return fd;
}

// The program that compressed or packed a file, by how the file begins; empty if none known here
// did.
std::string_view packer_of(const std::string& path, std::uint64_t offset) {
    struct Packer {
        std::string_view beginning;
        std::string_view name;
    };
    constexpr Packer packers[] = {{"\x1f\x8b", "gzip"},
                                  {"PK\x03\x04", "zip"},
                                  {"\xfd"
                                   "7zXZ",
                                   "xz"},
                                  {"BZh", "bzip2"},
                                  {"\x28\xb5\x2f\xfd", "zstd"},
                                  {"7z\xbc\xaf", "7z"}};
    const UniqueFd fd = open_file(path);
    std::array<char, 8> head{};
    if (pread(fd.get(), head.data(), head.size(), static_cast<off_t>(offset)) < 0)
        fail_with_errno(shown(path));
    const auto* const found =
        std::find_if(std::begin(packers), std::end(packers), [&](const Packer& one) {
            return std::string_view(head.data(), head.size()).starts_with(one.beginning);
        });
    return found == std::end(packers) ? std::string_view() : found->name;
}

std::uint64_t free_bytes(const std::string& directory) {
    struct statvfs status {};
    if (statvfs(directory.c_str(), &status) != 0)
        fail_with_errno(shown(directory));
    return std::uint64_t{status.f_bavail} * status.f_frsize;
}

// A part of a file, as libarchive reads it.
struct Part {
    int fd = -1;
    std::uint64_t left = 0;
    std::array<char, 65536> buffer{};
};

la_ssize_t read_part(archive* /*unused*/, void* state, const void** bytes) {
    auto* const part = static_cast<Part*>(state);
    const size_t wanted = std::min<std::uint64_t>(part->buffer.size(), part->left);
    const ssize_t got = read(part->fd, part->buffer.data(), wanted);
    if (got > 0)
        part->left -= static_cast<std::uint64_t>(got);
    *bytes = part->buffer.data();
    return got;
}

struct FreeReader {
    void operator()(archive* one) const { archive_read_free(one); }
};

std::string in_hex(const std::vector<std::uint8_t>& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

std::string digest_of(const nettle_hash& hash, const std::string& path, std::uint64_t offset,
                      std::uint64_t size) {
    const UniqueFd fd = open_file(path);
    std::vector<std::uint8_t> context(hash.context_size);
    hash.init(context.data());
    std::vector<std::uint8_t> buffer(size_t{1} << 20U);
    std::uint64_t left = size == 0 ? UINT64_MAX : size;
    while (left > 0) {
        const ssize_t got =
            pread(fd.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), left),
                  static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            fail_with_errno(shown(path));
        if (got == 0)
            break;
        hash.update(context.data(), static_cast<size_t>(got), buffer.data());
        offset += static_cast<std::uint64_t>(got);
        left -= static_cast<std::uint64_t>(got);
    }
    std::vector<std::uint8_t> digest(hash.digest_size);
    hash.digest(context.data(), digest.size(), digest.data());
    return in_hex(digest);
}

const nettle_hash* hash_named(std::string_view name) {
    return name == "SHA1"     ? &nettle_sha1
           : name == "SHA256" ? &nettle_sha256
           : name == "SHA384" ? &nettle_sha384
           : name == "SHA512" ? &nettle_sha512
                              : nullptr;
}

std::string without_dot(std::string name) {
    while (name.starts_with("./"))
        name.erase(0, 2);
    return name;
}

// "a/" of "a/b"
std::string folder_of(const std::string& name) {
    return name.substr(0, name.rfind('/') + 1);
}

// A file that macOS puts into an archive beside another, with "._" before that file's name.
bool is_of_macos(const std::string& name) {
    return name.compare(folder_of(name).size(), 2, "._") == 0;
}

// "000000012"
std::string piece_number(size_t number) {
    const std::string digits = std::to_string(number);
    constexpr size_t width = 9;
    return std::string(width - std::min(width, digits.size()), '0') + digits;
}

// "0a1b...  disk.vmdk" of sha256sum, with the algorithm by the number of digits.
std::optional<ManifestEntry> entry_of_sum(std::string_view line) {
    const size_t digits = line.find_first_not_of("0123456789abcdefABCDEF");
    if (digits == std::string_view::npos || line[digits] != ' ')
        return std::nullopt;
    constexpr std::pair<size_t, std::string_view> algorithms[] = {
        {40, "SHA1"}, {64, "SHA256"}, {96, "SHA384"}, {128, "SHA512"}};
    std::string_view file = line.substr(digits + 1);
    // A blank or a star: how the file was read.
    file.remove_prefix(file.starts_with(' ') || file.starts_with('*') ? 1 : 0);
    for (const auto& [length, name] : algorithms) {
        if (digits == length)
            return ManifestEntry{std::string(name), std::string(file),
                                 in_small_letters(line.substr(0, digits))};
    }
    return std::nullopt;
}

std::string too_short(std::uint64_t size, std::uint64_t said) {
    return " has only " + std::to_string(size) + " bytes, and the descriptor says " +
           std::to_string(said) +
           ": most likely it was not downloaded or copied to its end, so get it again";
}

bool is_descriptor(const TarMember& member) {
    return in_small_letters(member.name).ends_with(".ovf");
}

}  // namespace

UnpackedFiles::UnpackedFiles()
    : directory_(data_directory() + "/.import." + std::to_string(getpid())) {
    make_private_directory(data_directory());
    make_private_directory(directory_);
}

UnpackedFiles::~UnpackedFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

UniqueFd UnpackedFiles::new_file(std::string& path) {
    path = directory_ + "/" + std::to_string(number_++);
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd)
        fail_with_errno(shown(path));
    return fd;
}

std::string UnpackedFiles::join(const std::vector<FileRange>& parts) {
    std::string target;
    const UniqueFd out = new_file(target);
    std::vector<char> buffer(size_t{1} << 20U);
    for (const FileRange& part : parts) {
        const UniqueFd in = open_file(part.path);
        std::uint64_t at = 0;
        while (part.size == 0 || at < part.size) {
            const size_t wanted = part.size == 0
                                      ? buffer.size()
                                      : std::min<std::uint64_t>(buffer.size(), part.size - at);
            const ssize_t got =
                pread(in.get(), buffer.data(), wanted, static_cast<off_t>(part.offset + at));
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0)
                fail_with_errno(shown(part.path));
            if (got == 0)
                break;
            if (free_bytes(directory_) < reserve + static_cast<std::uint64_t>(got))
                throw LauncherError("no room to join the pieces of " + shown(part.path) + " in " +
                                    shown(directory_));
            if (!write_all(out.get(), {buffer.data(), static_cast<size_t>(got)}))
                fail_with_errno(shown(target));
            at += static_cast<std::uint64_t>(got);
        }
    }
    return target;
}

std::string UnpackedFiles::unpack(const std::string& path, std::uint64_t offset,
                                  std::uint64_t size) {
    const UniqueFd fd = open_file(path);
    if (lseek(fd.get(), static_cast<off_t>(offset), SEEK_SET) < 0)
        fail_with_errno(shown(path));
    std::string target;
    const UniqueFd out = new_file(target);
    Part part{.fd = fd.get(), .left = size == 0 ? UINT64_MAX : size};
    const std::unique_ptr<archive, FreeReader> reader(archive_read_new());
    archive_entry* entry = nullptr;
    const auto fail = [&] {
        const char* const why = archive_error_string(reader.get());
        throw LauncherError(shown(path) + ": it cannot be unpacked as gzip: " +
                            (why == nullptr ? std::string("damaged") : terminal_text(why)));
    };
    if (!reader || archive_read_support_filter_gzip(reader.get()) != ARCHIVE_OK ||
        archive_read_support_format_raw(reader.get()) != ARCHIVE_OK ||
        archive_read_open(reader.get(), &part, nullptr, read_part, nullptr) != ARCHIVE_OK ||
        archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK)
        fail();
    std::vector<char> buffer(size_t{1} << 20U);
    for (;;) {
        const la_ssize_t got = archive_read_data(reader.get(), buffer.data(), buffer.size());
        if (got < 0)
            fail();
        if (got == 0)
            return target;
        if (free_bytes(directory_) < reserve + static_cast<std::uint64_t>(got))
            throw LauncherError("no room to unpack " + shown(path) + " in " + shown(directory_));
        if (!write_all(out.get(), {buffer.data(), static_cast<size_t>(got)}))
            fail_with_errno(shown(target));
    }
}

std::vector<ManifestEntry> parse_manifest(std::string_view text, const std::string& source) {
    std::vector<ManifestEntry> entries;
    constexpr size_t most = 1000;
    for (unsigned number = 1; !text.empty(); number++) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::string_view content = trimmed(line, " \t\r");
        if (content.empty())
            continue;
        if (auto sum = entry_of_sum(content); sum && entries.size() < most) {
            entries.push_back(std::move(*sum));
            continue;
        }
        const size_t open = content.find('(');
        const size_t close = content.rfind(')');
        const size_t equals = content.rfind('=');
        if (open == std::string_view::npos || close == std::string_view::npos || close < open ||
            equals == std::string_view::npos || equals < close || entries.size() >= most)
            throw LauncherError(source + ":" + std::to_string(number) + ": " +
                                quoted_word(content) + " is not a line of a manifest");
        ManifestEntry entry{std::string(trimmed(content.substr(0, open))),
                            std::string(content.substr(open + 1, close - open - 1)),
                            std::string(trimmed(content.substr(equals + 1)))};
        std::transform(entry.digest.begin(), entry.digest.end(), entry.digest.begin(), [](char c) {
            return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        std::transform(
            entry.algorithm.begin(), entry.algorithm.end(), entry.algorithm.begin(),
            [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
        if (hash_named(entry.algorithm) == nullptr)
            throw LauncherError(source + ":" + std::to_string(number) +
                                ": tapgate does not know checksums of type " +
                                quoted_word(entry.algorithm) +
                                ", only SHA1, SHA256, SHA384 and SHA512");
        entries.push_back(std::move(entry));
    }
    return entries;
}

ApplianceFiles::ApplianceFiles(const std::string& path) : path_(path) {
    archive_ = foreign_file(path) == ForeignFile::archive;
    if (archive_) {
        read_archive();
        return;
    }
    auto text = read_file(path, most_description);
    if (!text)
        throw LauncherError(shown(path) + ": no such file");
    descriptor_ = std::move(*text);
}

void ApplianceFiles::check_manifests() {
    for (const TarMember& member : members_) {
        if (in_small_letters(member.name).ends_with(".mf"))
            check_manifest(read_tar_member(path_, member, most_description),
                           folder_of(member.name));
        is_signed_ = is_signed_ || in_small_letters(member.name).ends_with(".cert");
    }
    if (archive_)
        return;
    const std::string stem = path_.substr(0, path_.rfind('.'));
    for (const char* const ending : {".mf", ".MF"})
        check_manifest(read_file(stem + ending, most_description).value_or(""), "");
    is_signed_ = exists(stem + ".cert");
}

void ApplianceFiles::read_archive() {
    const std::string path = path_;
    const std::string_view packer = packer_of(path, 0);
    if (packer == "gzip") {
        path_ = unpacked().unpack(path, 0, 0);
    } else if (!packer.empty()) {
        throw LauncherError(shown(path) + ": not a tar archive, but packed with " +
                            std::string(packer) +
                            ": unpack it, and import the .ova or the .ovf that is in it");
    }
    members_ = tar_members(path_);
    for (TarMember& member : members_)
        member.name = without_dot(member.name);
    std::erase_if(members_, [](const TarMember& member) { return is_of_macos(member.name); });
    read_vm_file();
    const auto found = std::find_if(members_.begin(), members_.end(), is_descriptor);
    if (found != members_.end()) {
        refuse_second_descriptor(*found);
        // A folder above the archive does not exist.
        if (("/" + found->name).find("/../") == std::string::npos)
            folder_ = folder_of(found->name);
        descriptor_ = read_tar_member(path_, *found, most_description);
    } else if (vm_file_.empty()) {
        throw LauncherError(
            shown(path) +
            ": the archive contains neither an .ovf nor a VM file from tapgate export");
    }
}

void ApplianceFiles::refuse_second_descriptor(const TarMember& first) const {
    for (const TarMember& member : members_) {
        if (is_descriptor(member) && member.name != first.name)
            throw LauncherError(shown(path_) + ": several descriptors are in the archive, " +
                                quoted_word(first.name) + " and " + quoted_word(member.name) +
                                ": unpack it, and import one of them");
    }
}

bool ApplianceFiles::has(const std::string& name) const {
    return archive_ ? std::any_of(members_.begin(), members_.end(),
                                  [&](const TarMember& one) { return one.name == name; })
                    : access((folder_of(path_) + name).c_str(), F_OK) == 0;
}

// Some programs store a file in pieces, or a disk's snapshots, as NAME.000000000, NAME.000000001,
// ...
std::string ApplianceFiles::in_its_place(const std::string& name) const {
    const std::string first = name + ".000000000";
    if (!has(first))
        return "";
    return ", but " + quoted_word(first) + " is: " + (archive_ ? "unpack the archive; " : "") +
           "if they are snapshots, the last one is the disk; if they are pieces, join them with "
           "cat" +
           (archive_ ? "; then import the .ovf" : ", in their order, as " + quoted_word(name));
}

FileRange ApplianceFiles::place_of(const std::string& name) const {
    if (archive_) {
        const auto member = std::find_if(members_.begin(), members_.end(),
                                         [&](const TarMember& one) { return one.name == name; });
        if (member == members_.end() || member->size == 0)
            throw LauncherError(shown(path_) + ": " + quoted_word(name) + " is not in the archive" +
                                in_its_place(name));
        return {path_, member->offset, member->size};
    }
    const std::string directory = folder_of(path_);
    // Links in the folders below could lead out of the directory.
    std::error_code error;
    const std::string inside = std::filesystem::canonical(directory, error).string();
    const std::string real =
        error ? std::string() : std::filesystem::canonical(directory + name, error).string();
    if (error)
        throw LauncherError(shown(directory + name) + ": " + error.message() + in_its_place(name));
    if (name.find('/') != std::string::npos && !real.starts_with(inside + "/"))
        throw LauncherError(shown(directory + name) +
                            " leads out of the appliance's directory: put the file "
                            "beside the descriptor, and write its name there alone into href=");
    return {directory + name};
}

void ApplianceFiles::read_vm_file() {
    constexpr std::string_view ending = ".conf";
    for (const TarMember& member : members_) {
        if (!member.name.ends_with(ending) || !folder_of(member.name).empty())
            continue;
        const std::string name = member.name.substr(0, member.name.size() - ending.size());
        std::string text = read_tar_member(path_, member, most_description);
        // Appliances of other programs may contain a .conf of their own.
        if (!VmName::parse(name) || !text.starts_with("# The VM " + name + " of tapgate"))
            continue;
        vm_file_ = std::move(text);
        vm_name_ = name;
        return;
    }
}

void ApplianceFiles::check_manifest(const std::string& text, const std::string& folder) {
    for (const ManifestEntry& entry : parse_manifest(text, shown(path_) + ", its manifest")) {
        const std::string name = without_dot(entry.file);
        if (name.empty() || name.starts_with('/') || name.find("..") != std::string::npos)
            throw LauncherError(shown(path_) + ": its manifest names " + quoted_word(entry.file) +
                                ", which is not a file beside it");
        const FileRange place = place_of(folder + name);
        if (digest_of(*hash_named(entry.algorithm), place.path, place.offset, place.size) !=
            entry.digest)
            throw LauncherError(shown(path_) + ": " + quoted_word(entry.file) +
                                " does not match the manifest: its " + entry.algorithm +
                                " differs; the file is damaged, or somebody has changed it");
        with_right_checksum_.insert(folder + name);
    }
}

std::string ApplianceFiles::manifest_note() const {
    const size_t right = with_right_checksum_.size();
    std::string text = right == 0 ? ""
                       : right == 1
                           ? "the checksum in its manifest is right"
                           : std::to_string(right) + " checksums in its manifest are right";
    if (is_signed_)
        text += (text.empty() ? "" : "; ") +
                std::string("its signature (.cert) is not checked: who has made it is not known");
    return text;
}

std::optional<SourceImage> ApplianceFiles::variables() {
    const std::string name = archived_variables_name(vm_name_);
    if (vm_file_.empty() || std::none_of(members_.begin(), members_.end(),
                                         [&](const auto& member) { return member.name == name; }))
        return std::nullopt;
    ApplianceDisk disk{.file = name};
    disk.format = ImageFormat::qcow2;
    return image_of(disk);
}

UnpackedFiles& ApplianceFiles::unpacked() {
    if (!unpacked_)
        unpacked_ = std::make_unique<UnpackedFiles>();
    return *unpacked_;
}

std::vector<FileRange> ApplianceFiles::pieces_of(const std::string& name,
                                                 const ApplianceDisk& disk) const {
    std::vector<FileRange> pieces;
    std::uint64_t total = 0;
    bool is_last = false;
    for (size_t i = 0; has(name + "." + piece_number(i)); i++) {
        FileRange piece = place_of(name + "." + piece_number(i));
        if (piece.size == 0)
            piece.size = std::filesystem::file_size(piece.path);
        if (is_last || piece.size > disk.piece_size)
            throw LauncherError(shown(path_) + ": " + quoted_word(name) + " is in pieces of " +
                                std::to_string(disk.piece_size) + " bytes, and one of those " +
                                (is_last ? "before " : "is larger: ") +
                                quoted_word(name + "." + piece_number(i)) +
                                (is_last ? " is smaller" : ""));
        is_last = piece.size < disk.piece_size;
        total += piece.size;
        pieces.push_back(std::move(piece));
    }
    if (disk.file_size > 0 && total != disk.file_size)
        throw LauncherError(shown(path_) + ": the pieces of " + quoted_word(name) + " have " +
                            std::to_string(total) + " bytes, and the descriptor says " +
                            std::to_string(disk.file_size) + ": one is missing (" +
                            quoted_word(name + "." + piece_number(pieces.size())) +
                            " would be the next), or damaged");
    return pieces;
}

std::string ApplianceFiles::name_here(const ApplianceDisk& disk) const {
    const bool as_written = !disk.escaped.empty() && !has(folder_ + disk.file);
    const std::string name = folder_ + (as_written ? disk.escaped : disk.file);
    // A file that would be stored in pieces, but is small enough for one.
    const std::string first = name + "." + piece_number(0);
    return !has(name) && has(first) && !has(name + "." + piece_number(1)) ? first : name;
}

std::optional<std::uint64_t> ApplianceFiles::size_here(const ApplianceDisk& disk) const {
    const std::string name = name_here(disk);
    if (disk.file_size == 0 || !has(name))
        return std::nullopt;
    const FileRange place = place_of(name);
    // The end of gzip has a checksum, and some programs give the size of what is in it.
    if (disk.compressed || packer_of(place.path, place.offset) == "gzip")
        return std::nullopt;
    return place.size > 0 ? place.size : std::filesystem::file_size(place.path);
}

std::string ApplianceFiles::odd_size(const ApplianceDisk& disk) const {
    const auto size = size_here(disk);
    if (!size || *size == disk.file_size)
        return {};
    const bool is_short = *size < disk.file_size;
    const std::string said =
        std::string("the file has ") + (is_short ? "only " : "") + std::to_string(*size) + " bytes";
    if (with_right_checksum_.contains(name_here(disk)))
        return said + ", but its checksum in the manifest is right";
    if (!is_short)
        return said + ": it was changed after the descriptor had been written, or is another one";
    // Of other images, ImageImport finds whether data are missing.
    if (disk.format != ImageFormat::raw && disk.format != ImageFormat::vhdx)
        return said + ", but as an image it is complete";
    throw LauncherError(
        shown(path_) + ": " + quoted_word(name_here(disk)) + too_short(*size, disk.file_size) +
        "; if you know that it is complete, remove its ovf:size= from the descriptor" +
        (archive_ ? " (unpack the archive for that, and import the .ovf)" : ""));
}

SourceImage ApplianceFiles::image_of(const ApplianceDisk& disk) {
    const std::string name = name_here(disk);
    const bool in_pieces = disk.piece_size > 0 && !has(name) && has(name + "." + piece_number(0));
    FileRange place =
        in_pieces ? FileRange{unpacked().join(pieces_of(name, disk))} : place_of(name);
    if (disk.compressed || packer_of(place.path, place.offset) == "gzip")
        place = {unpacked().unpack(place.path, place.offset, place.size)};
    SourceImage image{
        .path = place.path, .format = disk.format, .offset = place.offset, .size = place.size};
    if (const auto size = size_here(disk); size && *size < disk.file_size)
        image.doubt = "; the file" + too_short(*size, disk.file_size);
    return image;
}

}  // namespace tapgate
