// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/vmdk_descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

constexpr size_t longest_descriptor = 64UL * 1024;
constexpr std::string_view descriptor_magic = "# Disk DescriptorFile";
constexpr std::string_view sparse_magic = "KDMV";
constexpr size_t sector = 512;

// Takes the first word off `text`.
std::string_view take_word(std::string_view& text) {
    const size_t end = std::min(text.find_first_of(blanks), text.size());
    const std::string_view word = text.substr(0, end);
    text = trimmed(text.substr(end));
    return word;
}

bool is_number(std::string_view word) {
    return !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_key(std::string_view word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == ':';
    });
}

// Refuses the word anywhere, even in comments, since QEMU searches for nothing but this word.
void refuse_parent(std::string_view text, const std::string& source) {
    if (text.find("parentFileNameHint") != std::string_view::npos)
        throw LauncherError(source +
                            ": the image only has what differs from another one "
                            "(parentFileNameHint); export it from VMware as a whole");
}

class Descriptor {
  public:
    explicit Descriptor(const std::string& source) : source_(source) {}

    std::vector<std::string> read(std::string_view text) {
        refuse_parent(text, source_);
        while (!text.empty()) {
            const std::string_view line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(line.size() + 1, text.size()));
            number_++;
            read_line(trimmed(line));
        }
        return std::move(extents_);
    }

  private:
    [[noreturn]] void refuse(const std::string& what) const {
        throw LauncherError(source_ + ": line " + std::to_string(number_) +
                            " of the descriptor: " + what);
    }

    void read_line(std::string_view line) {
        if (line.empty() || line.front() == '#')
            return;
        std::string_view rest = line;
        const std::string_view word = take_word(rest);
        if (word == "RW" || word == "RDONLY" || word == "NOACCESS") {
            read_extent(rest);
            return;
        }
        const size_t equals = line.find('=');
        const std::string_view key = trimmed(line.substr(0, equals));
        if (equals == std::string_view::npos || !is_key(key))
            refuse(quoted_word(line) + " is neither an extent nor a setting");
    }

    // SECTORS TYPE ["NAME" [OFFSET]]
    void read_extent(std::string_view rest) {
        const std::string whole(rest);
        const std::string_view sectors = take_word(rest);
        const std::string_view type = take_word(rest);
        constexpr std::array<std::string_view, 6> types{"FLAT",       "SPARSE",   "VMFS",
                                                        "VMFSSPARSE", "SESPARSE", "ZERO"};
        if (!is_number(sectors) || std::find(types.begin(), types.end(), type) == types.end())
            refuse("an extent without size and type: " + quoted_word(whole));
        if (rest.empty() && type == "ZERO")
            return;
        const size_t end =
            rest.size() < 2 || rest.front() != '"' ? std::string_view::npos : rest.find('"', 1);
        if (end == std::string_view::npos)
            refuse("an extent without a name: " + quoted_word(whole));
        const std::string_view name = rest.substr(1, end - 1);
        const std::string_view offset = trimmed(rest.substr(end + 1));
        if (!offset.empty() && !is_number(offset))
            refuse("an extent with more than an offset: " + quoted_word(whole));
        if (name.empty() || name == "." || name == ".." ||
            name.find_first_of("/:\\") != std::string_view::npos)
            refuse("the extent " + quoted_word(name) + " is no file beside the descriptor");
        extents_.emplace_back(name);
    }

    const std::string& source_;
    unsigned number_ = 0;
    std::vector<std::string> extents_;
};

// A little-endian number of 8 bytes.
std::uint64_t number_at(std::string_view bytes, size_t offset) {
    std::uint64_t number = 0;
    for (size_t i = 8; i-- > 0;)
        number = (number << 8) | static_cast<unsigned char>(bytes[offset + i]);
    return number;
}

std::string read_head(int fd, const std::string& path, std::uint64_t offset, std::uint64_t most) {
    std::string head(std::min<std::uint64_t>(most, 2 * longest_descriptor), '\0');
    const ssize_t got = pread(fd, head.data(), head.size(), static_cast<off_t>(offset));
    if (got < 0)
        fail_with_errno(shown(path));
    head.resize(static_cast<size_t>(got));
    return head;
}

