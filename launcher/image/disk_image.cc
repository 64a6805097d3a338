// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/disk_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/unique_fd.h"
#include "launcher/base/block_device.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/text.h"
#include "launcher/image/vmdk_descriptor.h"
#include "launcher/vm/data_directory.h"

namespace tapgate {

namespace {

// The longest chain of images. QEMU itself gives up above 200.
constexpr unsigned deepest_chain = 64;

// At most `size` bytes from `offset` on.
std::string bytes_at(int fd, std::uint64_t offset, size_t size) {
    std::string bytes(size, '\0');
    const ssize_t got = pread(fd, bytes.data(), size, static_cast<off_t>(offset));
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
}

// The big-endian number at `offset`; 0 when the bytes end before it does.
std::uint64_t number_at(std::string_view bytes, size_t offset, size_t size) {
    std::uint64_t number = 0;
    for (size_t i = offset; i < offset + size; i++)
        number = (number << 8) | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U);
    return number;
}

// Does not block, as opening a FIFO could.
UniqueFd open_image(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    const int error = errno;
    if (!fd && error == EACCES && is_block_device(path))
        throw LauncherError(shown(path) + ": " + errno_text(error) + ": " +
                            device_permission(path));
    errno = error;
    if (!fd)
        fail_with_errno(shown(path));
    return fd;
}

struct Signature {
    ImageFormat format;
    size_t offset;
    std::string_view bytes;
};

using namespace std::string_view_literals;
constexpr std::array signatures{
    Signature{ImageFormat::qcow2, 0, "QFI\xfb"sv},
    Signature{ImageFormat::vmdk, 0, "KDMV"sv},
    Signature{ImageFormat::vmdk, 0, "# Disk DescriptorFile"sv},
    Signature{ImageFormat::vhdx, 0, "vhdxfile"sv},
    Signature{ImageFormat::vdi, 64, "\x7f\x10\xda\xbe"sv},
    Signature{ImageFormat::vpc, 0, "conectix"sv},
};

std::optional<ImageFormat> format_by_content(int fd, const struct stat& status) {
    const std::string head = bytes_at(fd, 0, 128);
    for (const Signature& signature : signatures) {
        if (std::string_view(head)
                .substr(std::min(signature.offset, head.size()))
                .starts_with(signature.bytes))
            return signature.format;
    }
    // A fixed-size VHD is a raw image with a footer.
    constexpr std::uint64_t footer = 512;
    const auto size = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
    if (size > footer && bytes_at(fd, size - footer, 8) == "conectix")
        return ImageFormat::vpc;
    return std::nullopt;
}

struct stat status_of(int fd, const std::string& path) {
    struct stat status {};
    if (fstat(fd, &status) != 0)
        fail_with_errno(shown(path));
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        throw LauncherError(shown(path) + ": neither a file nor a block device");
    return status;
}

// For files that nobody writes to and that QEMU only reads.
void check_readable(const std::string& path) {
    status_of(open_image(path).get(), path);
}

// Two systems that write to the same file system destroy it.
void check_use(const Disk& disk, std::vector<std::string>& notes) {
    const std::string& path = disk.path.str();
    const DeviceUse use = use_of_device(path);
    if (!use.mounted_on.empty())
        throw LauncherError(
            shown(path) + " is in use by this host, " +
            (use.mounted_on == "swap" ? "as swap" : "mounted on " + shown(use.mounted_on)) +
            ": two systems that write to it would destroy what is on it; end that first (" +
            (use.mounted_on == "swap" ? "swapoff" : "umount " + shell_word(use.mounted_on)) +
            "), or run the VM with --snapshot=on, which writes nothing");
    if (!use.holder.empty())
        notes.push_back(shown(path) + " has " + shown(use.holder) +
                        " of this host's built upon it: nobody should use that while the VM runs");
}

// Whether QEMU takes `name` for a file: a word before a colon is a protocol, unless a slash comes
// first (path_has_protocol() in block.c).
bool is_file_name(std::string_view name) {
    return name.find(':') == std::string_view::npos || name.find('/') < name.find(':');
}

std::string beside(const std::string& path, const std::string& name) {
    return name.starts_with('/') ? name : path.substr(0, path.rfind('/') + 1) + name;
}

class Checker {
  public:
    explicit Checker(const Disk& disk) : disk_(disk) {}

