// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/tar_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>
#include <string_view>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

constexpr size_t block = 512;
constexpr size_t most_members = 1000;

class TarReader {
  public:
    explicit TarReader(const std::string& path)
        : source_(shown(path)),
          fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
        struct stat status {};
        if (!fd_ || fstat(fd_.get(), &status) != 0)
            fail_with_errno(source_);
        if (!S_ISREG(status.st_mode))
            throw LauncherError(source_ + ": not a regular file");
        end_ = static_cast<std::uint64_t>(status.st_size);
    }

    std::vector<TarMember> members() {
        std::vector<TarMember> all;
        Said said;
        // Each header moves on by at least a block, so this ends.
        for (std::uint64_t at = 0; at + block <= end_;) {
            const std::string header = read(at, block);
            if (header.find_first_not_of('\0') == std::string::npos)
                return all;  // the end mark
            check(header);
            const char type = header[156];
            const bool says = type == 'x' || type == 'L';
            TarMember member{.name = says || said.name.empty() ? name_of(header) : said.name,
                             .offset = at + block,
                             .size = said.size && !says ? *said.size : number(header, 124, 12)};
            if (member.size > end_ - member.offset)
                throw LauncherError(source_ + ": the archive is cut off in " +
                                    quoted_word(member.name));
            at = member.offset + (member.size + block - 1) / block * block;
            if (says) {
                read_said(member, type, said);
            } else {
                said = {};
                if (type == '0' || type == '\0')
                    all.push_back(std::move(member));
            }
            if (all.size() > most_members)
                throw LauncherError(source_ + ": more than 1000 members");
        }
        return all;
    }

    std::string read(std::uint64_t at, size_t size) {
        std::string bytes(size, '\0');
        if (pread(fd_.get(), bytes.data(), size, static_cast<off_t>(at)) !=
            static_cast<ssize_t>(size))
            throw LauncherError(source_ + ": the archive is cut off");
        return bytes;
    }

  private:
    // What the headers before a member's own say about it.
    struct Said {
        std::string name;
        std::optional<std::uint64_t> size;
    };

    // POSIX stores the beginning of a long name at the header's end.
    static std::string name_of(const std::string& header) {
        const auto field = [&](size_t offset, size_t size) {
            const std::string text = header.substr(offset, size);
            return text.substr(0, text.find('\0'));
        };
        const bool posix = header.compare(257, 6, std::string("ustar\0", 6)) == 0;
        const std::string folder = posix ? field(345, 155) : std::string();
        return (folder.empty() ? "" : folder + "/") + field(0, 100);
    }

    // Octal; GNU's numbers over 8 GiB are binary, marked by the highest bit.
    std::uint64_t number(const std::string& header, size_t offset, size_t size) const {
        const auto byte = [&](size_t i) { return static_cast<unsigned char>(header[offset + i]); };
        std::uint64_t value = 0;
        if ((byte(0) & 0x80) != 0) {
            for (size_t i = size - 8; i < size; i++)
                value = (value << 8) | byte(i);
            return value;
        }
        const std::string_view text = std::string_view(header).substr(offset, size);
        const size_t first = std::min(text.find_first_not_of(' '), text.size());
        const auto [stop, error] =
            std::from_chars(text.data() + first, text.data() + text.size(), value, 8);
        if (error != std::errc() ||
            (stop != text.data() + text.size() && *stop != '\0' && *stop != ' '))
            throw LauncherError(source_ +
                                ": not a tar archive, or a damaged one: a header makes no sense");
        return value;
    }

    // The sum of the header's bytes, in which those of the sum itself count as blanks.
    void check(const std::string& header) const {
        std::uint64_t sum = 0;
        for (size_t i = 0; i < block; i++)
            sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
        if (sum != number(header, 148, 8))
            throw LauncherError(source_ + ": not a tar archive, or a damaged one");
    }

    // GNU's names, and pax records: "LENGTH KEY=VALUE\n", where LENGTH is that of the whole record.
    void read_said(const TarMember& header, char type, Said& said) {
        constexpr std::uint64_t most = 65536;
        if (header.size > most)
            throw LauncherError(source_ + ": a name of over 64 KiB");
        const std::string text = read(header.offset, header.size);
        if (type == 'L') {
            said.name = text.substr(0, text.find('\0'));
            return;
        }
        for (std::string_view rest = text; !rest.empty();) {
            size_t length = 0;
            const auto [end, error] =
                std::from_chars(rest.data(), rest.data() + rest.size(), length);
            const size_t begin = static_cast<size_t>(end - rest.data()) + 1;
            if (error != std::errc() || length > rest.size() || length <= begin || *end != ' ' ||
                rest[length - 1] != '\n')
                throw LauncherError(source_ + ": a pax header makes no sense");
            const std::string_view record = rest.substr(begin, length - begin - 1);
            const std::string_view value =
                record.substr(std::min(record.find('=') + 1, record.size()));
            if (record.starts_with("path="))
                said.name = value;
            else if (record.starts_with("size="))
                said.size = parse_whole<std::uint64_t>(value);
            rest.remove_prefix(length);
        }
    }

    std::string source_;
    UniqueFd fd_;
    std::uint64_t end_ = 0;
};

}  // namespace