// `flags` is O_NOFOLLOW for files that an image names.
UniqueFd open_to_read(const std::string& path, int flags = 0) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags));
    if (!fd)
        fail_with_errno(shown(path));
    return fd;
}

// With a capacity of 0, QEMU reads a descriptor instead, even in an extent of another image.
void refuse_no_capacity(std::string_view head, const std::string& source) {
    constexpr size_t capacity_field = 12;
    if (head.size() < sector || number_at(head, capacity_field) == 0)
        throw LauncherError(source +
                            ": its header says that it holds nothing (capacity 0), so that its "
                            "data would be in other files; export it from VMware once more");
}

std::string check_extent(const std::string& directory, const std::string& name,
                         const std::string& source) {
    std::string path = directory + name;
    const std::string what = source + ": its extent " + quoted_word(path);
    struct stat status {};
    // Not stat(), since a link could lead anywhere; and before opening it, which the writer of a
    // FIFO would notice.
    if (lstat(path.c_str(), &status) != 0)
        throw LauncherError(what + ": " + errno_text(errno) +
                            "; extents lie beside the descriptor");
    if (!S_ISREG(status.st_mode))
        throw LauncherError(what + " is not a regular file");
    const UniqueFd fd = open_to_read(path, O_NOFOLLOW);
    const std::string head = read_head(fd.get(), path, 0, sector);
    if (head.starts_with(sparse_magic))
        refuse_no_capacity(head, what);
    return path;
}

}  // namespace

std::vector<std::string> parse_vmdk_descriptor(std::string_view text, const std::string& source) {
    return Descriptor(source).read(text);
}

std::string_view embedded_vmdk_descriptor(std::string_view head, const std::string& source) {
    constexpr size_t offset_field = 28;
    if (!head.starts_with(sparse_magic) || head.size() < sector)
        throw LauncherError(source + ": not a vmdk image");
    refuse_no_capacity(head, source);
    // The region in which vmdk_parent_open() (block/vmdk.c in QEMU) looks for a parent.
    constexpr size_t parent_region = 20 * sector;
    const std::string_view behind = head.substr(sector, parent_region);
    refuse_parent(behind.substr(0, behind.find('\0')), source);
    const std::uint64_t offset = number_at(head, offset_field);
    if (offset == 0)
        return {};
    if (offset > longest_descriptor / sector || offset * sector >= head.size())
        throw LauncherError(source + ": the descriptor lies where none belongs");
    const std::string_view text = head.substr(offset * sector);
    const size_t end = text.find('\0');
    if (end == std::string_view::npos)
        throw LauncherError(source + ": the descriptor does not end");
    return text.substr(0, end);
}

std::vector<std::string> check_vmdk_extents(const std::string& path) {
    const UniqueFd fd = open_to_read(path);
    const std::string head = read_head(fd.get(), path, 0, 2 * longest_descriptor);
    const std::string source = shown(path);
    if (!head.starts_with(descriptor_magic)) {
        // A single file: the extents in its descriptor are the file itself.
        parse_vmdk_descriptor(embedded_vmdk_descriptor(head, source), source);
        return {};
    }
    if (head.size() > longest_descriptor)
        throw LauncherError(source + ": too long for a descriptor");
    // QEMU, too, reads up to the first NUL. Some programs pad the last sector; and when QEMU has
    // made a text shorter, the end of the longer one stays after it (vmdk_write_cid() in
    // block/vmdk.c).
    const std::string_view text = std::string_view(head).substr(0, head.find('\0'));
    const std::string directory = path.substr(0, path.rfind('/') + 1);
    std::vector<std::string> extents;
    for (const std::string& name : parse_vmdk_descriptor(text, source))
        extents.push_back(check_extent(directory, name, source));
    return extents;
}

void check_archived_vmdk(const std::string& path, std::uint64_t offset, std::uint64_t size) {
    const UniqueFd fd = open_to_read(path);
    const std::string head = read_head(fd.get(), path, offset, size);
    const std::string source = shown(path);
    parse_vmdk_descriptor(embedded_vmdk_descriptor(head, source), source);
}

}  // namespace tapgate