    void check(const std::string& path, ImageFormat format, unsigned depth = 0) {
        const UniqueFd fd = open_image(path);
        const struct stat status = status_of(fd.get(), path);
        check_format(path, format, format_by_content(fd.get(), status));
        files.push_back(path);
        if (disk_.any_backing)
            return;
        if (depth >= deepest_chain)
            throw LauncherError(shown(disk_.path.str()) + ": more than " +
                                std::to_string(deepest_chain) + " backing files");
        if (format == ImageFormat::qcow2)
            check_qcow2(path, depth);
        if (format == ImageFormat::vmdk)
            check_vmdk(path);
    }

    std::vector<std::string> notes;
    std::vector<std::string> files;  // the image and its backing files

  private:
    void check_format(const std::string& path, ImageFormat said, std::optional<ImageFormat> seen) {
        if (seen == said || (said == ImageFormat::raw && !seen))
            return;
        const std::string looks =
            seen ? "a " + std::string(name_of(*seen)) + " image" : "a raw image, or a damaged one";
        // A qcow2 file is sometimes called .img; as a raw disk it would have no system on it.
        if (said == ImageFormat::raw && path == disk_.path.str() &&
            in_small_letters(path).ends_with(".img") && !disk_.format_is_said)
            throw LauncherError(shown(path) + " looks like " + looks + "; if it is one, say " +
                                shown(commas_doubled(path)) +
                                ",format=" + std::string(name_of(*seen)) +
                                ", and if its guest has made it look so, format=raw");
        if (said == ImageFormat::raw) {
            // That may be what the guest wrote to its disk.
            notes.push_back(shown(path) + " looks like " + looks +
                            ", and is used as raw, as its description says");
            return;
        }
        throw LauncherError(shown(path) + " is no " + std::string(name_of(said)) +
                            " image: it looks like " + looks + "; if it is one, say format=" +
                            std::string(name_of(seen.value_or(ImageFormat::raw))));
    }

    void check_qcow2(const std::string& path, unsigned depth) {
        const Qcow2Names names = read_qcow2_names(path);
        if (names.has_data_file)
            refuse(path, "has its data in another file");
        if (names.backing.empty())
            return;
        if (!is_file_name(names.backing))
            refuse(path, "has a backing file that is no file: " + quoted_word(names.backing));
        const std::string backing = beside(path, names.backing);
        const bool is_named =
            std::any_of(disk_.backing.begin(), disk_.backing.end(),
                        [&](const HostPath& one) { return is_same_file(one.str(), backing); });
        if (!is_named)
            throw LauncherError(shown(path) + " has the backing file " + quoted_word(backing) +
                                ", which the guest can read all of; if it may, say backing=" +
                                commas_doubled(shown(backing)));
        const auto format = image_format(names.backing_format);
        if (!format)
            refuse(path,
                   names.backing_format.empty()
                       ? "does not say which format its backing file has; write it down with: "
                         "qemu-img rebase -u -F FORMAT -b " +
                             shell_word(names.backing) + " " + shell_word(path)
                       : "has a backing file of an unusual format: " +
                             quoted_word(names.backing_format));
        check(backing, *format, depth + 1);
    }

    // The descriptor is a small language of its own. It is parsed here first; then qemu-img, which
    // opens the extents, shows whether it reads the same.
    static void check_vmdk(const std::string& path) {
        const FileAccess access{.read = {path}, .parts = check_vmdk_extents(path), .write = {}};
        const ProgramResult info =
            run_qemu_img({"info", "-U", "--output=json", "--image-opts",
                          "driver=vmdk,file.driver=file,file.filename=" + commas_doubled(path)},
                         access);
        if (info.exit_code != 0)
            throw LauncherError(shown(path) + ": " + terminal_text(info.errors));
        try {
            const auto json = nlohmann::json::parse(info.output);
            if (json.contains("backing-filename"))
                refuse(path, "has a parent: " + quoted_word(std::string(json["backing-filename"])));
            for (const auto& extent : json.at("format-specific").at("data").at("extents")) {
                const std::string name = extent.at("filename");
                if (name != path &&
                    std::find(access.parts.begin(), access.parts.end(), name) == access.parts.end())
                    refuse(path, "has a part that is not one of its files: " + quoted_word(name));
            }
        } catch (const nlohmann::json::exception&) {
            throw LauncherError("qemu-img info " + shown(path) + ": unexpected answer");
        }
    }

    [[noreturn]] static void refuse(const std::string& path, const std::string& what) {
        throw LauncherError(shown(path) + " " + what +
                            "; backing=any takes whatever the image names: only if you made it");
    }