std::vector<TarMember> tar_members(const std::string& path) {
    return TarReader(path).members();
}

std::string read_tar_member(const std::string& path, const TarMember& member, size_t most) {
    if (member.size > most)
        throw LauncherError(shown(path) + ": " + quoted_word(member.name) + " is longer than " +
                            std::to_string(most) + " bytes");
    return TarReader(path).read(member.offset, member.size);
}

TarWriter::TarWriter(UniqueFd fd, std::string name, std::uint64_t large)
    : fd_(std::move(fd)), name_(std::move(name)), large_(large) {}

void TarWriter::add(const std::string& name, std::string_view text) {
    header(name, text.size(), '0');
    write(text);
    fill_block(text.size());
}

void TarWriter::add_file(const std::string& name, const std::string& path,
                         const std::function<void()>& each_piece) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0)
        fail_with_errno(shown(path));
    const auto size = static_cast<std::uint64_t>(status.st_size);
    header(name, size, '0');
    std::uint64_t written = 0;
    read_pieces(fd.get(), path, [&](std::string_view piece) {
        each_piece();
        write(piece);
        written += piece.size();
    });
    if (written != size)
        throw LauncherError(shown(path) + " has changed meanwhile");
    fill_block(size);
}

void TarWriter::close() {
    write(std::string(2 * block, '\0'));
    if (fsync(fd_.get()) != 0)
        fail_with_errno(shown(name_));
}

void TarWriter::header(const std::string& name, std::uint64_t size, char type) {
    if (size >= large_) {
        // "LENGTH size=N\n", where LENGTH is that of the whole record.
        const std::string rest = " size=" + std::to_string(size) + "\n";
        const std::string record = std::to_string(rest.size() + 2) + rest;
        header(name, record.size(), 'x');
        write(record);
        fill_block(record.size());
        size = 0;
    }
    std::string text(block, '\0');
    const auto put = [&](size_t offset, std::string_view bytes) {
        text.replace(offset, bytes.size(), bytes);
    };
    const auto octal = [](std::uint64_t number, int digits) {
        std::string digits_text(static_cast<size_t>(digits), '0');
        for (size_t i = digits_text.size(); i-- > 0; number >>= 3U)
            digits_text[i] = static_cast<char>('0' + (number & 7U));
        return digits_text;
    };
    if (name.size() > 100)
        throw LauncherError(shown(name_) + ": a name of over 100 bytes");
    put(0, name);
    put(100, octal(0644, 7));
    put(108, octal(0, 7));
    put(116, octal(0, 7));
    put(124, octal(size, 11));
    put(136, octal(static_cast<std::uint64_t>(std::time(nullptr)), 11));
    put(148, "        ");
    text[156] = type;
    put(257, std::string_view("ustar\0"
                              "00",
                              8));
    unsigned sum = 0;
    for (const char byte : text)
        sum += static_cast<unsigned char>(byte);
    put(148, octal(sum, 6) + '\0' + ' ');
    write(text);
}

void TarWriter::write(std::string_view bytes) {
    if (!write_all(fd_.get(), bytes))
        fail_with_errno(shown(name_));
}

void TarWriter::fill_block(std::uint64_t size) {
    write(std::string((block - size % block) % block, '\0'));
}

}  // namespace tapgate