    const Disk& disk_;
};

}  // namespace

Qcow2Names read_qcow2_names(const std::string& path, std::uint64_t start) {
    const UniqueFd fd = open_image(path);
    std::string header = bytes_at(fd.get(), start, 104);
    const std::uint64_t version = number_at(header, 4, 4);
    if (!header.starts_with("QFI\xfb") || version < 2 || version > 3)
        throw LauncherError(shown(path) + ": not a qcow2 image");
    constexpr std::uint64_t external_data = 1U << 2;
    constexpr std::uint64_t backing_format_extension = 0xe2792aca;
    constexpr size_t longest_name = 1023;
    constexpr std::uint64_t longest_header = 65536;

    Qcow2Names names;
    names.has_data_file = version == 3 && (number_at(header, 72, 8) & external_data) != 0;
    const std::uint64_t offset = number_at(header, 8, 8);
    const std::uint64_t size = number_at(header, 16, 4);
    if (offset == 0)
        return names;
    names.backing = bytes_at(fd.get(), start + offset, std::min<size_t>(size, longest_name));
    if (offset > longest_header || size > longest_name || names.backing.size() != size)
        throw LauncherError(shown(path) + ": the name of its backing file is damaged");
    // The extensions end where the name of the backing file begins.
    // NOLINTNEXTLINE(readability-suspicious-call-argument)
    header = bytes_at(fd.get(), start, offset);
    size_t at = version == 3 ? number_at(header, 100, 4) : 72;
    while (at + 8 <= header.size()) {
        const std::uint64_t type = number_at(header, at, 4);
        const std::uint64_t length = number_at(header, at + 4, 4);
        if (type == 0 || length > header.size() - at - 8)
            break;
        if (type == backing_format_extension)
            names.backing_format = header.substr(at + 8, length);
        at += 8 + (length + 7) / 8 * 8;
    }
    return names;
}

std::string own_image_name(size_t index) {
    return index == 0 ? "disk.qcow2" : "disk" + std::to_string(index) + ".qcow2";
}

std::optional<ImageFormat> format_by_content(const std::string& path) {
    const UniqueFd fd = open_image(path);
    return format_by_content(fd.get(), status_of(fd.get(), path));
}

std::vector<std::string> check_disk(const Disk& disk, bool snapshot) {
    const std::string& path = disk.path.str();
    Checker checker(disk);
    if (access(path.c_str(), F_OK) != 0 && errno == ENOENT)
        throw LauncherError(
            shown(path) + ": there is no such image; make an empty one with: " +
            terminal_text(shell_text(
                {"qemu-img", "create", "-f", std::string(name_of(disk.format)), path, "20G"})));
    checker.check(path, disk.format);
    const bool device = is_block_device(path);
    const bool writes = !disk.read_only && !snapshot;
    if (device && writes)
        check_use(disk, checker.notes);
    if (device && writes && access(path.c_str(), W_OK) != 0)
        throw LauncherError(shown(path) +
                            ": you may not write to it; readonly=on, or snapshot=on, "
                            "would do without; " +
                            device_permission(path));
    if (writes && access(path.c_str(), W_OK) != 0)
        throw LauncherError(
            shown(path) + ": " + errno_text(errno) +
            ": you may not write to it. A VM that keeps what differs from it: tapgate "
            "new NAME --from=" +
            shell_word(commas_doubled(path)) +
            "; for looking only: --snapshot=on (or readonly=on); if it was the base of "
            "clones that are gone: chmod u+w");
    return std::move(checker.notes);
}

std::optional<FileAccess> access_to(const Disk& disk) {
    if (disk.any_backing)
        return std::nullopt;
    Checker checker(disk);
    checker.check(disk.path.str(), disk.format);
    return FileAccess{.read = checker.files, .parts = {}, .write = {disk.path.str()}};
}

std::vector<std::string> check_images(const VmSpec& spec) {
    std::vector<std::string> notes;
    for (const Disk& disk : spec.disks) {
        // The seed is made at the start, which checks it then.
        if (spec.seed && disk.path.str() == seed_path(spec.name) && !exists(disk.path.str()))
            continue;
        for (std::string& one : check_disk(disk, spec.snapshot))
            notes.push_back(std::move(one));
    }
    for (const HostPath& cdrom : spec.cdroms)
        check_readable(cdrom.str());
    for (const auto& file : {spec.kernel, spec.initrd}) {
        if (file)
            check_readable(file->str());
    }
    return notes;
}

}  // namespace tapgate
